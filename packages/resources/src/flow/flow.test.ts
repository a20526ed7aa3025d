// SPDX-License-Identifier: MIT
//
// Plans of hunt groups, forwardings and call flows as tables: who rings in which step, and where it goes on; what is refused.
import { describe, expect, test } from 'vitest'
import type { PlanVerdict } from '../plan-verdict.ts'
import { NO_PLAN_FACTS, type PlanAt, planned } from '../planner/plan-at.ts'
import type { ResourceIndex } from '../resource-index.ts'
import { document, domain, group, indexOf, planOf, problemsOf, subscriber } from '../testing.ts'

const PEOPLE = ['alice', 'bob', 'carol', 'dave'].map((name) => subscriber(name))
const IN = { domain: 'example.test' }
const named = (name: string, spec: object) => document('HuntGroup', { name, ...IN }, spec)
const callFlow = (spec: object, name = 'reception') => document('CallFlow', { name, ...IN }, spec)

const CALLER = { aor: 'sip:dave@example.test', domain: 'example.test', labels: {}, trunk: '', number: '' }
const at = (index: ResourceIndex, more: Partial<PlanAt> = {}, nowMs = 0, draw = 0): PlanAt => ({
  index,
  call: { number: '', dialled: '', caller: CALLER, shown: '', ownsShown: false, nowMs, draw },
  facts: NO_PLAN_FACTS,
  diverted: [],
  depth: 0,
  ...more,
})

/** `alice+bob busy>1 noAnswer>2`, one text for each step. */
function told({ kind, status, code, steps }: PlanVerdict): readonly string[] {
  if (kind !== 'plan') return [`${kind} ${status} ${code}`.trim()]
  return steps.map(({ targets, ringMs, exits = [], last, waveSize, again }) => {
    const who = targets.map(({ aor, uri }) => (aor || uri).replace(/^sip:|@example.test$/g, '')).join('+')
    const ways = exits.map(({ conditions, step }) => ` ${conditions.join('/')}>${step}`).join('')
    const how = `${waveSize === undefined ? '' : ` by ${waveSize}`}${again === true ? ' again' : ''}`
    return `${who} ${ringMs / 1000}s${how}${ways}${last === true ? ' last' : ''}`
  })
}

const planFor = (index: ResourceIndex, user: string, more?: Partial<PlanAt>, nowMs?: number, draw?: number) =>
  planned(planOf(index, user), at(index, more, nowMs, draw))

