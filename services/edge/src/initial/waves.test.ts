// SPDX-License-Identifier: MIT
// Waves: phones that join those that ring already. Rounds: phones that ring once more.
// Does not test: what makes such plans (packages/resources/src/flow).
import type { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, bindingOf, EdgeBench, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const at = (host: number): string => `192.0.2.${host}`
const to = (word: string, ...hosts: number[]): string[] => hosts.map((host) => `${word} → udp ${at(host)}:5060`)
const place = (host: number): policy.Target => targetOf({ $case: 'uri', value: `sip:bob@${at(host)}` })
const WAVE_MS = 10_000

const waves = (waveSize: number, hosts: readonly number[], more: Partial<policy.Step> = {}): policy.Step =>
  stepOf({ targets: hosts.map(place), ringMs: WAVE_MS, waveSize, ...more })

function run(steps: policy.Step[], headers: readonly string[] = []): void {
  bench = new EdgeBench()
  bench.udpIn(requestText({ headers }))
  bench.plan([], { steps })
  bench.begin()
}
const held = (): void => void bench.location.take('updateCall').answer({ held: true })
const invitesTo = (host: number): string[] =>
  bench.sent
    .filter((sent) => sent.text.startsWith('INVITE') && sent.to === `udp ${at(host)}:5060`)
    .map(({ text }) => text)
const answer = (host: number, status: number): void =>
  bench.udpIn(responseTo(invitesTo(host).at(-1) as string, status, `t${host}`), at(host))
const ring = (...hosts: number[]): void => {
  for (const host of hosts) answer(host, 180)
}
const taken = (): string[] => bench.take().filter((text) => !/^(ACK|1\d\d) /.test(text))
/** The time of a wave, and the entry in the directory of those that join. */
const nextWave = (): string[] => {
  bench.take()
  bench.advance(WAVE_MS + 100)
  held()
  return taken()
}

describe('a wave', () => {
  test('joins those that ring, who ring on until the time of the last one is over', () => {
    run([waves(2, [31, 32, 33, 34, 35]), stepOf({ targets: [place(40)] })])
    expect(taken()).toEqual(to('INVITE', 31, 32))
    ring(31, 32)
    expect(nextWave()).toEqual(to('INVITE', 33, 34))
    ring(33, 34)
    expect(nextWave()).toEqual(to('INVITE', 35))
    ring(35)
    bench.take()
    bench.advance(WAVE_MS + 100)
    expect(taken()).toEqual(expect.arrayContaining(to('CANCEL', 31, 32, 33, 34, 35)))
    for (const host of [31, 32, 33, 34, 35]) answer(host, 487)
    held()
    expect(taken().at(-1)).toBe(to('INVITE', 40)[0])
  })

  test('one of an earlier wave may answer: all others are cancelled', () => {
    run([waves(1, [31, 32, 33])])
    ring(31)
    nextWave()
    ring(32)
    bench.take()
    answer(31, 200)
    expect(taken()).toEqual([...to('CANCEL', 32), `200 → ${UP}`])
    answer(32, 487)
    bench.advance(3 * WAVE_MS)
    expect(taken().filter((text) => text.startsWith('INVITE'))).toEqual([])
  })

  test('comes at once where all that ring have failed, and then has its whole time', () => {
    run([waves(2, [31, 32, 33, 34])])
    ring(31)
    bench.advance(4_000)
    bench.take()
    answer(32, 486)
    expect(taken()).toEqual([])
    answer(31, 486)
    held()
    expect(taken()).toEqual(to('INVITE', 33, 34))
    ring(33, 34)
    bench.take()
    bench.advance(WAVE_MS - 1_000)
    expect(taken()).toEqual([])
    bench.advance(2_100)
    expect(taken()).toEqual(expect.arrayContaining(to('CANCEL', 33, 34)))
  })

  test('comes once though several of the one before it have rung for its time', () => {
    run([waves(2, [31, 32, 33, 34, 35, 36])])
    ring(31, 32)
    bench.advance(WAVE_MS + 100)
    expect(bench.location.waiting().filter((name) => name === 'updateCall')).toHaveLength(1)
  })

  test('without a ring time waits until all before it have failed', () => {
    run([waves(1, [31, 32], { ringMs: 0 })])
    ring(31)
    bench.advance(60_000)
    expect(invitesTo(32)).toEqual([])
    answer(31, 480)
    held()
    expect(invitesTo(32)).toHaveLength(1)
  })

  test('is of users, with all their phones', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    const targets = ['sip:a@x', 'sip:b@x'].map((value) => targetOf({ $case: 'aor', value }))
    bench.plan([], { steps: [stepOf({ targets, ringMs: WAVE_MS, waveSize: 1 })] })
    for (const hosts of [[31, 32], [33]]) {
      const bindings = hosts.map((host) => bindingOf(`sip:bob@${at(host)}:5060`))
      bench.location.take('locate').answer({ bindings, version: 1n })
    }
    bench.begin()
    expect(taken()).toEqual(to('INVITE', 31, 32))
    ring(31)
    expect(nextWave()).toContain(to('INVITE', 33)[0])
  })

  test('a CANCEL between two ends all, and none comes any more', () => {
    run([waves(1, [31, 32])])
    ring(31)
    bench.udpIn(requestText({ method: 'CANCEL' }))
    answer(31, 487)
    bench.advance(2 * WAVE_MS)
    expect(invitesTo(32)).toEqual([])
    expect(taken()).toContain(`487 → ${UP}`)
  })

  test('a 6xx of an earlier one ends all', () => {
    run([waves(1, [31, 32, 33])])
    ring(31)
    nextWave()
    ring(32)
    bench.take()
    answer(31, 603)
    expect(taken()).toEqual(to('CANCEL', 32))
    answer(32, 487)
    expect(taken()).toEqual([`603 → ${UP}`])
  })

  test('[RFC5393-5.3.3] those that ring together share Max-Breadth; who finds nothing left waits', () => {
    run([waves(2, [31, 32, 33, 34, 35, 36])], ['Max-Breadth: 5'])
    const breadths = (): number[] =>
      [31, 32, 33, 34, 35, 36]
        .flatMap((host) => invitesTo(host).flatMap((text) => valuesOf(text, 'Max-Breadth')))
        .map(Number)
    ring(31, 32)
    nextWave()
    ring(33, 34)
    nextWave()
    expect(breadths().reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(5)
    expect(invitesTo(35)).toHaveLength(1)
    expect(invitesTo(36)).toEqual([])
  })

  test('that redirects brings its Contacts in its own time', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([], { steps: [waves(1, [31, 32])], maxRecursions: 1 })
    bench.begin()
    bench.udpIn(responseTo(invitesTo(31)[0] as string, 302, 't', [`Contact: <sip:c@${at(41)}>`]), at(31))
    held()
    expect(taken()).toEqual(to('INVITE', 31, 41))
    ring(41)
    expect(nextWave()).toEqual(to('INVITE', 32))
  })
})

