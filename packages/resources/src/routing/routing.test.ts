// SPDX-License-Identifier: MIT
//
// Numbers, routes, groups and trunks: which pattern says most, which way a call takes, what a trunk is told of the caller, and what is
// refused when it is applied.
import { describe, expect, test } from 'vitest'
import { document, domain, indexOf, problemsOf, subscriber } from '../testing.ts'
import { findEmergency, findNumberEntry, ownsNumber, routeEmergency, routeNumber, shownNumber } from './route-number.ts'
import { NO_FACTS, type OutCall, type RoutingFacts, type TrunkFacts } from './routed.ts'

const trunk = (name: string, spec: object = {}) =>
  document('Trunk', { name }, { hosts: [{ host: `${name}.example` }], ...spec })
const route = (name: string, spec: object) => document('Route', { name }, spec)
const group = (name: string, trunks: readonly unknown[], spec: object = {}) =>
  document('TrunkGroup', { name }, { trunks, ...spec })
const number = (name: string, spec: object) =>
  document('Number', { name }, { domain: 'example.test', to: { subscriber: 'alice' }, ...spec })

const call = (to: string, more: Partial<OutCall> = {}): OutCall => ({
  number: to,
  dialled: to,
  caller: { aor: 'sip:alice@example.test', domain: 'example.test', labels: {}, trunk: '', number: '' },
  shown: '',
  ownsShown: false,
  nowMs: Date.UTC(2026, 5, 3, 10),
  draw: 0,
  ...more,
})

const factsOf = (trunks: Record<string, Partial<TrunkFacts>>, turn?: number): RoutingFacts => ({
  trunk: (name) => trunks[name] && { open: false, full: false, openHosts: new Set(), ...trunks[name] },
  turn: () => turn,
})

const urisOf = (routed: ReturnType<typeof routeNumber>) => routed.steps.map(({ targets }) => targets[0]?.uri)
const waysOf = (routed: ReturnType<typeof routeNumber>) =>
  routed.steps.map(({ targets }) => targets[0]?.trunkLeg?.trunk).join(' ')

