// SPDX-License-Identifier: MIT
// A call that is tried at trunks: what policy is asked before, told after, and how a trunk's challenge is answered.
// Does not test: which trunks there are (packages/resources), what policy makes of it (services/policy/src/trunks).
import { done, type policy, refused, unknown } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, EdgeBench, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const at = (host: number): string => `192.0.2.${host}`
const to = (...hosts: number[]): string[] => hosts.map((host) => `INVITE → udp ${at(host)}:5060`)
const RETRY = [408, 500, 502, 503, 504]

const trunkStep = (host: number, leg: Partial<policy.TrunkLeg> = {}): policy.Step =>
  stepOf({
    retryStatuses: RETRY,
    targets: [
      targetOf(
        { $case: 'uri', value: `sip:+4930@${at(host)}` },
        {
          trunk: `t${host}`,
          trunkLeg: {
            trunk: `t${host}`,
            host: at(host),
            firstResponseMs: 0,
            asks: false,
            tells: true,
            answersChallenges: false,
            ...leg,
          },
        },
      ),
    ],
  })

function call(...steps: policy.Step[]): void {
  bench = new EdgeBench()
  bench.udpIn(requestText())
  bench.plan([], { steps, accounting: true }, 'ref')
}
const begin = (): void => bench.begin()
const held = (): void => void bench.location.take('updateCall').answer({ held: true })
const inviteTo = (host: number): string => {
  const found = bench.sent.findLast((sent) => sent.text.startsWith('INVITE') && sent.to === `udp ${at(host)}:5060`)
  if (found === undefined) throw new Error(`no INVITE to ${host}`)
  return found.text
}
const answer = (host: number, status: number, headers: readonly string[] = []): void =>
  bench.udpIn(responseTo(inviteTo(host), status, `t${host}`, headers), at(host))
