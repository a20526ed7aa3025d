// SPDX-License-Identifier: MIT
// Edge membership as arithmetic on a small table: leases, incarnations, revocation, freezing, revision, and which edges are gone for good.
// The memory store keeps the table; the Redis store does the same inside a script (redis/scripts/membership.ts) and the contract suite
// holds the two together.
// Leases run only while somebody reaches the store: when nobody touched the table for edgeFreezeMs, it was away, and every
// lease is given what it had left, or a whole one if that is more. So do the times of edges that are unreachable or gone. A clock that went
// back, as after a failover, moves all of them back too.
// A lease ends before its time when the last stream of its edge closes. Which node holds a stream of whom stands in the table; a node that
// says nothing any more holds none, and its own end revokes nobody: only a node that saw a stream close asks for it.

import type { StoreSettings } from './store.ts'
import type { Edge, EdgeList, LeaseOutcome, NodeStream, NodeStreams, RevokeOutcome } from './types.ts'

interface Member {
  edge: Edge
  description: string
  leaseMs: number
  untilMs: number
  /** The lease held when last looked at. */
  live: boolean
}

interface Gone {
  readonly name: string
  /** From when it is gone; in the future for one that has left, whose phones come back through others. */
  dueMs: number
  /** Its bindings were removed once; a second time is for what came late. */
  passed: boolean
  node: string
  claimedUntilMs: number
}

interface Node {
  touchedMs: number
  streams: readonly NodeStream[]
}

/** Beyond it an edge that is gone is not noted: its bindings run out by themselves. */
export const MAX_GONE = 1_024

/** Base 36 without leading zeros: longer is larger. */
export function isNewerIncarnation(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length
}

/** "<name>.<incarnation>"; names may hold dots. */
export function nameOfEdge(edgeId: string): string {
  const dot = edgeId.lastIndexOf('.')
  return dot < 0 ? edgeId : edgeId.slice(0, dot)
}

export class Membership {
  readonly #settings: StoreSettings
  readonly #members = new Map<string, Member>()
  readonly #gone = new Map<string, Gone>()
  readonly #nodes = new Map<string, Node>()
  #revision = 0n
  #touchedMs = 0

  constructor(settings: StoreSettings) {
    this.#settings = settings
  }

  get size(): number {
    return this.#members.size
  }