describe('routes', () => {
  const alice = subscriber('alice', { callerId: '+49301000' })

  test('the longest match counts, whatever else there is', async () => {
    const index = await indexOf(
      domain(),
      alice,
      ...['world', 'germany', 'berlin', 'mobile'].map((name) => trunk(name)),
      route('world', { prefix: '*', trunk: 'world', priority: 0 }),
      route('germany', { prefix: '+49', trunk: 'germany' }),
      route('berlin', { prefix: '+4930', trunk: 'berlin', priority: 65_535 }),
      route('mobile', { pattern: '+491[567]*', trunk: 'mobile' }),
    )
    const to = (called: string) => waysOf(routeNumber(index, call(called), NO_FACTS))
    expect(to('+4930123')).toBe('berlin')
    expect(to('+4989123')).toBe('germany')
    expect(to('+49151123')).toBe('mobile')
    expect(to('+4914')).toBe('germany')
    expect(to('+331')).toBe('world')
  })

  test('caller group, then schedule; those passed over are named', async () => {
    const index = await indexOf(
      domain(),
      domain({}, 'other.test'),
      alice,
      trunk('gold'),
      trunk('day'),
      trunk('any'),
      document(
        'Schedule',
        { name: 'office' },
        { timeZone: 'UTC', weekly: [{ days: ['wed'], from: '09:00', to: '17:00' }] },
      ),
      route('gold', { prefix: '+49', from: { labels: { tier: 'gold' } }, trunk: 'gold' }),
      route('day', { prefix: '+49', schedule: 'office', trunk: 'day' }),
      route('any', { prefix: '+49', trunk: 'any' }),
      route('other', { prefix: '+4930', from: { domains: ['other.test'] }, trunk: 'gold' }),
    )
    const by = (more: Partial<OutCall> = {}) => routeNumber(index, call('+4930123', more), NO_FACTS)
    expect(waysOf(by())).toBe('day')
    expect(waysOf(by({ nowMs: Date.UTC(2026, 5, 3, 20) }))).toBe('any')
    const gold = { ...call('').caller, labels: { tier: 'gold' } }
    expect(waysOf(by({ caller: gold }))).toBe('gold')
    expect(by().reasons.map(({ resource, text }) => `${resource} ${text}`)).toEqual([
      'Route/other is passed over: it is not for users of example.test',
      'Route/gold is passed over: it is for callers with the label tier: gold',
      'Route/day is the longest match for +4930123: +49, within Schedule/office',
      'Trunk/day tries its hosts',
      'Trunk/day sip:+4930123@day.example',
    ])
  })

  test('[RFC3261-26.3.2] nobody who is not ours goes out, a trunk only where a route names it', async () => {
    const index = await indexOf(domain(), alice, trunk('out'), trunk('in'), route('all', { prefix: '*', trunk: 'out' }))
    const nobody = { aor: '', domain: '', labels: {}, trunk: '', number: '' }
    expect(routeNumber(index, call('+4930', { caller: nobody }), NO_FACTS).refused).toMatchObject({ status: 404 })
    const carrier = { ...nobody, trunk: 'in' }
    expect(routeNumber(index, call('+4930', { caller: carrier }), NO_FACTS).refused).toMatchObject({ status: 404 })
    const open = await indexOf(
      domain(),
      trunk('out'),
      trunk('in'),
      route('t', { prefix: '*', from: { trunks: ['in'] }, trunk: 'out' }),
    )
    expect(waysOf(routeNumber(open, call('+4930', { caller: carrier }), NO_FACTS))).toBe('out')
    expect(routeNumber(open, call('+4930', { caller: { ...nobody, trunk: 'out' } }), NO_FACTS).refused?.status).toBe(
      404,
    )
  })

  test('no route at all is 404, one that refuses says how', async () => {
    const index = await indexOf(
      domain(),
      alice,
      route('premium', { prefix: '+49900', reject: { status: 603, reason: 'No' } }),
    )
    expect(routeNumber(index, call('+331'), NO_FACTS).refused).toMatchObject({ status: 404, code: 'unknown_number' })
    expect(routeNumber(index, call('+49900123'), NO_FACTS).refused).toMatchObject({ status: 603, reason: 'No' })
  })
})

describe('groups', () => {
  const plan = (name: string, micros: number) =>
    document('RatePlan', { name }, { currency: 'EUR', rates: [{ prefix: '*', perMinuteMicros: micros }] })
  const resources = [
    domain(),
    plan('cheap', 5_000),
    plan('dear', 20_000),
    trunk('a', { ratePlan: 'dear' }),
    trunk('b', { ratePlan: 'cheap' }),
    trunk('c'),
  ]
  const by = async (order: string, facts: RoutingFacts, more: Partial<OutCall> = {}, spec: object = {}) => {
    const index = await indexOf(
      ...resources,
      group('g', ['a', 'b', 'c'], { order, ...spec }),
      route('all', { prefix: '*', trunkGroup: 'g' }),
    )
    return waysOf(routeNumber(index, call('+4930', more), facts))
  }

  test.each([
    { order: 'priority', facts: NO_FACTS, expected: 'a b c' },
    { order: 'leastCost', facts: NO_FACTS, expected: 'b a c' },
    {
      order: 'quality',
      facts: factsOf({ a: { asr: 0.4 }, b: { asr: 0.8, pddMs: 900 }, c: { asr: 0.8, pddMs: 300 } }),
      expected: 'c b a',
    },
    { order: 'roundRobin', facts: factsOf({}, 1), expected: 'b c a' },
    { order: 'roundRobin', facts: factsOf({}, 5), expected: 'c a b' },
    { order: 'priority', facts: factsOf({ a: { full: true }, b: { open: true } }), expected: 'c' },
  ])('$order → $expected', async ({ order, facts, expected }) => {
    expect(await by(order, facts)).toBe(expected)
  })

  test('a trunk that costs more than the caller pays is left out', async () => {
    const sellPerMinute = { perMinute: 10_000n, currency: 'EUR' }
    expect(await by('leastCost', NO_FACTS, { sellPerMinute }, { neverAtALoss: true })).toBe('b c')
  })

  test('lots fall by weight, and the same draw is the same order', async () => {
    const index = await indexOf(
      ...resources,
      group(
        'g',
        [
          { trunk: 'a', weight: 3 },
          { trunk: 'b', weight: 1 },
          { trunk: 'c', weight: 0 },
        ],
        { order: 'weight' },
      ),
      route('all', { prefix: '*', trunkGroup: 'g' }),
    )
    const first: Record<string, number> = {}
    for (let i = 0; i < 1_000; i++) {
      const ways = waysOf(routeNumber(index, call('+4930', { draw: i / 1_000 }), NO_FACTS))
      first[ways] = (first[ways] ?? 0) + 1
    }
    expect(first).toEqual({ 'a b c': 750, 'b a c': 250 })
  })

  test('nothing that may be tried is 503; attempts have a bound', async () => {
    const full = factsOf({ a: { full: true }, b: { full: true }, c: { open: true } })
    expect(await by('priority', full)).toBe('')
    expect(await by('priority', NO_FACTS, {}, { maxAttempts: 2 })).toBe('a b')
  })
})

