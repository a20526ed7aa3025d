// SPDX-License-Identifier: MIT
// Edge membership as arithmetic on a small table: leases, incarnations, freezing, revision. The memory store keeps the
// table; the Redis store does the same inside a script (redis/scripts/membership.ts) and the contract suite holds the two
// together.
// Leases run only while somebody reaches the store: when nobody touched the table for edgeFreezeMs, it was away, and every
// lease is given what it had left, or a whole one if that is more.

import type { StoreSettings } from './store.ts'
import type { Edge, EdgeList, LeaseOutcome } from './types.ts'

interface Member {
  edge: Edge
  description: string
  leaseMs: number
  untilMs: number
  /** The lease held when last looked at. */
  live: boolean
}

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
    if (known !== undefined && isNewerIncarnation(known.edge.incarnation, edge.incarnation))
      return { accepted: false, list: this.#list(nowMs) }
    const description = JSON.stringify(edge)
    if (known === undefined || !known.live || known.description !== description) this.#revision++
    this.#members.set(edge.name, { edge, description, leaseMs, untilMs: nowMs + leaseMs, live: true })
    return { accepted: true, list: this.#list(nowMs) }
  }

  leave(edgeId: string, nowMs: number): EdgeList {
    this.#touch(nowMs)
    const name = nameOfEdge(edgeId)
    if (this.#members.get(name)?.edge.id === edgeId) {
      this.#members.delete(name)
      this.#revision++
    }
    return this.#list(nowMs)
  }

  list(nowMs: number): EdgeList {
    this.#touch(nowMs)
    return this.#list(nowMs)
  }

  #touch(nowMs: number): void {
    const silence = nowMs - this.#touchedMs
    const away = this.#touchedMs > 0 && silence > this.#settings.edgeFreezeMs ? silence : 0
    // A table that was lost starts above every revision that it had.
    if (this.#touchedMs === 0) this.#revision = BigInt(Math.floor(nowMs))
    this.#touchedMs = nowMs
    for (const [name, member] of this.#members) {
      if (away > 0) thaw(member, away, nowMs)
      if (member.live && member.untilMs <= nowMs) {
        member.live = false
        this.#revision++
      }
      if (!member.live && nowMs - member.untilMs > this.#settings.edgeKeepMs) {
        this.#members.delete(name)
        this.#revision++
      }
    }
  }

  #list(nowMs: number): EdgeList {
    const list: EdgeList = { revision: this.#revision, edges: [], unreachable: [] }
    for (const { edge, live, untilMs } of this.#members.values()) {
      const copy = { ...edge, listeners: [...edge.listeners] }
      if (live) list.edges.push(copy)
      else list.unreachable.push({ edge: copy, forMs: nowMs - untilMs })
    }
    list.edges.sort((a, b) => (a.name < b.name ? -1 : 1))
    return list
  }
}

function thaw(member: Member, awayMs: number, nowMs: number): void {
  member.untilMs += awayMs
  if (member.live) member.untilMs = Math.max(member.untilMs, nowMs + member.leaseMs)
}
