// SPDX-License-Identifier: MIT
//
// Long work in slices: written as generators that yield now and then, run to their end at once where nobody waits, or with turns for
// others in between.
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Work that can be interrupted at each yield. */
export type Sliced<T> = Generator<void, T>

const ITEMS = 128
/** Nobody waits longer than about this for his turn. */
const SLICE_MS = 8

/** Runs `each` for all items, with a yield now and then. */
export function* eachOf<T>(items: Iterable<T>, each: (item: T) => void): Sliced<void> {
  let left = ITEMS
  for (const item of items) {
    each(item)
    if (--left > 0) continue
    left = ITEMS
    yield
  }
}

/** All of it, now. */
export function atOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
  }
}

/** All of it, with turns for others. Rejects with what the work throws. */
export async function inTurns<T>(work: Sliced<T>, sliceMs = SLICE_MS): Promise<T> {
  let began = performance.now()
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
    if (performance.now() - began < sliceMs) continue
    await nextTurn()
    began = performance.now()
  }
}