describe('what goes to a trunk', () => {
  const plan = document('NumberPlan', { name: 'germany' }, { country: '+49' })
  const oneWay = async (spec: object, more: Partial<OutCall> = {}, to = '+4930123') => {
    const index = await indexOf(domain(), plan, trunk('t', spec), route('all', { prefix: '*', trunk: 't' }))
    return routeNumber(index, call(to, more), NO_FACTS)
  }

  test.each([
    { spec: {}, expected: 'sip:+4930123@t.example' },
    { spec: { numbersOut: { form: 'e164WithoutPlus' } }, expected: 'sip:4930123@t.example' },
    { spec: { numberPlan: 'germany', numbersOut: { form: 'national' } }, expected: 'sip:030123@t.example' },
    { spec: { numbersOut: { form: 'international', prefix: '7' } }, expected: 'sip:7004930123@t.example' },
    { spec: { numbersOut: { strip: 3, prefix: '99#' } }, expected: 'sip:99%2330123@t.example' },
    {
      spec: { hosts: [{ host: 'h.example', port: 5070, transport: 'tcp' }], userPhone: true },
      expected: 'sip:+4930123@h.example:5070;transport=tcp;user=phone',
    },
  ])('$spec → $expected', async ({ spec, expected }) => {
    expect(urisOf(await oneWay(spec))).toEqual([expected])
  })

  test('hosts by priority and weight, those with an open breaker left out; causes and times of the trunk', async () => {
    const hosts = [{ host: 'last.example', priority: 9 }, { host: 'b.example' }, { host: 'a.example', port: 5080 }]
    const index = await indexOf(
      domain(),
      trunk('t', {
        hosts,
        maxCalls: 5,
        retryStatuses: [486],
        firstResponseMs: 1_500,
        ringMs: 9_000,
        outboundProxy: 'sip:sbc.example',
      }),
      route('all', { prefix: '*', trunk: 't' }),
    )
    const facts = factsOf({ t: { openHosts: new Set(['b.example;udp']) } })
    const routed = routeNumber(index, call('+4930'), facts)
    expect(urisOf(routed)).toEqual(['sip:+4930@a.example:5080', 'sip:+4930@last.example'])
    expect(routed.steps[0]).toMatchObject({
      ringMs: 9_000,
      retryStatuses: [486, 408, 503],
      targets: [
        {
          nextHop: 'sip:sbc.example',
          trunkLeg: {
            trunk: 't',
            host: 'a.example:5080;udp',
            firstResponseMs: 1_500,
            asks: true,
            answersChallenges: false,
          },
        },
      ],
    })
  })

  const shows = async (callerId: object, more: Partial<OutCall>) => {
    const routed = await oneWay({ trusted: true, callerId }, more)
    return routed.steps[0]?.targets[0]?.edits?.map(({ operation, name, value }) =>
      `${operation} ${name} ${value}`.trim(),
    )
  }
  const caller = { ...call('').caller, number: '+49301000' }

  test.each([
    { what: 'his own number', rules: {}, more: { caller, shown: '+49301001', ownsShown: true }, shown: '+49301001' },
    {
      what: 'another one: the one that is his',
      rules: {},
      more: { caller, shown: '+331', ownsShown: false },
      shown: '+49301000',
    },
    {
      what: 'one that is allowed',
      rules: { allowed: ['+4980xx'] },
      more: { caller, shown: '+498012' },
      shown: '+498012',
    },
    { what: 'none: the default', rules: { default: '+49300' }, more: {}, shown: '+49300' },
    { what: 'passthrough', rules: { mode: 'passthrough' }, more: { caller, shown: '+331' }, shown: '+331' },
  ])('caller shows $what', async ({ rules, more, shown }) => {
    expect(await shows(rules, more)).toEqual([
      'remove P-Asserted-Identity',
      `add P-Asserted-Identity <sip:${shown}@t.example>`,
    ])
  })

  test('Diversion, a tel URI, and a trunk that wants a number', async () => {
    expect(await shows({ headers: ['Diversion'], host: 'tel', default: '+493000' }, {})).toEqual([
      'remove Diversion',
      'add Diversion <tel:+493000>;reason=unconditional',
    ])
    const routed = await oneWay({ trusted: true, callerId: { required: true } })
    expect(routed.refused).toMatchObject({ status: 503, code: 'no_trunk' })
    expect(routed.reasons.at(-2)?.text).toBe('left out: the caller has no number to show')
  })

  test('header policies of route and trunk, in this order', async () => {
    const policy = (name: string, spec: object) => document('HeaderPolicy', { name }, spec)
    const index = await indexOf(
      domain(),
      policy('r', { add: [{ name: 'X-Route', value: '1' }], privacy: 'id' }),
      policy('t', { remove: ['X-Secret'], rewrite: [{ name: 'User-Agent', value: 'tandem' }] }),
      trunk('t', { headerPolicy: 't' }),
      route('all', { prefix: '*', trunk: 't', headerPolicy: 'r' }),
    )
    const [step] = routeNumber(index, call('+4930'), NO_FACTS).steps
    expect(step?.targets[0]?.edits?.map(({ operation, name }) => `${operation} ${name}`)).toEqual([
      'add X-Route',
      'remove Privacy',
      'add Privacy',
      'remove X-Secret',
      'rewrite User-Agent',
    ])
  })
})

