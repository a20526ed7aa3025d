// SPDX-License-Identifier: MIT
// Exits of steps (who comes after a busy, a silent, an absent callee), and what a plan says of one target alone: headers, another next hop.
// Does not test: groups within a step (plan-run.test.ts).
import { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, BOB, EdgeBench, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const { BUSY, NO_ANSWER, UNREACHABLE, FAILED } = policy.Exit_Condition
const { ADD, REMOVE, REWRITE } = policy.HeaderEdit_Operation
const UP = `udp ${ALICE}:5060`
const at = (host: number): string => `192.0.2.${host}`
const to = (...hosts: number[]): string[] => hosts.map((host) => `INVITE → udp ${at(host)}:5060`)
const place = (host: number, extra: Partial<policy.Target> = {}): policy.Target =>
  targetOf({ $case: 'uri', value: `sip:bob@${at(host)}` }, extra)

const exit = (step: number, ...conditions: policy.Exit_Condition[]): policy.Exit => ({ step, conditions, statuses: [] })
const exits = (...list: policy.Exit[]): Partial<policy.Step> => ({ exits: { exits: list } })

/** The called one, then whom it is forwarded to when it is busy, does not answer, is not there. */
const FORWARDED: policy.Step[] = [
  stepOf({
    targets: [place(31)],
    ringMs: 5_000,
    ...exits(exit(1, BUSY), exit(2, NO_ANSWER), exit(3, UNREACHABLE)),
  }),
  stepOf({ targets: [place(32)], last: true }),
  stepOf({ targets: [place(33)], last: true }),
  stepOf({ targets: [place(34)], last: true }),
]

function run(steps: policy.Step[], headers: readonly string[] = []): void {
  bench = new EdgeBench()
  bench.udpIn(requestText({ headers }))
  bench.plan([], { steps })
  bench.begin()
}

const inviteTo = (host: number): string => {
  const found = bench.sent.findLast((sent) => sent.text.startsWith('INVITE') && sent.to === `udp ${at(host)}:5060`)
  if (found === undefined) throw new Error(`no INVITE to ${host}`)
  return found.text
}
const answer = (host: number, status: number): void =>
  bench.udpIn(responseTo(inviteTo(host), status, `t${host}`), at(host))
const held = (): void => void bench.location.take('updateCall').answer({ held: true })
const taken = (): string[] => bench.take().filter((text) => !/^(ACK|1\d\d|CANCEL) /.test(text))

describe('an exit', () => {
  test('leads from a busy phone to the step that is for that', () => {
    run(FORWARDED)
    bench.take()
    answer(31, 486)
    held()
    expect(taken()).toEqual(to(32))
  })

  test('leads from one that rings and is not answered', () => {
    run(FORWARDED)
    answer(31, 180)
    bench.take()
    bench.advance(5_100)
    answer(31, 487)
    held()
    expect(taken()).toEqual(to(33))
  })

  test('leads from one that is silent, and does not take silence for a phone that rang', () => {
    run(FORWARDED)
    bench.take()
    bench.advance(33_000)
    held()
    expect(taken().at(-1)).toBe(to(34)[0])
  })

  test('leads from a user who is not registered', () => {
    const absent = stepOf({
      targets: [targetOf({ $case: 'aor', value: 'sip:bob@example.test' })],
      ...exits(exit(1, UNREACHABLE)),
    })
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([], { steps: [absent, stepOf({ targets: [place(32)] })] })
    bench.location.take('locate').answer({ bindings: [], version: 1n })
    bench.begin()
    expect(taken()).toEqual(to(32))
  })

  test('is none for what it does not name: the failure goes to the caller', () => {
    run(FORWARDED)
    bench.take()
    answer(31, 404)
    expect(taken()).toEqual([`404 → ${UP}`])
  })

  test('of a forwarding is its last step: nobody else rings', () => {
    run(FORWARDED)
    answer(31, 486)
    held()
    bench.take()
    answer(32, 480)
    expect(taken()).toHaveLength(1) // the best of both goes up
    expect(bench.core.proxy.inProgress).toBe(0)
  })

  test('may name statuses, and the first that fits counts', () => {
    const first = { step: 2, statuses: [404, 410], conditions: [] }
    run([stepOf({ targets: [place(31)], ...exits(first, exit(1, FAILED)) }), ...FORWARDED.slice(1)])
    bench.take()
    answer(31, 410)
    held()
    expect(taken()).toEqual(to(33))
  })

  test('never leads back', () => {
    run([
      stepOf({ targets: [place(31)] }),
      stepOf({ targets: [place(32)], ...exits(exit(0, FAILED), exit(1, FAILED)) }),
    ])
    answer(31, 480)
    held()
    bench.take()
    answer(32, 480)
    expect(taken()).toEqual([`480 → ${UP}`])
  })

  test('is asked once all that ring together have failed', () => {
    const both = stepOf({ targets: [place(31), place(35)], ...exits(exit(1, BUSY)) })
    run([both, stepOf({ targets: [place(32)] })])
    bench.take()
    answer(31, 486)
    expect(taken()).toEqual([])
    answer(35, 486)
    held()
    expect(taken()).toEqual(to(32))
  })

  test('is not looked at after 6xx, nor when the caller has given up', () => {
    run([stepOf({ targets: [place(31)], ...exits(exit(1, FAILED)) }), stepOf({ targets: [place(32)] })])
    bench.take()
    answer(31, 603)
    expect(taken()).toEqual([`603 → ${UP}`])
    run([stepOf({ targets: [place(31)], ...exits(exit(1, FAILED)) }), stepOf({ targets: [place(32)] })])
    answer(31, 180)
    bench.udpIn(requestText({ method: 'CANCEL' }))
    bench.take()
    answer(31, 487)
    expect(taken()).toEqual([`487 → ${UP}`])
  })
})

describe('a target of its own kind', () => {
  test('has headers that others do not get, after those of the plan', () => {
    const edits = {
      edits: [
        { operation: ADD, name: 'X-Route', value: 'one' },
        { operation: REMOVE, name: 'Subject', value: '' },
        { operation: REWRITE, name: 'X-Account', value: '4711', match: '' },
        { operation: REWRITE, name: 'X-Number', value: '+49', match: '0' },
      ],
    }
    run(
      [stepOf({ targets: [place(31, { edits }), place(32)] })],
      ['Subject: hello', 'X-Account: old', 'X-Number: 0301'],
    )
    const first = inviteTo(31)
    expect(first).toContain('\r\nX-Route: one\r\n')
    expect(first).toContain('\r\nX-Account: 4711\r\n')
    expect(first).toContain('\r\nX-Number: +49301\r\n')
    expect(valuesOf(first, 'Subject')).toEqual([])
    const second = inviteTo(32)
    for (const line of ['Subject: hello', 'X-Account: old', 'X-Number: 0301']) expect(second).toContain(line)
    expect(valuesOf(second, 'X-Route')).toEqual([])
  })

  test('is reached by another next hop, while its URI stands in the request', () => {
    const trunk = targetOf({ $case: 'uri', value: 'sip:+4930@carrier.test;user=phone' }, { nextHop: `sip:${BOB}:5070` })
    run([stepOf({ targets: [trunk] })])
    expect(bench.take()).toContain(`INVITE → udp ${BOB}:5070`)
    expect(bench.last('INVITE')).toMatch(/^INVITE sip:\+4930@carrier\.test;user=phone SIP/)
  })

  test("with headers that are not a plan's makes the plan no answer", () => {
    const edits = { edits: [{ operation: REWRITE, name: 'From', value: 'x' }] }
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([], { steps: [stepOf({ targets: [place(31, { edits })] })] })
    expect(taken()).toEqual([`500 → ${UP}`])
  })
})
