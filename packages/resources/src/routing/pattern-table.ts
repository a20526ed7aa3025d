// SPDX-License-Identifier: MIT
//
// Values by pattern of number, for the one that says most of a number (comparePatterns). Patterns that are plain digits lie
// in two Maps and are looked up by length, from the longest that occurs: 100,000 of them are at most 16 look-ups. Those with sets lie in a
// tree, of which a search sees each branch at most once, whatever somebody writes or dials.
// Several values of one pattern are tried in the order in which they were added. Built once and never changed.
import { comparePatterns, keyBit, type NumberPattern } from './number-pattern.ts'

interface Branch<T> {
  readonly sets: number[]
  readonly next: Branch<T>[]
  open: Leaf<T> | undefined
  closed: Leaf<T> | undefined
}

interface Leaf<T> {
  readonly pattern: NumberPattern
  readonly values: T[]
}

const branch = <T>(): Branch<T> => ({ sets: [], next: [], open: undefined, closed: undefined })

export class PatternTable<T> {
  readonly #open = new Map<string, T[]>()
  readonly #closed = new Map<string, T[]>()
  /** Lengths of plain beginnings that occur. */
  #lengths = 0
  #longest = 0
  #count = 0
  #tree: Branch<T> | undefined

  /** Of patterns, not of values. */
  get size(): number {
    return this.#count
  }

  add(pattern: NumberPattern, value: T): void {
    const { literal, open, sets } = pattern
    if (literal === undefined) {
      this.#leafOf(pattern).values.push(value)
      return
    }
    const map = open ? this.#open : this.#closed
    const known = map.get(literal)
    if (known !== undefined) {
      known.push(value)
      return
    }
    map.set(literal, [value])
    this.#count++
    if (!open) return
    this.#lengths |= 1 << Math.min(sets.length, 31)
    this.#longest = Math.max(this.#longest, sets.length)
  }

  /** The first value that `accept` takes, of the pattern that says most, then of the next. */
  find(number: string, accept: (value: T) => boolean): T | undefined {
    const leaves = this.#tree === undefined ? undefined : leavesFor(this.#tree, number)
    let at = 0
    const exact = this.#closed.get(number)
    const found = exact && firstOf(exact, accept)
    if (found !== undefined) return found
    for (let length = Math.max(Math.min(this.#longest, number.length), lengthAt(leaves, 0)); length >= 0; length--) {
      const plain = this.#plain(number, length)
      const taken = plain && firstOf(plain, accept)
      if (taken !== undefined) return taken
      for (; leaves !== undefined && lengthAt(leaves, at) === length; at++) {
        const wild = firstOf((leaves[at] as Leaf<T>).values, accept)
        if (wild !== undefined) return wild
      }
    }
    return undefined
  }

  #plain(number: string, length: number): T[] | undefined {
    if (length > this.#longest || (this.#lengths & (1 << Math.min(length, 31))) === 0) return undefined
    return this.#open.get(number.slice(0, length))
  }

  #leafOf(pattern: NumberPattern): Leaf<T> {
    this.#tree ??= branch()
    let at = this.#tree
    for (const set of pattern.sets) {
      let index = at.sets.indexOf(set)
      if (index < 0) {
        index = at.sets.push(set) - 1
        at.next.push(branch())
      }
      at = at.next[index] as Branch<T>
    }
    const known = pattern.open ? at.open : at.closed
    if (known !== undefined) return known
    this.#count++
    const made: Leaf<T> = { pattern, values: [] }
    if (pattern.open) at.open = made
    else at.closed = made
    return made
  }
}

const lengthAt = <T>(leaves: readonly Leaf<T>[] | undefined, at: number): number =>
  leaves?.[at]?.pattern.sets.length ?? -1

function firstOf<T>(values: readonly T[], accept: (value: T) => boolean): T | undefined {
  for (const value of values) if (accept(value)) return value
  return undefined
}

/** Sorted: the one that says most first. */
function leavesFor<T>(tree: Branch<T>, number: string): Leaf<T>[] {
  const found: Leaf<T>[] = []
  let level: Branch<T>[] = [tree]
  for (let i = 0; level.length > 0; i++) {
    const bit = i < number.length ? keyBit(number.charCodeAt(i)) : 0
    const below: Branch<T>[] = []
    for (const { open, closed, sets, next } of level) {
      if (open !== undefined) found.push(open)
      if (closed !== undefined && i === number.length) found.push(closed)
      for (let k = 0; bit !== 0 && k < sets.length; k++) {
        if (((sets[k] as number) & bit) !== 0) below.push(next[k] as Branch<T>)
      }
    }
    level = below
  }
  return found.length > 1 ? found.sort((a, b) => comparePatterns(a.pattern, b.pattern)) : found
}