describe('a round', () => {
  const once = (more: Partial<policy.Step> = {}): policy.Step =>
    stepOf({ targets: [place(31)], ringMs: WAVE_MS, ...more })
  const ringOut = (): void => {
    ring(31)
    bench.advance(WAVE_MS + 100)
    answer(31, 487)
  }

  test('rings a phone once more that nobody has answered', () => {
    run([once(), once({ again: true }), once({ again: true })])
    for (const count of [1, 2]) {
      ringOut()
      held()
      expect(invitesTo(31)).toHaveLength(count + 1)
    }
    const branches = invitesTo(31).map((text) => valuesOf(text, 'Via')[0])
    expect(new Set(branches).size).toBe(3)
    answer(31, 200)
    expect(taken().at(-1)).toBe(`200 → ${UP}`)
  })

  test('[RFC3261-16.5j] without it no phone is tried again', () => {
    run([once(), once()])
    ringOut()
    expect(invitesTo(31)).toHaveLength(1)
    expect(taken().at(-1)).toBe(`408 → ${UP}`)
  })

  test('rings a phone by one of its flows, though another has answered in the round before [RFC5626-7]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    const target = targetOf({ $case: 'aor', value: 'sip:a@x' })
    bench.plan([], { steps: [stepOf({ targets: [target] }), stepOf({ targets: [target], again: true })] })
    const bindings = [31, 32].map((host, regId) => ({
      ...bindingOf(`sip:bob@${at(host)}:5060`),
      instanceId: 'i',
      regId,
    }))
    bench.location.take('locate').answer({ bindings, version: 1n })
    bench.begin()
    expect(taken()).toEqual(to('INVITE', 31))
    answer(31, 486)
    bench.location.take('locate').answer({ bindings, version: 1n })
    held()
    expect(taken()).toEqual(to('INVITE', 31))
  })
})
