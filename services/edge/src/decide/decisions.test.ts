// SPDX-License-Identifier: MIT
// What becomes of a request on which policy gives no answer, by the failure mode of its domain.
// Does not test: which decisions are flawed (flaws.test.ts); nodes that are slow or dead (packages/rpc/src/circuit.test.ts).
import { done, type location, policy, refused, unknown } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, BOB, bindingOf, EdgeBench, requestText, stepOf, targetOf, valuesOf } from '../testing.ts'

const UP = `udp ${ALICE}:5060`
const DOWN = `udp ${BOB}:5060`
const BOB_URI = `sip:bob@${BOB}:5060`
const BOB_AOR = 'sip:bob@example.test'
const AWAY = unknown('timeout: no result came in the time given')
let bench: EdgeBench

afterEach(() => bench.close())

const start = (decide: Record<string, unknown>): void => {
  const flags = Object.entries(decide).map(([name, value]) => [`edge.decide.${name}`, value])
  bench = new EdgeBench(Object.fromEntries(flags))
}
const of = (name: string, settings: object) => ({ domains: { [name]: settings } })

/** The next question of this edge to policy ends so. */
const policyEnds = (result: unknown): void => bench.policy.take('decide').end(result)
const invite = (options: Parameters<typeof requestText>[0] = {}): void => {
  inviteNo += 1
  bench.udpIn(requestText({ branch: `z9hG4bK-${inviteNo}`, callId: `call-${inviteNo}`, ...options }))
}
let inviteNo = 0

/** Where location sends it. */
const located = (...bindings: object[]): void => bench.location.take('locate').answer({ bindings, version: 1n })
const bobsPhone = bindingOf(BOB_URI)

const planTo = (where: NonNullable<policy.Target['where']>, extra: Partial<policy.DecideResponse> = {}) =>
  done({
    verdict: { $case: 'plan', value: policy.Plan.fromPartial({ steps: [stepOf({ targets: [targetOf(where)] })] }) },
    callRef: '',
    identity: '',
    account: '',
    ...extra,
  })
const toBob = planTo({ $case: 'aor', value: BOB_AOR })

describe('closed, as it is by default', () => {
  test.each([
    ['unknown', AWAY, 503],
    ['refused by the service', refused('store_away', 503, ''), 503],
    ['refused with a status that is none', refused('x', 200, ''), 503],
    ['refused with its own status', refused('x', 500, ''), 500],
    ['refused below 500', refused('x', 403, ''), 403],
    ['flawed', done({ verdict: undefined, callRef: '', identity: '', account: '' }), 500],
  ])('%s', (_what, result, status) => {
    start({})
    invite()
    policyEnds(result)
    expect(bench.take()).toEqual([`${status} → ${UP}`])
  })

  test('a flawed decision and none are counted', () => {
    start({})
    invite()
    policyEnds(done({ verdict: { $case: 'reject', value: policy.Reject.fromPartial({ status: 200 }) }, callRef: '' }))
    invite()
    policyEnds(AWAY)
    expect(bench.core.counts).toMatchObject({ decisionsFlawed: 1, decideUnknown: 1, decidedOpen: 0 })
  })
})