  lease(edge: Edge, leaseMs: number, nowMs: number): LeaseOutcome {
    this.#touch(nowMs)
    const known = this.#members.get(edge.name)
    const isBeingRemoved = (this.#gone.get(edge.id)?.claimedUntilMs ?? 0) > nowMs
    if (isBeingRemoved || (known !== undefined && isNewerIncarnation(known.edge.incarnation, edge.incarnation)))
      return { accepted: false, list: this.#list(nowMs) }
    if (known !== undefined && known.edge.id !== edge.id) this.#retire(known.edge, nowMs)
    this.#gone.delete(edge.id)
    for (const gone of this.#gone.values()) if (gone.name === edge.name) gone.dueMs = Math.min(gone.dueMs, nowMs)
    const description = JSON.stringify(edge)
    if (known === undefined || !known.live || known.description !== description) this.#revision++
    this.#members.set(edge.name, { edge, description, leaseMs, untilMs: nowMs + leaseMs, live: true })
    return { accepted: true, list: this.#list(nowMs) }
  }

  leave(edgeId: string, nowMs: number): EdgeList {
    this.#touch(nowMs)
    const name = nameOfEdge(edgeId)
    const member = this.#members.get(name)
    if (member?.edge.id === edgeId) {
      this.#members.delete(name)
      this.#retire(member.edge, nowMs + this.#settings.edgeKeepMs)
      this.#revision++
    }
    return this.#list(nowMs)
  }

  list(nowMs: number): EdgeList {
    this.#touch(nowMs)
    return this.#list(nowMs)
  }

  holdStreams({ node, streams }: NodeStreams, nowMs: number): EdgeList {
    this.#touch(nowMs)
    if (streams.length === 0) this.#nodes.delete(node)
    else this.#nodes.set(node, { touchedMs: nowMs, streams: [...streams] })
    return this.#list(nowMs)
  }

  revoke(node: string, { peer, opened }: NodeStream, nowMs: number): RevokeOutcome {
    this.#touch(nowMs)
    const own = this.#nodes.get(node)
    if (own !== undefined) own.streams = own.streams.filter((one) => one.peer !== peer || one.opened > opened)
    const member = this.#memberOf(peer)
    if (member?.live !== true || this.#isHeld(member.edge)) return { revoked: false, list: this.#list(nowMs) }
    member.live = false
    member.untilMs = nowMs
    this.#revision++
    return { revoked: true, list: this.#list(nowMs) }
  }

  claimGone(node: string, leaseMs: number, edgeId: string | undefined, nowMs: number): string | undefined {
    this.#touch(nowMs)
    const found = edgeId === undefined ? this.#nextGone(nowMs) : this.#held(node, edgeId, nowMs)
    if (found === undefined) return undefined
    found.gone.node = node
    found.gone.claimedUntilMs = nowMs + leaseMs
    return found.id
  }

  settleGone(node: string, edgeId: string, nowMs: number): EdgeList {
    this.#touch(nowMs)
    const held = this.#held(node, edgeId, nowMs)
    if (held?.gone.passed === true) this.#gone.delete(edgeId)
    else if (held !== undefined) Object.assign(held.gone, { passed: true, claimedUntilMs: 0 })
    return this.#list(nowMs)
  }

  #memberOf(peer: string): Member | undefined {
    const named = this.#members.get(peer)
    if (named !== undefined) return named
    const member = this.#members.get(nameOfEdge(peer))
    return member?.edge.id === peer ? member : undefined
  }

  #isHeld({ id, name }: Edge): boolean {
    for (const { streams } of this.#nodes.values())
      if (streams.some(({ peer }) => peer === id || peer === name)) return true
    return false
  }

  #retire({ id, name }: Edge, dueMs: number): void {
    if (this.#gone.size >= MAX_GONE) return
    this.#gone.set(id, { name, dueMs, passed: false, node: '', claimedUntilMs: 0 })
  }

  #nextGone(nowMs: number): { id: string; gone: Gone } | undefined {
    const { edgeSettleMs, edgeKeepMs } = this.#settings
    let next: { id: string; gone: Gone } | undefined
    for (const [id, gone] of this.#gone) {
      const waitMs = gone.passed ? edgeKeepMs : edgeSettleMs
      if (gone.claimedUntilMs > nowMs || nowMs - gone.dueMs < waitMs) continue
      if (next === undefined || gone.dueMs < next.gone.dueMs || (gone.dueMs === next.gone.dueMs && id < next.id))
        next = { id, gone }
    }
    return next
  }

  #held(node: string, id: string, nowMs: number): { id: string; gone: Gone } | undefined {
    const gone = this.#gone.get(id)
    return gone !== undefined && gone.node === node && gone.claimedUntilMs > nowMs ? { id, gone } : undefined
  }

  #touch(nowMs: number): void {
    const silence = nowMs - this.#touchedMs
    const isLost = this.#touchedMs === 0
    const away = !isLost && (silence > this.#settings.edgeFreezeMs || silence < 0) ? silence : 0
    // A table that was lost starts above every revision that it had.
    if (isLost) this.#revision = BigInt(Math.floor(nowMs))
    this.#touchedMs = nowMs
    if (away !== 0) this.#thaw(away, nowMs)
    for (const [name, node] of this.#nodes)
      if (nowMs - node.touchedMs > this.#settings.nodeSilentMs) this.#nodes.delete(name)
    for (const [name, member] of this.#members) this.#look(name, member, nowMs)
  }

  #look(name: string, member: Member, nowMs: number): void {
    if (member.live && member.untilMs <= nowMs) {
      member.live = false
      this.#revision++
    }
    if (!member.live && nowMs - member.untilMs > this.#settings.edgeKeepMs) {
      this.#members.delete(name)
      this.#retire(member.edge, nowMs)
      this.#revision++
    }
  }

  #thaw(away: number, nowMs: number): void {
    for (const member of this.#members.values()) {
      member.untilMs += away
      if (member.live) member.untilMs = Math.max(member.untilMs, nowMs + member.leaseMs)
    }
    for (const gone of this.#gone.values()) {
      gone.dueMs += away
      gone.claimedUntilMs += away
    }
    for (const node of this.#nodes.values()) node.touchedMs += away
  }

  #list(nowMs: number): EdgeList {
    const list: EdgeList = { revision: this.#revision, edges: [], unreachable: [], gone: [] }
    for (const { edge, live, untilMs } of this.#members.values()) {
      const copy = { ...edge, listeners: [...edge.listeners] }
      if (live) list.edges.push(copy)
      else list.unreachable.push({ edge: copy, forMs: nowMs - untilMs })
    }
    for (const [id, { dueMs }] of this.#gone) if (dueMs <= nowMs) list.gone.push(id)
    list.edges.sort((a, b) => (a.name < b.name ? -1 : 1))
    return list
  }
}
