// SPDX-License-Identifier: MIT
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CallQueue, PendingCall } from './pending-call.ts'

function callOf(bytes: number): PendingCall {
  return new PendingCall('locate', new Uint8Array(bytes), 0, 0, () => undefined)
}

describe('CallQueue', () => {
  it('keeps order, count and bytes whatever leaves from wherever (against an array)', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), n: fc.nat(50) }),
      fc.record({ kind: fc.constant('remove' as const), n: fc.nat(50) }),
      fc.record({ kind: fc.constant('take' as const), n: fc.nat(5) }),
    )
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const queue = new CallQueue()
        let model: PendingCall[] = []
        for (const { kind, n } of steps) {
          if (kind === 'push') {
            const call = callOf(n)
            queue.push(call)
            model.push(call)
          } else if (kind === 'remove') {
            const call = model[n % Math.max(1, model.length)] ?? callOf(0)
            queue.remove(call)
            model = model.filter((other) => other !== call)
          } else {
            expect(queue.take(n, 1e9)).toEqual(model.splice(0, n))
          }
          expect(queue.count).toBe(model.length)
          expect(queue.bytes).toBe(model.reduce((sum, { bytes }) => sum + bytes, 0))
          expect(queue.head).toBe(model[0])
        }
      }),
    )
  })

  it('closes a batch before it is too large, and lets a large call go alone', () => {
    const queue = new CallQueue()
    for (const bytes of [400, 400, 400, 2_000, 10]) queue.push(callOf(bytes))
    const sizes = () => queue.take(64, 1_000).map(({ bytes }) => bytes)
    expect([sizes(), sizes(), sizes(), sizes(), sizes()]).toEqual([[400, 400], [400], [2_000], [10], []])
  })
})