describe('open', () => {
  test('[DESIGN-3.8] to whoever is registered, without a record, without identities, by plans of ours', () => {
    start({ whenAway: 'open' })
    invite({
      headers: ['P-Asserted-Identity: <sip:boss@example.test>', 'Proxy-Authorization: Digest username="alice"'],
    })
    policyEnds(AWAY)
    located(bobsPhone)
    bench.begin()
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`])
    const sent = bench.last('INVITE')
    expect([...valuesOf(sent, 'P-Asserted-Identity'), ...valuesOf(sent, 'Proxy-Authorization')]).toEqual([])
    expect(bench.core.counts).toMatchObject({ decidedOpen: 1, decideUnknown: 1 })
  })

  test.each([
    ['a flawed decision', done({ verdict: undefined, callRef: '', identity: '', account: '' })],
    ['a service whose store is away', refused('store_away', 503, '')],
  ])('after %s too', (_what, result) => {
    start({ whenAway: 'open' })
    invite()
    policyEnds(result)
    located(bobsPhone)
    expect(bench.core.counts.decidedOpen).toBe(1)
  })

  test('[DESIGN-3.8] to nobody: 503, policy may know more', () => {
    start({ whenAway: 'open' })
    invite({ uri: 'sip:+4930123456@example.test' })
    policyEnds(AWAY)
    located()
    expect(bench.take()).toEqual([`503 → ${UP}`])
  })

  test('[DESIGN-3.8] a contact that an operator has set may be a trunk: 503', () => {
    start({ whenAway: 'open' })
    invite()
    policyEnds(AWAY)
    located({ ...bobsPhone, isStatic: true })
    expect(bench.take()).toEqual([`503 → ${UP}`])
  })

  test.each([
    ['[DESIGN-3.8] a REGISTER', { method: 'REGISTER', uri: 'sip:example.test', headers: [`Contact: <${BOB_URI}>`] }],
    ['a SUBSCRIBE to registrations', { method: 'SUBSCRIBE', uri: BOB_AOR, headers: ['Event: reg'] }],
    ['a request without a user', { method: 'OPTIONS', uri: 'sip:example.test' }],
  ])('%s never: 503', (_what, options) => {
    start({ whenAway: 'open' })
    invite(options)
    policyEnds(AWAY)
    expect(bench.take()).toEqual([`503 → ${UP}`])
    expect(bench.location.waiting()).not.toContain('register')
  })

  test('a rejection is an answer', () => {
    start({ whenAway: 'open' })
    invite()
    bench.decide({ $case: 'reject', value: policy.Reject.fromPartial({ status: 403 }) })
    expect(bench.take()).toEqual([`403 → ${UP}`])
  })
})

describe('an emergency', () => {
  const help = { uri: 'sip:112@example.test' }

  test('goes where it is set to go, whatever the failure mode', () => {
    start({ emergencyTargets: [`sip:112@${BOB}`] })
    invite(help)
    policyEnds(AWAY)
    bench.begin()
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`])
    expect(bench.core.counts).toMatchObject({ decidedEmergency: 1, decidedOpen: 0 })
  })

  test('where nothing is set, with `open` to whatever contact has the number', () => {
    start({ whenAway: 'open' })
    invite(help)
    policyEnds(AWAY)
    located({ ...bindingOf(`sip:112@${BOB}`), isStatic: true })
    bench.begin()
    expect(bench.take()).toContain(`INVITE → ${DOWN}`)
  })

  test('closed and nothing set: 503', () => {
    start({})
    invite(help)
    policyEnds(AWAY)
    expect(bench.take()).toEqual([`503 → ${UP}`])
  })
})

describe('last-known', () => {
  /** A good answer, and what becomes of its call. */
  const decidedBefore = (result: unknown, options: Parameters<typeof requestText>[0] = {}): void => {
    invite(options)
    policyEnds(result)
    while (bench.location.waiting().includes('locate')) located()
    while (bench.location.waiting().includes('beginCall')) bench.location.take('beginCall').end(AWAY)
    bench.take()
  }
  const away = (options: Parameters<typeof requestText>[0] = {}): string[] => {
    invite(options)
    policyEnds(AWAY)
    if (bench.location.waiting().includes('locate')) located(bobsPhone)
    if (bench.location.waiting().includes('beginCall')) bench.begin()
    return bench.take()
  }

  test('the same caller and callee get the plan of before, whoever else 503', () => {
    start({ whenAway: 'last-known' })
    decidedBefore(toBob)
    expect(away()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`])
    expect(away({ uri: 'sip:carol@example.test' })).toEqual([`503 → ${UP}`])
    bench.udpIn(
      requestText({ branch: 'z9hG4bK-m', callId: 'mallory', via: 'Via: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bK-m' }),
      '192.0.2.66',
    )
    policyEnds(AWAY)
    expect(bench.take()).toEqual(['503 → udp 192.0.2.66:5060'])
    expect(bench.core.counts.decidedLastKnown).toBe(1)
  })

  test('a refusal of before is given again', () => {
    start({ whenAway: 'last-known' })
    decidedBefore(
      done({ verdict: { $case: 'reject', value: policy.Reject.fromPartial({ status: 404 }) }, callRef: '' }),
    )
    expect(away()).toEqual([`404 → ${UP}`])
  })

  test.each([
    ['[DESIGN-3.8] what left the cluster', planTo({ $case: 'uri', value: `sip:gw@${BOB}` })],
    ['[DESIGN-3.8] what was charged', planTo({ $case: 'aor', value: BOB_AOR }, { charge: 'x' })],
  ])('%s is not repeated', (_what, result) => {
    start({ whenAway: 'last-known' })
    decidedBefore(result)
    expect(away()).toEqual([`503 → ${UP}`])
  })

  test('who registered from there may call whoever is registered', () => {
    start({ whenAway: 'last-known' })
    invite({ method: 'REGISTER', uri: 'sip:example.test', headers: [`Contact: <sip:alice@${ALICE}>`] })
    const aor = 'sip:alice@example.test'
    // The To of requestText is bob: so bob registers, and calls.
    bench.decide({ $case: 'admit', value: policy.Admit.fromPartial({ aor }) })
    bench.location.take('register').answer({ bindings: [], version: 1n })
    bench.take()
    const asBob = requestText({ uri: 'sip:carol@example.test', branch: 'z9hG4bK-b', callId: 'b' }).replace(
      'From: <sip:alice@',
      'From: <sip:bob@',
    )
    bench.udpIn(asBob)
    policyEnds(AWAY)
    located(bobsPhone)
    bench.begin()
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`])
  })

  test('after its age it is forgotten', () => {
    start({ whenAway: 'last-known', 'lastKnown.maxAgeMs': 60_000 })
    decidedBefore(toBob)
    bench.advance(60_050)
    bench.take()
    expect(away()).toEqual([`503 → ${UP}`])
  })

  test('the newest are kept, and no more than the bound', () => {
    start({ whenAway: 'last-known', 'lastKnown.maxEntries': 3 })
    for (let k = 0; k < 10; k += 1) decidedBefore(toBob, { uri: `sip:u${k}@example.test` })
    expect(bench.core.decisions.lastKnown?.size).toBe(3)
    expect(away({ uri: 'sip:u9@example.test' })).toContain(`INVITE → ${DOWN}`)
    expect(away({ uri: 'sip:u6@example.test' })).toEqual([`503 → ${UP}`])
  })

  test('nothing is remembered where no domain asks for it', () => {
    start({ whenAway: 'open' })
    expect(bench.core.decisions.lastKnown).toBeUndefined()
  })
})