describe('HuntGroup', () => {
  const members = ['alice', 'bob', 'carol']
  test.each([
    ['all at once', { members, ringMs: 20_000 }, ['alice+bob+carol 20s']],
    ['one after another', { members, strategy: 'sequential', ringMs: 9_000 }, ['alice 9s', 'bob 9s', 'carol 9s']],
    [
      'keeps ringing one',
      { members: ['alice'], ringMs: 5_000, rounds: 3 },
      ['alice 5s', 'alice 5s again', 'alice 5s again'],
    ],
    ['waves join', { members, strategy: 'waves', waveSize: 2, ringMs: 8_000 }, ['alice+bob+carol 8s by 2']],
    [
      'each with a time of its own',
      { members: ['alice', { to: { subscriber: 'bob' }, ringMs: 30_000 }], strategy: 'sequential', ringMs: 9_000 },
      ['alice 9s', 'bob 30s'],
    ],
  ])('%s: known beforehand', async (_, spec, expected) => {
    const index = await indexOf(domain(), ...PEOPLE, group(spec))
    const verdict = planOf(index, 'sales')
    expect(told(verdict)).toEqual(expected)
    expect(verdict.later).toBeUndefined()
    expect(Object.isFrozen(verdict)).toBe(true)
  })

  test('by turn: each call begins with the next member', async () => {
    const index = await indexOf(domain(), ...PEOPLE, group({ members, strategy: 'round-robin', ringMs: 9_000 }))
    const first = [0, 1, 2, 3].map((turn) => {
      const state = (key: string) => ({
        turn: key === 'HuntGroup/example.test/sales' ? turn : 99,
        loggedIn: new Set<string>(),
        idleSince: new Map<string, number>(),
      })
      const facts = { ...NO_PLAN_FACTS, group: (key: string, takes: boolean) => (takes ? state(key) : undefined) }
      return told(planFor(index, 'sales', { facts }))[0]
    })
    expect(first).toEqual(['alice 9s', 'bob 9s', 'carol 9s', 'alice 9s'])
  })

  const aorOf = (name: string) => `sip:${name}@example.test`
  const told3 = {
    loggedIn: new Set(['bob', 'carol'].map(aorOf)),
    idleSince: new Map([
      [aorOf('bob'), 5],
      [aorOf('alice'), 9],
    ]),
  }

  test('the longest idle first, those without a call before all; as written where nobody can say', async () => {
    const index = await indexOf(domain(), ...PEOPLE, group({ members, strategy: 'longest-idle', ringMs: 9_000 }))
    const facts = { ...NO_PLAN_FACTS, group: () => ({ turn: 0, ...told3 }) }
    expect(told(planFor(index, 'sales', { facts }))).toEqual(['carol 9s', 'bob 9s', 'alice 9s'])
    expect(told(planFor(index, 'sales'))).toEqual(['alice 9s', 'bob 9s', 'carol 9s'])
  })

  test('only who is logged in; everybody where nobody can say; the overflow where nobody is', async () => {
    const overflow = { unreachable: { subscriber: 'dave' } }
    const index = await indexOf(domain(), ...PEOPLE, group({ members, login: true, overflow, ringMs: 9_000 }))
    const facts = (loggedIn: ReadonlySet<string>) => ({
      ...NO_PLAN_FACTS,
      group: () => ({ turn: 0, ...told3, loggedIn }),
    })
    expect(told(planFor(index, 'sales', { facts: facts(told3.loggedIn) }))[0]).toMatch(/^bob\+carol/)
    expect(told(planFor(index, 'sales'))[0]).toMatch(/^alice\+bob\+carol/)
    expect(told(planFor(index, 'sales', { facts: facts(new Set()) }))[0]).toMatch(/^dave/)
  })

  test('by weight: as often as it says, and always the same for the same draw', async () => {
    const weighted = [
      { to: { subscriber: 'alice' }, weight: 3 },
      { to: { subscriber: 'bob' }, weight: 1 },
      { to: { subscriber: 'carol' }, weight: 0 },
    ]
    const spec = { members: weighted, strategy: 'weighted', ringMs: 9_000 }
    const index = await indexOf(domain(), ...PEOPLE, group(spec))
    const plans = Array.from({ length: 100 }, (_, i) => told(planFor(index, 'sales', {}, 0, i / 100)))
    expect(plans.filter(([first]) => first === 'alice 9s')).toHaveLength(75)
    expect(plans.every((steps) => steps.length === 3 && steps[2] === 'carol 9s')).toBe(true)
  })

  test('at random: each first one time in three', async () => {
    const index = await indexOf(domain(), ...PEOPLE, group({ members, strategy: 'random', ringMs: 9_000 }))
    const first = Array.from({ length: 300 }, (_, i) => told(planFor(index, 'sales', {}, 0, i / 300))[0])
    for (const name of members) expect(first.filter((one) => one === `${name} 9s`)).toHaveLength(100)
  })

  test('goes on elsewhere when the last one fails, by how it failed', async () => {
    const overflow = { busy: { subscriber: 'carol' }, failed: { huntGroup: 'night' } }
    const spec = { members: ['alice', 'bob'], strategy: 'sequential', ringMs: 9_000, overflow }
    const index = await indexOf(domain(), ...PEOPLE, group(spec), named('night', { members: ['dave'] }))
    expect(told(planFor(index, 'sales'))).toEqual([
      'alice 9s',
      'bob 9s busy>2 failed>3',
      'carol 0s last',
      'dave 0s last',
    ])
  })

  test('a group within a group, a URI and a subscriber of another domain', async () => {
    const spec = {
      members: [
        { to: { huntGroup: 'inner' } },
        { to: { uri: 'sip:desk@192.0.2.9' } },
        { to: { subscriber: 'eve@other.test' } },
      ],
    }
    const eve = document('Subscriber', { name: 'eve', domain: 'other.test' })
    const inner = named('inner', { members: ['alice', 'bob'] })
    const index = await indexOf(domain(), domain({}, 'other.test'), ...PEOPLE, eve, inner, group(spec))
    const verdict = planFor(index, 'sales')
    expect(told(verdict)).toEqual(['alice+bob+desk@192.0.2.9+eve@other.test 0s'])
    expect(verdict.steps[0]?.targets.map(({ retarget }) => retarget?.from)).toEqual([
      'sip:inner@example.test',
      'sip:inner@example.test',
      'sip:sales@example.test',
      'sip:sales@example.test',
    ])
  })

  test.each([
    ['waves without a size', { members, strategy: 'waves', ringMs: 5_000 }, /waveSize/],
    ['one after another without a time', { members, strategy: 'sequential' }, /ringMs/],
    ['rounds without a time', { members, rounds: 2 }, /ringMs/],
    ['a member twice', { members: ['alice', { to: { subscriber: 'alice' } }] }, /once/],
    ['a member who is not there', { members: ['zoe'] }, /no Subscriber\/example.test\/zoe/],
    ['overflow that refuses', { members, overflow: { busy: { reject: { status: 486 } } } }, /can be called/],
    ['overflow to nobody', { members, overflow: { busy: { huntGroup: 'zoo' } } }, /no HuntGroup\/example.test\/zoo/],
  ])('is refused: %s', async (_, spec, expected) => {
    expect((await problemsOf(domain(), ...PEOPLE, group(spec))).join('\n')).toMatch(expected)
  })
})

