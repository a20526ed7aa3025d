// SPDX-License-Identifier: MIT
//
// Which edges are members, as this node knows it, and the pushes that tell all streams [DESIGN §4]. The store decides
// about leases and freezes them while it is away; here is a copy of its list, read again on an interval and taken from the
// answer of every lease and leave. While the store is away the copy stands still.
// Race: answers to reads that cross come in any order; a list with a lower revision is older and is passed over, unless
// two reads of the interval in a row say so: then the store began anew.
import type { location, PushHub } from '@tandem/rpc'
import type { Edge, EdgeList, Stored } from '@tandem/store'
import type { LocationCounts } from './counts.ts'
import type { LocationTuning } from './options.ts'

/** `gone`: not a member by a list that is new enough to know. `unknown`: ask the store first. */
export type EdgeState = 'member' | 'gone' | 'unknown'

export interface MembershipOptions {
  /** Asks the store for its list. */
  readonly read: () => Promise<Stored<EdgeList>>
  readonly counts: LocationCounts
  readonly tuning: Pick<LocationTuning, 'unknownEdgeRefreshMs' | 'membershipIntervalMs'>
  readonly pushes: PushHub<location.Push>
  readonly onStore: (isUp: boolean) => void
  /** After each reading on the interval. */
  readonly onRound: () => void
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export class Membership {
  readonly #options: MembershipOptions
  #list: EdgeList | undefined
  readonly #members = new Set<string>()
  readonly #gone = new Set<string>()
  readonly #goneForGood = new Set<string>()
  /** When the list was last read or confirmed. */
  #knownAt = Number.NEGATIVE_INFINITY
  #olderReads = 0
  #reading: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  /** Whether its bindings are being removed, or soon will be: nothing new may be bound to it. */
  isGoneForGood(edgeId: string): boolean {
    return this.#goneForGood.has(edgeId)
  }

  get hasGoneForGood(): boolean {
    return this.#goneForGood.size > 0
  }

  /** Undefined until the store answered once. */
  get edges(): location.EdgeList | undefined {
    return this.#list && toWire(this.#list)
  }

  get memberCount(): number {
    return this.#members.size
  }

  /** Without a list nobody is known to be gone: unreachable is not dead, and unknown is not unreachable. */
  stateOf(edgeId: string): EdgeState {
    if (this.#members.has(edgeId)) return 'member'
    if (this.#gone.has(edgeId)) return 'gone'
    if (this.#list === undefined) return 'unknown'
    const age = this.#options.now() - this.#knownAt
    return age <= this.#options.tuning.unknownEdgeRefreshMs ? 'gone' : 'unknown'
  }

  /** The list out of the answer to a lease or a leave. */
  take(list: EdgeList): void {
    if (this.#list !== undefined && list.revision < this.#list.revision) return
    this.#olderReads = 0
    this.#adopt(list)
  }

  /** Reads the list once; calls that come meanwhile share the read. Never rejects. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  start(): void {
    this.#timer ??= setInterval(
      () => void this.refresh().then(this.#options.onRound),
      this.#options.tuning.membershipIntervalMs,
    )
    this.#timer.unref()
    void this.refresh()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #read(): Promise<void> {
    const result = await this.#options.read()
    if (result.state === 'stored') {
      this.#options.onStore(true)
      this.#takeRead(result.value)
    } else if (result.state === 'notStored' && result.reason === 'away') {
      this.#options.onStore(false)
    }
  }

  #takeRead(list: EdgeList): void {
    if (this.#list !== undefined && list.revision < this.#list.revision) {
      if (++this.#olderReads < 2) return
    }
    this.#olderReads = 0
    this.#adopt(list)
  }

  #adopt(list: EdgeList): void {
    const isNew = this.#list === undefined || list.revision !== this.#list.revision
    this.#list = list
    this.#knownAt = this.#options.now()
    this.#index(list)
    if (!isNew) return
    this.#options.counts.pushes += this.#options.pushes.send(pushOf(list))
  }

  #index(list: EdgeList): void {
    this.#members.clear()
    this.#gone.clear()
    for (const edge of list.edges) this.#members.add(edge.id)
    for (const { edge } of list.unreachable) this.#gone.add(edge.id)
    this.#goneForGood.clear()
    for (const id of list.gone) this.#goneForGood.add(id)
  }

  /** The list to a stream that has just opened. */
  greet(peer: string): void {
    if (this.#list && this.#options.pushes.sendTo(peer, pushOf(this.#list))) this.#options.counts.pushes++
  }
}

export function toWire(list: EdgeList): location.EdgeList {
  return { revision: list.revision, edges: list.edges.map(copyEdge) }
}

function copyEdge(edge: Edge): location.Edge {
  return { ...edge, listeners: [...edge.listeners] }
}

function pushOf(list: EdgeList): location.Push {
  return { event: { $case: 'edges', value: toWire(list) } }
}