const taken = (): string[] => bench.take().filter((text) => !/^(ACK|1\d\d|CANCEL) /.test(text))
const attempt = () => bench.policy.take<policy.TrunkAttemptRequest>('trunkAttempt')
/** An end is told when the turn is over. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('before a trunk is tried that has bounds', () => {
  test('policy is asked, and nothing leaves before it says yes', () => {
    call(trunkStep(31, { asks: true }))
    const asked = attempt()
    expect(asked.request).toMatchObject({
      callRef: 'ref',
      trunk: 't31',
      host: at(31),
      attempt: 0,
      phase: { $case: 'begin' },
    })
    expect(taken()).toEqual([])
    asked.answer({ refused: false, code: '' })
    begin()
    expect(taken()).toEqual(to(31))
  })

  test.each([
    ['refuses', done({ refused: true, code: 'trunk_calls' })],
    ['knows no such trunk', refused('unknown_trunk', 404, '')],
    ['does not answer', unknown('timeout')],
  ])('where policy %s, the next trunk is tried', (_what, result) => {
    call(trunkStep(31, { asks: true }), trunkStep(32))
    attempt().end(result)
    begin()
    expect(taken()).toEqual(to(32))
    expect(bench.core.counts.trunksRefused).toBe(1)
  })

  test('where there is no other the caller gets 503', () => {
    call(trunkStep(31, { asks: true }))
    attempt().answer({ refused: true, code: 'trunk_calls' })
    expect(taken()).toEqual([`503 → ${UP}`])
  })

  test('a caller who gives up meanwhile gets 487, and nothing leaves', () => {
    call(trunkStep(31, { asks: true }))
    bench.udpIn(requestText({ method: 'CANCEL' }))
    attempt().answer({ refused: false, code: '' })
    expect(taken().filter((text) => text.startsWith('INVITE'))).toEqual([])
  })
})

describe('policy is told', () => {
  const told = async () => {
    await turn()
    return attempt().request
  }

  test('a failure with its status, and the next trunk is another attempt', async () => {
    call(trunkStep(31), trunkStep(32))
    begin()
    answer(31, 503)
    held()
    expect(await told()).toMatchObject({ trunk: 't31', attempt: 0, phase: { value: { status: 503, lost: false } } })
    expect(taken()).toEqual(to(31, 32))
    answer(32, 486)
    expect(await told()).toMatchObject({ trunk: 't32', attempt: 1, phase: { value: { status: 486, lost: false } } })
    expect(taken().at(-1)).toBe(`486 → ${UP}`) // no cause to try another one
  })

  test('silence', async () => {
    call(trunkStep(31))
    begin()
    bench.advance(33_000)
    expect(await told()).toMatchObject({ phase: { value: { status: 0, lost: true, cancelled: false } } })
  })

  test('an answer, with the time until it rang', async () => {
    call(trunkStep(31))
    begin()
    bench.advance(700)
    answer(31, 180)
    answer(31, 200)
    const { phase } = await told()
    expect(phase).toMatchObject({ $case: 'end', value: { status: 200, lost: false, cancelled: false } })
    expect(phase?.$case === 'end' && phase.value.pddMs).toBeGreaterThanOrEqual(600)
  })

  test('that the caller gave up', async () => {
    call(trunkStep(31))
    begin()
    answer(31, 183)
    bench.udpIn(requestText({ method: 'CANCEL' }))
    answer(31, 487)
    expect(await told()).toMatchObject({ phase: { value: { status: 487, lost: false, cancelled: true } } })
  })

  test('once more, where it did not hear', async () => {
    call(trunkStep(31))
    begin()
    answer(31, 500)
    await turn()
    attempt().end(unknown('timeout'))
    await expect.poll(() => bench.policy.waiting(), { timeout: 5_000 }).toContain('trunkAttempt')
    expect(attempt().request).toMatchObject({ phase: { value: { status: 500 } }, ageMs: 1_000 })
  })
})

describe('time to the first response', () => {
  test('over: the next trunk, whatever 100 has said', async () => {
    call(trunkStep(31, { firstResponseMs: 3_000 }), trunkStep(32))
    begin()
    answer(31, 100)
    bench.take()
    bench.advance(3_100)
    answer(31, 487)
    held()
    expect(taken()).toEqual(to(32))
    await turn()
    expect(attempt().request).toMatchObject({ phase: { value: { status: 408, lost: true } } })
  })

  test('kept: it rings as long as it may', () => {
    call(trunkStep(31, { firstResponseMs: 3_000 }), trunkStep(32))
    begin()
    answer(31, 183)
    bench.take()
    bench.advance(60_000)
    expect(taken()).toEqual([])
  })
})

describe('[RFC3261-22.3] a challenge of a trunk', () => {
  const CHALLENGE = ['Proxy-Authenticate: Digest realm="carrier", nonce="n1"']
  const asked = () => bench.policy.take<policy.AnswerChallengeRequest>('answerChallenge')

  test('is answered by policy: the same request leaves with credentials, and the caller hears nothing of it', () => {
    call(trunkStep(31, { answersChallenges: true }))
    begin()
    bench.take()
    const first = inviteTo(31)
    answer(31, 407, CHALLENGE)
    const question = asked()
    expect(question.request).toMatchObject({
      callRef: 'ref',
      trunk: 't31',
      method: 'INVITE',
      requestUri: `sip:+4930@${at(31)}`,
      proxy: true,
      challenges: ['Digest realm="carrier", nonce="n1"'],
      round: 0,
    })
    expect(taken()).toEqual([])
    question.answer({ credentials: ['Digest username="us", response="r"'] })
    held()
    expect(taken()).toEqual(to(31))
    const second = inviteTo(31)
    expect(valuesOf(second, 'Proxy-Authorization')).toEqual(['Digest username="us", response="r"'])
    expect(valuesOf(second, 'Via')[0]).not.toBe(valuesOf(first, 'Via')[0])
    answer(31, 486)
    expect(taken()).toEqual([`486 → ${UP}`])
  })

  test('that policy can not answer is no challenge to the caller', async () => {
    call(trunkStep(31, { answersChallenges: true }))
    begin()
    answer(31, 401, ['WWW-Authenticate: Digest realm="carrier", nonce="n1"'])
    bench.take()
    asked().answer({ credentials: [] })
    expect(taken()).toEqual([`502 → ${UP}`])
    await turn()
    expect(attempt().request).toMatchObject({ phase: { value: { status: 401 } } })
  })

  test('goes on with the next trunk where the credentials are wrong twice', async () => {
    call(trunkStep(31, { answersChallenges: true }), trunkStep(32))
    begin()
    for (let round = 0; round < 2; round += 1) {
      answer(31, 407, CHALLENGE)
      const question = asked()
      expect(question.request.round).toBe(round)
      question.answer({ credentials: [`Digest response="${round}"`] })
      held()
      expect(valuesOf(inviteTo(31), 'Proxy-Authorization')).toEqual([`Digest response="${round}"`])
    }
    bench.take()
    answer(31, 407, CHALLENGE)
    await turn()
    held()
    expect(taken()).toEqual(to(32))
    expect(bench.policy.waiting()).not.toContain('answerChallenge')
    expect(attempt().request).toMatchObject({ trunk: 't31', phase: { value: { status: 407 } } })
    expect(bench.core.counts.trunkChallenges).toBe(2)
  })

  test('of somebody who is no trunk goes to the caller', () => {
    call(trunkStep(31))
    begin()
    bench.take()
    answer(31, 407, CHALLENGE)
    expect(taken()).toEqual([`407 → ${UP}`])
  })
})