describe('numbers and emergencies', () => {
  test('the pattern that says most has the number, and a trunk of its own before all', async () => {
    const index = await indexOf(
      domain(),
      subscriber('alice'),
      trunk('t'),
      number('block', { pattern: '+4930123xxx' }),
      number('desk', { number: '+4930123456' }),
      number('rest', { pattern: '+4930123*' }),
      number('by-t', { number: '+4940555', trunks: ['t'] }),
    )
    const find = (called: string, by = '') => findNumberEntry(index, called, by)?.key
    expect(find('+4930123456')).toBe('Number/desk')
    expect(find('+4930123457')).toBe('Number/block')
    expect(find('+493012345')).toBe('Number/rest')
    expect(find('+4940555')).toBeUndefined()
    expect(find('+4940555', 't')).toBe('Number/by-t')
    const alice = index.homes.get('example.test')?.entry.users.get('alice')
    expect(alice && ownsNumber(index, alice, '+4930123999')).toBe(true)
    expect(alice && ownsNumber(index, alice, '+4930999')).toBe(false)
    expect(alice && shownNumber(index, alice)).toBe('+4940555')
  })

  test('112 goes its own way, also with the digits for an outside line, past full and broken trunks', async () => {
    const index = await indexOf(
      domain({ numberPlan: 'pbx' }),
      trunk('sos', { maxCalls: 1 }),
      document(
        'NumberPlan',
        { name: 'pbx' },
        { country: '+49', outsideLine: '0', emergency: { numbers: ['112'], trunk: 'sos' } },
      ),
    )
    const settings = index.homes.get('example.test')?.settings
    if (settings === undefined) throw new Error('no domain')
    expect(findEmergency(index, settings, '1120')).toBeUndefined()
    for (const dialled of ['112', '0112']) {
      const found = findEmergency(index, settings, dialled)
      if (found === undefined) throw new Error('no emergency number')
      const routed = routeEmergency(index, found, call(dialled), factsOf({ sos: { full: true, open: true } }))
      expect(urisOf(routed)).toEqual(['sip:112@sos.example'])
      expect(routed.steps[0]?.targets[0]?.trunkLeg?.asks).toBe(false)
    }
  })
})

