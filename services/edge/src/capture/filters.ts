// SPDX-License-Identifier: MIT
//
// Which messages are logged or mirrored although not all are: filters that people set at run time (`tandem filter`), each for a time. An edge forgets
// them when it ends. A message that several filters want is written once.
// Bounds: MAX_FILTERS; the newest push out the oldest.

import { BlockList, isIP } from 'node:net'
import { hasCallId, namesUser } from './message-marks.ts'

export type FilterTarget = 'log' | 'hep'

export interface FilterWish {
  /** A Call-ID, '' for any. */
  readonly callId: string
  /** Far address or network, '' for any. */
  readonly source: string
  /** A user part, or user@host; '' for anybody. */
  readonly user: string
  readonly targets: readonly FilterTarget[]
  /** How long. */
  readonly forMs: number
}

interface Filter extends FilterWish {
  readonly untilMs: number
  readonly networks: BlockList | undefined
}

const MAX_FILTERS = 16
const FULL_BITS = { 4: 32, 6: 128 } as const

export class Filters {
  #filters: Filter[] = []
  readonly #now: () => number

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  get isEmpty(): boolean {
    return this.#filters.length === 0
  }

  /** One that is there already is set anew: policy tells of it again when a stream opens. */
  set(wish: FilterWish): void {
    const networks = wish.source === '' ? undefined : networksOf([wish.source])
    const others = this.#filters.filter((filter) => !isSame(filter, wish))
    this.#filters = [...others, { ...wish, networks, untilMs: this.#now() + wish.forMs }].slice(-MAX_FILTERS)
  }

  clear(): void {
    this.#filters = []
  }

  /** Those that are in force, with the time that is left of each. */
  list(): FilterWish[] {
    const now = this.#now()
    return this.#live(now).map(({ callId, source, user, targets, untilMs }) => {
      return { callId, source, user, targets, forMs: Math.round(untilMs - now) }
    })
  }

  /** What wants this message. */
  targetsOf(buf: Buffer, start: number, end: number, address: string): ReadonlySet<FilterTarget> {
    const targets = new Set<FilterTarget>()
    for (const filter of this.#live(this.#now())) {
      if (wants(filter, buf, start, end, address)) for (const target of filter.targets) targets.add(target)
    }
    return targets
  }

  #live(now: number): Filter[] {
    this.#filters = this.#filters.filter(({ untilMs }) => untilMs > now)
    return this.#filters
  }
}

function isSame(one: FilterWish, other: FilterWish): boolean {
  const targets = (wish: FilterWish): string => wish.targets.toSorted().join()
  return (
    one.callId === other.callId &&
    one.source === other.source &&
    one.user === other.user &&
    targets(one) === targets(other)
  )
}

function wants({ callId, user, networks }: Filter, buf: Buffer, start: number, end: number, address: string): boolean {
  if (networks !== undefined && !isWithin(networks, address)) return false
  if (callId !== '' && !hasCallId(buf, start, end, callId)) return false
  return user === '' || namesUser(buf, start, end, user)
}

/** Addresses and networks, as the configuration and the API have let them through. */
export function networksOf(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [address = '', bits] = text.split('/')
    const family = isIP(address) as 0 | 4 | 6
    if (family === 0) continue
    const length = Math.min(Number(bits ?? FULL_BITS[family]), FULL_BITS[family])
    list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

export function isWithin(networks: BlockList, address: string): boolean {
  return networks.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
}