describe('Forwarding', () => {
  const forwards = (forwarding: object) => [
    domain(),
    ...PEOPLE.slice(1),
    subscriber('alice', { forwarding }),
    named('night', { members: ['carol', 'dave'] }),
  ]

  test.each([
    ['always', { always: { subscriber: 'bob' } }, ['bob 0s'], 'unconditional'],
    ['always to a refusal', { always: { reject: { status: 486 } } }, ['reject 486 destination_refused'], ''],
    ['busy', { busy: { subscriber: 'bob' } }, ['alice 0s busy>1', 'bob 0s last'], 'user-busy'],
    [
      'no answer',
      { noAnswer: { to: { huntGroup: 'night' }, afterMs: 15_000 } },
      ['alice 15s noAnswer>1', 'carol+dave 0s last'],
      'unconditional',
    ],
    ['unreachable', { unreachable: { subscriber: 'bob' } }, ['alice 0s unreachable>1', 'bob 0s last'], 'unavailable'],
    [
      'all of them',
      { busy: { subscriber: 'bob' }, noAnswer: { to: { subscriber: 'carol' } }, unreachable: { subscriber: 'dave' } },
      ['alice 20s busy>1 noAnswer>2 unreachable>3', 'bob 0s last', 'carol 0s last', 'dave 0s last'],
      'unavailable',
    ],
  ])('%s', async (_, forwarding, expected, reason) => {
    const index = await indexOf(...forwards(forwarding))
    const verdict = planFor(index, 'alice')
    expect(told(verdict)).toEqual(expected)
    expect(verdict.steps.at(-1)?.targets[0]?.retarget?.reason ?? '').toBe(reason)
  })

  const outside = [
    document('Trunk', { name: 'gw' }, { hosts: [{ host: 'gw.example' }] }),
    document('Route', { name: 'all' }, { prefix: '*', trunk: 'gw' }),
    ...['a', 'b', 'team', 'house'].map((name) => document('Account', { name })),
  ]
  const out = { number: '+4930123' }
  const chain = (alice: object, bob: object) => [
    subscriber('alice', { ...alice, forwarding: { always: { subscriber: 'bob' } } }),
    subscriber('bob', { ...bob, forwarding: { always: out } }),
  ]
  test.each([
    ['who sends it on', {}, [subscriber('alice', { account: 'a', forwarding: { busy: out } })], 'a'],
    ['the last one who does', {}, chain({ account: 'a' }, { account: 'b' }), 'b'],
    ['the last one who has an account', {}, chain({ account: 'a' }, {}), 'a'],
    ['the domain of who has none', { forwardingAccount: 'house' }, chain({ account: 'a' }, {}), 'house'],
    ['nobody', {}, chain({}, {}), undefined],
    [
      'the group',
      {},
      [document('HuntGroup', { name: 'alice', ...IN }, { account: 'team', members: [{ to: out }] })],
      'team',
    ],
    [
      'the flow',
      {},
      [document('CallFlow', { name: 'alice', ...IN }, { account: 'team', default: { to: out } })],
      'team',
    ],
    ['the flow of a domain', { forwardingAccount: 'house' }, [callFlow({ default: { to: out } }, 'alice')], 'house'],
  ])('a leg that leaves by a trunk is paid by %s', async (_, spec, users, payer) => {
    const verdict = planFor(await indexOf(domain(spec), ...outside, ...users), 'alice')
    const target = verdict.steps.at(-1)?.targets[0]
    expect([target?.uri, target?.number, target?.payer]).toEqual(['sip:+4930123@gw.example', '+4930123', payer])
  })

  test('a trunk that costs more than who sends the call on pays is left out, whatever the caller pays', async () => {
    const plan = (name: string, perMinuteMicros: number) =>
      document('RatePlan', { name }, { currency: 'EUR', rates: [{ prefix: '*', perMinuteMicros }] })
    const index = await indexOf(
      domain(),
      plan('buy', 20_000),
      plan('sell', 10_000),
      document('Account', { name: 'a' }, { ratePlan: 'sell' }),
      document('Trunk', { name: 'dear' }, { hosts: [{ host: 'dear.example' }], ratePlan: 'buy' }),
      document('Trunk', { name: 'plain' }, { hosts: [{ host: 'plain.example' }] }),
      document('TrunkGroup', { name: 'g' }, { trunks: [{ trunk: 'dear' }, { trunk: 'plain' }], neverAtALoss: true }),
      document('Route', { name: 'all' }, { prefix: '*', trunkGroup: 'g' }),
      subscriber('alice', { account: 'a', forwarding: { always: out } }),
    )
    const call = { ...at(index).call, sellPerMinute: { perMinute: 90_000n, currency: 'EUR' } }
    expect(told(planFor(index, 'alice', { call }))).toEqual(['+4930123@plain.example 0s'])
  })

  test('an account that nobody has declared pays for nothing', async () => {
    const users = [subscriber('alice'), named('night', { account: 'x', members: ['alice'] })]
    const problems = await problemsOf(domain({ forwardingAccount: 'y' }), ...users)
    expect(problems.map((text) => text.split(':')[0])).toEqual(['spec.forwardingAccount', 'spec.account'])
  })

  test('of calls alone: a message rings his own phones', async () => {
    const index = await indexOf(...forwards({ always: { subscriber: 'bob' } }))
    expect(told(planFor(index, 'alice', { method: 'MESSAGE' }))).toEqual(['alice 0s'])
  })

  test('several in a row: who is busy there goes on from there', async () => {
    const chain = [
      domain(),
      subscriber('alice', { forwarding: { busy: { subscriber: 'bob' } } }),
      subscriber('bob', { forwarding: { noAnswer: { to: { subscriber: 'carol' }, afterMs: 5_000 } } }),
      subscriber('carol'),
    ]
    const { steps } = planFor(await indexOf(...chain), 'alice')
    expect(steps.map(({ targets, exits }) => [targets[0]?.aor, targets[0]?.retarget?.from, exits?.[0]?.step])).toEqual([
      ['sip:alice@example.test', undefined, 1],
      ['sip:bob@example.test', 'sip:alice@example.test', 2],
      ['sip:carol@example.test', 'sip:bob@example.test', undefined],
    ])
  })

  test('a call that was there before does not come back', async () => {
    const index = await indexOf(...forwards({ always: { subscriber: 'bob' } }))
    const verdict = planFor(index, 'alice', { diverted: ['sip:bob@example.test'] })
    expect(told(verdict)).toEqual(['reject 482 destination_loop'])
  })

  test('members of a group ring whatever forwardings they have', async () => {
    const index = await indexOf(...forwards({ always: { subscriber: 'bob' } }), group({ members: ['alice', 'bob'] }))
    expect(told(planFor(index, 'sales'))).toEqual(['alice+bob 0s'])
  })

  test.each([
    ['beside always', { always: { subscriber: 'bob' }, busy: { subscriber: 'bob' } }, /always alone/],
    ['to nobody', { busy: { subscriber: 'zoe' } }, /no Subscriber\/example.test\/zoe/],
    [
      'to himself',
      { busy: { subscriber: 'alice' } },
      /Subscriber\/example.test\/alice → Subscriber\/example.test\/alice/,
    ],
  ])('is refused: %s', async (_, forwarding, expected) => {
    expect((await problemsOf(...forwards(forwarding))).join('\n')).toMatch(expected)
  })
})

