// SPDX-License-Identifier: MIT
// An edge's cache, location nodes that it may watch, and a store, on one clock that stands still between events. Everything that is on
// its way waits until it is let through: questions, answers, the watch's messages, what a node reads of the store. Nodes have clocks of
// their own.
import { LocationCache } from '@tandem/edge/internal'
import { ChangeHub } from '@tandem/location'
import { done, type location, type OnResult, WatchReader } from '@tandem/rpc'
import type { ChangeFollower, Following } from '@tandem/store'

export const NODES = 2

interface Question {
  readonly aor: string
  readonly onResult: OnResult<location.LocateResponse>
  /** Set once the store was read. */
  response: location.LocateResponse | undefined
}

/** A node's reading of the feed, when the test lets it read. */
class Reading implements Following {
  toldUntilMs = Number.NEGATIVE_INFINITY
  isOn = true
  readonly unread = new Set<string>()
  readonly #follower: ChangeFollower

  constructor(follower: ChangeFollower) {
    this.#follower = follower
    follower.onGap()
  }

  stop(): void {
    this.isOn = false
  }

  read(clockMs: number, isGap: boolean): void {
    if (isGap) this.#follower.onGap()
    else this.#follower.onChanges([...this.unread])
    this.unread.clear()
    this.toldUntilMs = clockMs
  }
}

class Node {
  readonly hub: ChangeHub
  readonly clock: () => number
  reading: Reading | undefined

  constructor(clock: () => number) {
    this.clock = clock
    const followChanges = (follower: ChangeFollower): Following => {
      this.reading = new Reading(follower)
      return this.reading
    }
    this.hub = new ChangeHub({ store: { followChanges }, now: clock })
    this.hub.watch(() => undefined) // another edge watches as well
  }
}

/** What is on its way between the edge and the node that it watches; in order, each way. */
interface Wire {
  readonly node: Node
  readonly reader: WatchReader
  readonly requests: number[]
  readonly responses: location.WatchResponse[]
  end: () => void
}

export class CacheWorld {
  nowMs = 1_000
  readonly cache: LocationCache
  readonly nodes: Node[]
  /** When each version of each address became another's past; the last one is the present. */
  readonly versions = new Map<string, number[]>()
  readonly questions: Question[] = []
  #wire: Wire | undefined

  constructor(bounds: { maxEntries?: number; maxBytes?: number } = {}) {
    this.nodes = Array.from({ length: NODES }, (_, at) => new Node(() => 77_000 * (at + 1) + this.nowMs))
    this.cache = new LocationCache({
      maxEntries: bounds.maxEntries ?? 100,
      maxBytes: bounds.maxBytes ?? 1_000_000,
      maxAgeMs: 600_000,
      now: () => this.nowMs,
      isMember: () => true,
      ask: (aor, onResult) => void this.questions.push({ aor, onResult, response: undefined }),
    })
  }

  change(aor: string, isOwn = false): void {
    this.#versionsOf(aor).push(this.nowMs)
    for (const { reading } of this.nodes) if (reading?.isOn === true) reading.unread.add(aor)
    if (isOwn) this.cache.forget(aor)
  }

  /** For how long another version than this has been the present; 0 where it still is. */
  staleMs(aor: string, version: number): number {
    const since = this.#versionsOf(aor)[version]
    return since === undefined ? 0 : this.nowMs - since
  }

  locate(aor: string, onVersion: (version: number) => void): void {
    this.cache.locate(aor, (result) => {
      if (result.outcome === 'done') onVersion(Number(result.value.bindings[0]?.cseq))
    })
  }

  /** Location reads the store for this question. */
  answer(at: number): void {
    const question = this.questions[at % this.questions.length]
    if (question !== undefined) question.response ??= responseOf(this.#versionsOf(question.aor).length)
  }

  /** The answer arrives. */
  arrive(at: number): void {
    const index = at % this.questions.length
    const question = this.questions[index]
    if (question?.response === undefined) return
    this.questions.splice(index, 1)
    question.onResult(done(question.response))
  }

  read(at: number, isGap = false): void {
    const node = this.nodes[at % NODES]
    if (node?.reading?.isOn === true) node.reading.read(node.clock(), isGap)
  }

  beat(at: number): void {
    this.nodes[at % NODES]?.hub.beat()
  }

  /** Another stream; what was on the way of the last one never arrives. @param isNoticed the edge knows that the last one is gone */
  connect(at: number, isNoticed: boolean): void {
    this.#wire?.end()
    if (isNoticed) this.cache.onGap()
    const node = this.nodes[at % NODES] as Node
    const responses: location.WatchResponse[] = []
    const end = node.hub.watch((response) => responses.push(response))
    this.#wire = { node, reader: new WatchReader(this.cache), requests: [this.nowMs], responses, end }
  }

  askEcho(): void {
    this.#wire?.requests.push(this.nowMs)
  }

  /** The node gets a request. */
  echo(): void {
    const wire = this.#wire
    const echoMs = wire?.requests.shift()
    if (wire !== undefined && echoMs !== undefined) wire.responses.push({ ...wire.node.hub.now(), echoMs })
  }

  /** The edge gets so many responses. */
  deliver(count: number): void {
    for (const response of this.#wire?.responses.splice(0, count) ?? []) this.#wire?.reader.read(response)
  }

  /** Everything that is on its way arrives, and nothing is late. */
  calm(): void {
    for (let at = 0; at < NODES; at++) this.read(at)
    this.askEcho()
    for (let i = 0; i < 3; i++) this.echo()
    this.deliver(1_000)
  }

  close(): void {
    for (const { hub } of this.nodes) hub.stop()
  }

  #versionsOf(aor: string): number[] {
    const known = this.versions.get(aor)
    if (known !== undefined) return known
    const fresh: number[] = []
    this.versions.set(aor, fresh)
    return fresh
  }
}

function responseOf(version: number): location.LocateResponse {
  const binding = { uri: `sip:v${version}@192.0.2.1`, expiresS: 3_600, qMilli: 1_000, callId: 'c', cseq: version }
  const rest = { instanceId: '', regId: 0, flow: undefined, path: [], params: '', userAgent: '' }
  return { bindings: [{ ...binding, ...rest }], version: BigInt(version) }
}
