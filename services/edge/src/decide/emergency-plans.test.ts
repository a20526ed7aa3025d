// SPDX-License-Identifier: MIT
// Emergency calls while policy gives no answer, by the plans that it pushed before: whose number it is, what is taken over of a push, and
// that nobody is asked.
// Does not test: which plans policy pushes (services/policy/src/trunks/emergency-feed.test.ts).
import { policy, unknown } from '@tandem/rpc'
import { afterEach, expect, test } from 'vitest'
import type { EdgePeer } from '../listeners/peers.ts'
import { ALICE, EdgeBench, messageOf, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

const UP = `udp ${ALICE}:5060`
const AWAY = unknown('timeout: no result came in the time given')
let bench: EdgeBench
afterEach(() => bench.close())

const at = (host: number): string => `192.0.2.${host}`
const leg = { firstResponseMs: 0, asks: false, tells: true, answersChallenges: true }
const wayTo = (...hosts: number[]): policy.Plan =>
  policy.Plan.fromPartial({
    accounting: true,
    steps: hosts.map((host) =>
      stepOf({
        targets: [
          targetOf(
            { $case: 'uri', value: `sip:112@${at(host)}` },
            { trunkLeg: { ...leg, trunk: `t${host}`, host: at(host) } },
          ),
        ],
      }),
    ),
  } as never)
const planOf = (domains: string[], numbers: string[], plan: policy.Plan | undefined): policy.EmergencyPlan => ({
  domains,
  numbers,
  plan,
})

function start(...plans: policy.EmergencyPlan[]): void {
  bench = new EdgeBench()
  push(...plans)
}
const push = (...plans: policy.EmergencyPlan[]): void =>
  bench.policy.push({ event: { $case: 'emergencyPlans', value: { plans } } })
let calls = 0

/** What a caller of example.test gets who dials this while policy is away. */
function dial(number: string, change: (text: string) => string = (text) => text, method = 'INVITE'): string[] {
  calls += 1
  const uri = `sip:${number}@example.test`
  bench.take()
  bench.udpIn(change(requestText({ method, uri, callId: `call-${calls}`, branch: `z9hG4bK-${calls}` })))
  bench.policy.take('decide').end(AWAY)
  if (bench.location.waiting().includes('beginCall')) bench.begin()
  return bench.take()
}
const from = (host: string) => (text: string) => text.replace('From: <sip:alice@example.test>', `From: <sip:a@${host}>`)
const REFUSED = [`503 → ${UP}`]
const taken = (host: number): string[] => [`100 → ${UP}`, `INVITE → udp ${at(host)}:5060`]

test('a call to a number of the caller’s domain goes where policy said, closed as the edge is', () => {
  start(planOf(['Example.test', 'alias.test'], ['112', '9112'], wayTo(31)))
  expect(dial('112')).toEqual(taken(31))
  expect(dial('9112', from('alias.test'))).toEqual(taken(31))
  expect(dial('1-1-2;phone-context=+49')).toEqual(taken(31))
  expect(bench.core.counts.decidedEmergency).toBe(3)
  expect(bench.policy.waiting()).toEqual([]) // no trunk is asked, nothing is told
})

test('other numbers, other people, and what is no call: as ever', () => {
  start(planOf(['example.test'], ['112'], wayTo(31)))
  expect(dial('113')).toEqual(REFUSED)
  expect(dial('112', from('stranger.test'))).toEqual(REFUSED)
  expect(dial('112', (text) => text, 'MESSAGE')).toEqual(REFUSED)
})

test('[RFC3323-4.1.1.3] who hides himself is of the domain that he calls; a plan for anybody is for anybody', () => {
  start(planOf(['example.test'], ['112'], wayTo(31)), planOf([], ['911'], wayTo(32)))
  expect(dial('112', from('anonymous.invalid'))).toEqual(taken(31))
  expect(dial('911', from('stranger.test'))).toEqual(taken(32))
})

test('one number of two domains has two ways', () => {
  start(planOf(['other.test'], ['112'], wayTo(31)), planOf(['example.test'], ['112'], wayTo(32)))
  expect(dial('112')).toEqual(taken(32))
  expect(dial('112', from('other.test'))).toEqual(taken(31))
})

test('a trunk that fails is followed by the next; its challenge, which nobody can answer, does not reach the caller', async () => {
  start(planOf(['example.test'], ['112'], wayTo(31, 32)))
  dial('112')
  bench.udpIn(responseTo(bench.last('INVITE'), 503), at(31))
  bench.location.take('updateCall').answer({ held: true })
  expect(bench.take()).toContain(`INVITE → udp ${at(32)}:5060`)
  bench.udpIn(responseTo(bench.last('INVITE'), 407, 't', ['Proxy-Authenticate: Digest realm="carrier"']), at(32))
  await new Promise((resolve) => setImmediate(resolve))
  expect(bench.take().at(-1)).toBe(`500 → ${UP}`)
  expect(valuesOf(bench.last('500'), 'Proxy-Authenticate')).toEqual([])
})

test('the last push counts; with nothing in it nothing is left', () => {
  start(planOf(['example.test'], ['112'], wayTo(31)))
  push(planOf(['example.test'], ['110'], wayTo(32)))
  expect(dial('112')).toEqual(REFUSED)
  expect(dial('110')).toEqual(taken(32))
  push()
  expect(dial('110')).toEqual(REFUSED)
  expect(bench.core.decisions.emergencyPlans.size).toBe(0)
})

test('a plan that can’t be carried out is left out and counted, the others stand', () => {
  const flawed = wayTo(31)
  const [step] = flawed.steps
  if (step !== undefined) step.ringMs = 1e9
  start(planOf([], ['110'], flawed), planOf([], ['111'], undefined), planOf([], ['112'], wayTo(32)))
  expect(bench.core.counts.decisionsFlawed).toBe(2)
  expect(dial('110')).toEqual(REFUSED)
  expect(dial('112')).toEqual(taken(32))
})

test('numbers that were told go first under overload too', () => {
  start(planOf(['example.test'], ['110'], wayTo(31)))
  const isUrgent = (uri: string): boolean =>
    bench.core.admission.isEmergency(messageOf(requestText({ uri })), { address: ALICE } as EdgePeer)
  expect([isUrgent('sip:110@example.test'), isUrgent('sip:111@example.test')]).toEqual([true, false])
  push()
  expect(isUrgent('sip:110@example.test')).toBe(false)
})
