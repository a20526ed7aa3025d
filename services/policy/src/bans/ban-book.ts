// SPDX-License-Identifier: MIT
//
// The bans that this node knows of, for questions that must not wait. Filled from the store's list, and by its own counting while the store is
// away. Bounded as that list is; what has ended goes when it is met, and at each sweep.
import type { Ban, BanKind } from '@tandem/store'

export interface KnownBan extends Ban {
  /** On this node's monotonic clock. */
  readonly untilMs: number
  /** Counted by this node alone. */
  readonly isLocal: boolean
}

export class BanBook {
  readonly #bans = new Map<string, KnownBan>()

  get size(): number {
    return this.#bans.size
  }

  /** @returns whether something is banned now, or not any more, that was not */
  take(ban: Ban, nowMs: number, isLocal: boolean): boolean {
    const id = idOf(ban.kind, ban.source, ban.user)
    const held = this.#bans.get(id)
    if (held !== undefined && isOutdated(ban, held, isLocal, nowMs)) return false
    if (ban.leftMs > 0) this.#bans.set(id, { ...ban, untilMs: nowMs + ban.leftMs, isLocal })
    else return this.#bans.delete(id)
    return true
  }

  find(kind: BanKind, source: string, user: string, nowMs: number): KnownBan | undefined {
    const id = idOf(kind, source, user)
    const ban = this.#bans.get(id)
    if (ban === undefined || ban.untilMs > nowMs) return ban
    this.#bans.delete(id)
    return undefined
  }

  /** Those that have not ended, with what is left of them. */
  active(nowMs: number): KnownBan[] {
    this.sweep(nowMs)
    return Array.from(this.#bans.values(), (ban) => ({ ...ban, leftMs: Math.ceil(ban.untilMs - nowMs) }))
  }

  countOf(kind: BanKind): number {
    let count = 0
    for (const ban of this.#bans.values()) if (ban.kind === kind) count++
    return count
  }

  sweep(nowMs: number): void {
    for (const [id, { untilMs }] of this.#bans) if (untilMs <= nowMs) this.#bans.delete(id)
  }
}

/** What the store says counts more than what was counted here; of two words of the store the later. */
function isOutdated(ban: Ban, held: KnownBan, isLocal: boolean, nowMs: number): boolean {
  if (isLocal && !held.isLocal) return held.untilMs > nowMs
  return isLocal === held.isLocal && ban.revision < held.revision
}

const idOf = (kind: BanKind, source: string, user: string): string => `${kind}|${source}|${user}`