describe('CallFlow', () => {
  const OFFICE = document(
    'Schedule',
    { name: 'office' },
    { timeZone: 'Europe/Berlin', weekly: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00' }] },
  )
  const HOLIDAYS = document(
    'HolidayCalendar',
    { name: 'de' },
    { days: [{ date: '12-25' }, { date: '2026-04-03', until: '2026-04-06', name: 'Easter' }] },
  )
  const SPEC = {
    username: '100',
    holiday: { calendars: ['de'], timeZone: 'Europe/Berlin', to: { subscriber: 'carol' } },
    branches: [{ schedule: 'office', to: { huntGroup: 'sales' }, overflow: { failed: { subscriber: 'dave' } } }],
    default: { to: { subscriber: 'bob' } },
  }
  const DOCUMENTS = [domain(), ...PEOPLE, OFFICE, HOLIDAYS, group({ members: ['alice', 'bob'], ringMs: 9_000 })]

  test.each([
    ['by day', '2026-01-05T10:00:00Z', ['alice+bob 9s failed>1', 'dave 0s last']],
    ['by night', '2026-01-05T20:00:00Z', ['bob 0s']],
    ['on a holiday of every year', '2026-12-25T10:00:00Z', ['carol 0s']],
    ['within holidays of several days', '2026-04-04T10:00:00Z', ['carol 0s']],
    ['a holiday begins in its zone, not in UTC', '2026-12-24T23:30:00Z', ['carol 0s']],
  ])('%s', async (_, time, expected) => {
    const index = await indexOf(...DOCUMENTS, callFlow(SPEC))
    const verdict = planFor(index, '100', {}, Date.parse(time))
    expect(told(verdict)).toEqual(expected)
    expect(verdict.reasons[0]?.resource).toBe('CallFlow/example.test/reception')
  })

  test('the forwarding of who is reached counts, then its overflow', async () => {
    const dave = subscriber('eve', { forwarding: { busy: { subscriber: 'carol' } } })
    const spec = { default: { to: { subscriber: 'eve' }, overflow: { failed: { subscriber: 'dave' } } } }
    const index = await indexOf(...DOCUMENTS, dave, callFlow(spec))
    expect(told(planFor(index, 'reception'))).toEqual([
      'eve 0s busy>1 failed>2',
      'carol 0s failed>2 last',
      'dave 0s last',
    ])
  })

  test.each([
    [
      'a schedule that is not there',
      { ...SPEC, branches: [{ schedule: 'x', to: { subscriber: 'bob' } }] },
      /no Schedule\/x/,
    ],
    [
      'a calendar that is not there',
      { ...SPEC, holiday: { ...SPEC.holiday, calendars: ['fr'] } },
      /no HolidayCalendar\/fr/,
    ],
    ['no default', { branches: [] }, /default/],
    ['two ways at once', { default: { to: { subscriber: 'bob', huntGroup: 'sales' } } }, /expected one of/],
    ['itself', { default: { to: { callFlow: 'reception' } } }, /goes round: CallFlow/],
  ])('is refused: %s', async (_, spec, expected) => {
    expect((await problemsOf(...DOCUMENTS, callFlow(spec))).join('\n')).toMatch(expected)
  })

  test('a way round over all kinds is refused with each of its resources', async () => {
    const problems = await problemsOf(
      domain(),
      ...PEOPLE.slice(1),
      subscriber('alice', { forwarding: { always: { callFlow: 'reception' } } }),
      callFlow({ default: { to: { huntGroup: 'sales' } } }),
      group({ members: ['bob'], overflow: { failed: { number: '+4930100' } } }),
      document('Number', { name: 'main' }, { number: '+4930100', domain: 'example.test', to: { subscriber: 'alice' } }),
    )
    expect(problems).toHaveLength(1)
    for (const key of ['Subscriber/example.test/alice', 'CallFlow/', 'HuntGroup/', 'Number/main']) {
      expect(problems[0]).toContain(key)
    }
  })

  test('ways that multiply have a bound', async () => {
    const groups = Array.from({ length: 30 }, (_, i) =>
      named(`g${i}`, {
        members: ['bob'],
        ringMs: 1_000,
        overflow:
          i === 29
            ? { failed: { subscriber: 'carol' } }
            : { busy: { huntGroup: `g${i + 1}` }, failed: { huntGroup: `g${i + 1}` } },
      }),
    )
    const index = await indexOf(domain(), ...PEOPLE, ...groups)
    const verdict = planFor(index, 'g0')
    expect(verdict.kind).toBe('plan')
    expect(verdict.steps.length).toBeLessThanOrEqual(64)
    for (const [i, { exits = [] }] of verdict.steps.entries()) {
      for (const { step } of exits) expect(step).toBeGreaterThan(i)
      for (const { step } of exits) expect(step).toBeLessThan(verdict.steps.length)
    }
  })
})
