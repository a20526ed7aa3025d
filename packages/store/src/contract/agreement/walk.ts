// SPDX-License-Identifier: MIT
// A random walk through the operations of a store, taken by two stores at once and by one clock; each operation has to end alike in both.
// The same seed takes the same way. Compared is what callers may rely on; not compared are numbers that only have to grow (versions,
// revisions) or that tell how far a store has cleared up by itself.
import { isDeepStrictEqual } from 'node:util'
import type { Eventual } from '../../result.ts'
import type { Store } from '../../store.ts'

/** One of the two, and what it alone knows: its cursors, its revisions. */
export interface Side {
  readonly name: string
  readonly store: Store
  readonly versions: Map<string, bigint>
  readonly revisions: Map<string, number>
  readonly cursors: Map<number, string>
  firstRevision: bigint | undefined
}

export interface Step {
  /** For the message where the two differ. */
  readonly text: string
  run(side: Side): Promise<unknown>
}

export interface Clock {
  readonly nowMs: number
  advance(ms: number): void
}

export class Walk {
  readonly clock: Clock
  readonly sides: readonly Side[]
  /** What expired is told of on both sides: what a store does by itself makes no difference now. */
  isSwept = true
  /** Of the walk. */
  steps = 0
  readonly #random: () => number
  #counter = 0

  constructor(stores: Readonly<Record<string, Store>>, clock: Clock, random: () => number) {
    this.clock = clock
    this.#random = random
    this.sides = Object.entries(stores).map(([name, store]) => ({
      name,
      store,
      versions: new Map(),
      revisions: new Map(),
      cursors: new Map(),
      firstRevision: undefined,
    }))
  }

  /** 0 to end - 1 */
  int(end: number): number {
    return Math.floor(this.#random() * end)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)] as T
  }

  chance(share: number): boolean {
    return this.#random() < share
  }

  /** Grows by one each time. */
  next(): number {
    return ++this.#counter
  }

  advance(ms: number): void {
    this.clock.advance(ms)
    this.isSwept = false
    for (const { revisions } of this.sides) revisions.clear()
  }

  /** @throws where the two end otherwise */
  async take(step: Step): Promise<void> {
    this.steps++
    const ends = await Promise.all(this.sides.map(async (side) => plain(await step.run(side))))
    if (ends.every((end) => isDeepStrictEqual(end, ends[0]))) return
    const told = this.sides.map(({ name }, i) => `${name}: ${JSON.stringify(ends[i])}`)
    throw new Error([`operation ${this.steps}, ${step.text}:`, ...told].join('\n'))
  }
}

/** As JSON knows it, without what is undefined; bytes as hex. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([name, field]) => [name, plain(field)]))
}

/** How it ended: its value, or why there is none. */
export async function ended<T>(result: Eventual<T>, show: (value: T) => unknown = (value) => value): Promise<unknown> {
  const end = await result
  if (end.state === 'stored') return show(end.value)
  return end.state === 'notStored' ? { notStored: end.reason } : { unknown: end.detail }
}