describe('what is refused', () => {
  const base = [domain(), subscriber('alice'), trunk('t')]
  const CASES: { what: string; documents: object[]; expected: string }[] = [
    {
      what: 'a prefix of two routes',
      documents: [route('a', { prefix: '+49', trunk: 't' }), route('b', { pattern: '+49*', trunk: 't' })],
      expected:
        'spec.pattern: expected numbers of its own; Route/a has +49* too, or a pattern that says as much of them',
    },
    {
      what: 'patterns of which neither says more',
      documents: [number('a', { pattern: '+49[1-3]x' }), number('b', { pattern: '+49[3-5]x' })],
      expected:
        'spec.pattern: expected numbers of its own; Number/a has +49[3-5]x too, or a pattern that says as much of them',
    },
    {
      what: 'a number that a user has',
      documents: [
        document('Subscriber', { name: 'bob', domain: 'example.test' }, { usernames: ['+4930123'] }),
        number('a', { number: '+4930123' }),
      ],
      expected: 'spec.number: expected a number that no user has; Subscriber/example.test/bob has it',
    },
    {
      what: 'a trunk that is not there',
      documents: [group('g', ['x'])],
      expected: 'spec.trunks[0]: expected an existing resource; there is no Trunk/x; did you mean "Trunk/t"?',
    },
    {
      what: 'a trunk that leads back',
      documents: [document('Trunk', { name: 'loop' }, { hosts: [{ host: 'example.test' }] })],
      expected:
        'spec.hosts[0].host: expected a host outside of this cluster; example.test is a name of Domain/example.test',
    },
    {
      what: 'a pattern that is none',
      documents: [route('a', { pattern: '+49(0+)+$', trunk: 't' })],
      expected:
        'spec.pattern: expected digits with x for any digit, [2-9] for one of some, and * at the end for what follows',
    },
    {
      what: 'two ways',
      documents: [route('a', { prefix: '+49', trunk: 't', trunkGroup: 'g' })],
      expected: 'spec: expected one of trunkGroup, trunk and reject',
    },
    {
      what: 'P-Asserted-Identity to a trunk that is not trusted [RFC3325-5]',
      documents: [trunk('u', { callerId: {} })],
      expected:
        'spec.callerId.headers: expected trusted: true, or other headers: P-Asserted-Identity is for a trunk within the trust domain',
    },
    {
      what: 'From in a header policy',
      documents: [document('HeaderPolicy', { name: 'p' }, { add: [{ name: 'From', value: 'x' }] })],
      expected:
        'spec.add[0].name: expected a header that a proxy may change: not one of routing, dialog, body or credentials, nor From and To',
    },
  ]
  test.each(CASES)('$what', async ({ documents, expected }) => {
    expect(await problemsOf(...base, ...documents)).toEqual([expected])
  })
})