describe('a domain with settings of its own', () => {
  test('by the host of the Request-URI, in any case; the others go by the common ones', () => {
    start(of('example.test', { whenAway: 'open' }))
    invite({ uri: 'sip:bob@EXAMPLE.test' })
    policyEnds(AWAY)
    located(bobsPhone)
    invite({ uri: 'sip:bob@other.test' })
    policyEnds(AWAY)
    expect(bench.take()).toContain(`503 → ${UP}`)
    expect(bench.core.counts.decidedOpen).toBe(1)
  })

  test('its deadline is the one that policy is asked with', () => {
    start({ deadlineMs: 1_000, ...of('example.test', { deadlineMs: 70 }) })
    const asked: number[] = []
    const { call } = bench.policy
    bench.policy.call = (method, request, timeoutMs, onResult) => {
      asked.push(timeoutMs)
      call.call(bench.policy, method, request, timeoutMs, onResult)
    }
    invite()
    invite({ uri: 'sip:bob@other.test' })
    expect(asked).toEqual([70, 1_000])
  })

  test('its breaker ends requests at once, lets a probe go, and closes', async () => {
    const breaker = { failures: 3, openMs: 1_000 }
    start(of('example.test', { breaker }))
    for (let k = 0; k < 3; k += 1) {
      invite()
      policyEnds(AWAY)
    }
    bench.take()
    invite()
    await Promise.resolve()
    expect([bench.policy.waiting(), bench.take()]).toEqual([[], [`503 → ${UP}`]])
    invite({ uri: 'sip:bob@other.test' })
    expect(bench.policy.waiting()).toEqual(['decide'])
    policyEnds(AWAY)
    bench.advance(1_000)
    bench.take()
    invite()
    bench.decide({ $case: 'reject', value: policy.Reject.fromPartial({ status: 404 }) })
    invite()
    expect([bench.policy.waiting(), bench.take()]).toEqual([['decide'], [`404 → ${UP}`]])
    bench.plan([])
  })
})

describe('an admission of a simple service', () => {
  test('has the expiry and the contacts of the cluster where it says nothing', () => {
    start({})
    bench.udpIn(requestText({ method: 'REGISTER', uri: 'sip:example.test', headers: [`Contact: <${BOB_URI}>`] }))
    bench.decide({ $case: 'admit', value: policy.Admit.fromPartial({ aor: BOB_AOR }) })
    const { request } = bench.location.take<location.RegisterRequest>('register')
    expect(request).toMatchObject({ maxContacts: 10, minExpiresS: 60, maxExpiresS: 86_400, defaultExpiresS: 3_600 })
  })
})
