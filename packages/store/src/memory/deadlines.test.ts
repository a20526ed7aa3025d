// SPDX-License-Identifier: MIT
// The heap of deadlines: order, moving and removing, against a sorted list.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines, type Timed } from './deadlines.ts'

interface Entry extends Timed {
  id: number
}

describe('deadlines', () => {
  it('gives entries out by their deadline, whatever was moved or removed', () => {
    const step = fc.record({ id: fc.nat(20), deadlineMs: fc.nat(1_000), removes: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = new Deadlines<Entry>()
        const entries = new Map<number, Entry>()
        for (const { id, deadlineMs, removes } of steps) {
          const entry = entries.get(id) ?? { id, deadlineMs, heapIndex: -1 }
          if (removes) {
            heap.remove(entry)
            entries.delete(id)
          } else {
            entry.deadlineMs = deadlineMs
            entries.set(id, entry)
            heap.set(entry)
          }
        }
        expect(heap.size).toBe(entries.size)
        const taken: number[] = []
        for (let entry = heap.take(1_000); entry !== undefined; entry = heap.take(1_000)) taken.push(entry.deadlineMs)
        expect(taken).toEqual([...entries.values()].map((entry) => entry.deadlineMs).sort((a, b) => a - b))
      }),
      { numRuns: 300 },
    )
  })

  it('keeps what is not due', () => {
    const heap = new Deadlines<Entry>()
    heap.set({ id: 1, deadlineMs: 10, heapIndex: -1 })
    expect(heap.take(9)).toBeUndefined()
    expect(heap.take(10)?.id).toBe(1)
    expect(heap.peek()).toBeUndefined()
  })
})
