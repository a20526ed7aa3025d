// SPDX-License-Identifier: MIT
// The ranking of final responses, the bookkeeping of branches, and the deadlines they are armed with.
// Does not test: what the proxy does with the steps (stateful-proxy.test.ts).
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rankResponse, upstreamStatus } from './best-response.ts'
import { Deadline, DeadlineLists } from './deadline-list.ts'
import { Branch, ResponseContext, STEP } from './response-context.ts'

const best = (statuses: number[]): number =>
  statuses.reduce((found, status) => (rankResponse(status) < rankResponse(found) ? status : found))

describe('best response [RFC3261-16.7.6befg]', () => {
  test.each([
    { name: 'MUST choose a 6xx where there is one', statuses: [302, 404, 603], expected: 603 },
    { name: 'MUST choose from the lowest class', statuses: [500, 486, 404, 302], expected: 302 },
    ...[401, 407, 415, 420, 484].map((status) => ({
      name: `SHOULD prefer ${status}, which tells how to ask again`,
      statuses: [404, 486, status],
      expected: status,
    })),
    { name: 'an answer of the callee before a timeout', statuses: [408, 486], expected: 486 },
    { name: 'a timeout before a server that fails', statuses: [500, 408], expected: 408 },
    { name: 'any other 5xx before a 503', statuses: [503, 580], expected: 580 },
    { name: 'all of them before a flow that failed, but a 503', statuses: [430, 408, 503], expected: 408 },
    { name: 'a flow that failed before a 503', statuses: [503, 430], expected: 430 },
  ])('$name', ({ statuses, expected }) => {
    expect(best(statuses)).toBe(expected)
    expect(best([...statuses].reverse())).toBe(expected)
  })

  test.each([
    [503, 500],
    [430, 480],
    [408, 408],
    [486, 486],
    [603, 603],
  ])('%i goes up as %i', (status, expected) => {
    expect(upstreamStatus(status)).toBe(expected)
  })
})

const status = fc.constantFrom(100, 180, 183, 200, 202, 302, 404, 408, 430, 486, 487, 500, 503, 600, 603)

describe('response context', () => {
  test('whatever comes: one failure or 2xx up, exhausted only when nothing is pending, nothing after', () => {
    const event = fc.record({ branch: fc.nat(3), status })
    fc.assert(
      fc.property(fc.boolean(), fc.array(event, { maxLength: 30 }), (isInvite, events) => {
        const context = new ResponseContext(isInvite)
        for (let k = 0; k < 4; k += 1) context.addBranch(new Branch(`b${k}`, 'sip:x'))
        let exhausted = 0
        let forwarded = 0
        for (const { branch: index, status: code } of events) {
          const branch = context.branches[index] as Branch
          if (code < 200) {
            expect(context.onProvisional(branch, code)).toBe(
              code > 100 && branch.final === 0 && context.finalSent === 0,
            )
            continue
          }
          const step = context.onFinal(branch, code)
          if ((step & STEP.EXHAUSTED) !== 0) {
            exhausted += 1
            expect([context.pending, context.finalSent]).toEqual([0, 0])
            context.finalSent = context.bestStatus
          }
          if ((step & STEP.FORWARD) !== 0) forwarded += 1
          if ((step & STEP.KEEP) !== 0) expect(context.bestStatus).toBe(code)
        }
        const pending = context.branches.filter((branch) => branch.final === 0).length
        expect(context.pending).toBe(pending)
        expect(exhausted).toBeLessThanOrEqual(1)
        if (pending === 0) expect(context.finalSent).not.toBe(0)
        if (!isInvite) expect(forwarded).toBeLessThanOrEqual(1)
      }),
      { numRuns: 500 },
    )
  })

  test('keeps the highest provisional status of a branch', () => {
    const context = new ResponseContext(true)
    const branch = new Branch('b', 'sip:x')
    context.addBranch(branch)
    for (const code of [100, 183, 180]) context.onProvisional(branch, code)
    expect(branch.provisional).toBe(183)
  })
})

class Item extends Deadline {
  readonly name: string
  constructor(name: string) {
    super()
    this.name = name
  }
}

describe('deadline lists', () => {
  const due = (lists: DeadlineLists<Item>, nowMs: number): string[] => {
    const names: string[] = []
    lists.expire(nowMs, (item) => names.push(item.name))
    return names
  }

  test('end in order, once, rounded up to whole seconds', () => {
    const lists = new DeadlineLists<Item>()
    const [a, b, c] = [new Item('a'), new Item('b'), new Item('c')]
    lists.arm(a, 4_200, 0)
    lists.arm(b, 5_000, 100)
    lists.arm(c, 1_000, 0)
    expect(due(lists, 999)).toEqual([])
    expect(due(lists, 1_000)).toEqual(['c'])
    expect(due(lists, 5_000)).toEqual(['a'])
    expect(due(lists, 5_100)).toEqual(['b'])
    expect(lists.isEmpty()).toBe(true)
  })

  test('arming again moves, disarming takes out: first, middle and last', () => {
    const lists = new DeadlineLists<Item>()
    const items = ['a', 'b', 'c', 'd'].map((name) => new Item(name))
    for (const item of items) lists.arm(item, 1_000, 0)
    const [a, b, , d] = items as [Item, Item, Item, Item]
    lists.disarm(b)
    lists.disarm(b)
    lists.arm(a, 1_000, 500)
    lists.disarm(d)
    expect(due(lists, 1_000)).toEqual(['c'])
    expect(due(lists, 1_500)).toEqual(['a'])
    expect(lists.isEmpty()).toBe(true)
  })

  test('what is armed while others end waits for its own time, or ends at once with length 0', () => {
    const lists = new DeadlineLists<Item>()
    const [a, b] = [new Item('a'), new Item('b')]
    lists.arm(a, 1_000, 0)
    const names: string[] = []
    lists.expire(1_000, (item) => {
      names.push(item.name)
      if (item === a) lists.arm(b, 0, 1_000)
    })
    expect([...names, ...due(lists, 1_000)]).toEqual(['a', 'b'])
  })
})
