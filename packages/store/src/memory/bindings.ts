// SPDX-License-Identifier: MIT
// Bindings of addresses-of-record in memory [RFC3261-10.3], with their expiries and change feeds by shard.
// An update is judged as a whole before anything changes. Bindings stand in the order of their updates.

import { contentHash, inContactOrder, MAX_TOMBSTONES } from '../binding-content.ts'
import type { ChangeFollower, Following } from '../change-follower.ts'
import { type Stored, stored } from '../result.ts'
import { SHARDS, shardOf } from '../shard.ts'
import type { Binding, Bindings, BindingUpdate, ChangePage, EdgeRemoval, RegisterOutcome, Watch } from '../types.ts'
import {
  bindingOf,
  type Changed,
  changedBy,
  type HeldBinding,
  judge,
  needsComparing,
  type Origin,
} from './binding-update.ts'
import { ChangeFeed } from './changes.ts'
import { full, type MemoryContext, SWEEP_PER_OPERATION } from './context.ts'
import { Deadlines, type Timed } from './deadlines.ts'
import type { MemoryWatches } from './watches.ts'

interface Aor extends Timed {
  readonly name: string
  readonly shard: Shard
  bindings: HeldBinding[]
  tombstones: Origin[]
  version: bigint
}

interface Shard {
  readonly feed: ChangeFeed
  readonly expiries: Deadlines<Aor>
  /** Those with bindings behind connections of an edge, by its id. */
  readonly byEdge: Map<string, Set<Aor>>
}

export class MemoryBindings {
  readonly #context: MemoryContext
  readonly #watches: MemoryWatches
  readonly #aors = new Map<string, Aor>()
  readonly #shards: Shard[]
  readonly #followers = new Set<ChangeFollower>()
  #refused = 0

  constructor(context: MemoryContext, watches: MemoryWatches) {
    this.#context = context
    this.#watches = watches
    const onChange = (aor: string, now: number): void => {
      watches.changed(aor, now)
      for (const follower of this.#followers) follower.onChanges([aor])
    }
    this.#shards = Array.from({ length: SHARDS }, () => ({
      feed: new ChangeFeed(context.settings.changesMaxLen, onChange),
      expiries: new Deadlines<Aor>(),
      byEdge: new Map(),
    }))
  }

  register(update: BindingUpdate): Stored<RegisterOutcome> {
    const now = this.#context.now()
    const shard = this.#shard(shardOf(update.aor))
    this.#sweep(shard, now, SWEEP_PER_OPERATION)
    const aor = this.#aors.get(update.aor)
    if (isQuery(update)) return stored(this.#ok(update.aor, now))
    const hash = contentHash(update)
    const verdict = judge(aor?.bindings ?? [], aor?.tombstones ?? [], update, hash, now)
    if (verdict === 'outOfOrder') return stored({ result: 'outOfOrder' })
    if (verdict === 'replay') return stored(this.#ok(update.aor, now))
    return this.#apply(aor, shard, update, hash, now)
  }

  locate(name: string): Stored<Bindings> {
    return stored(this.#live(name, this.#context.now()))
  }

  removeBindings(name: string, uriKeys: readonly string[] = []): Stored<{ removed: number }> {
    const now = this.#context.now()
    const aor = this.#aors.get(name)
    if (aor === undefined) return stored({ removed: 0 })
    const isGone = ({ uriKey, untilMs }: HeldBinding): boolean =>
      untilMs > now && (uriKeys.length === 0 || uriKeys.includes(uriKey))
    const gone = aor.bindings.filter(isGone)
    for (const { contact } of gone) aor.version = aor.shard.feed.add(name, 'remove', contact.uri, 'kick', now)
    const left = aor.bindings.filter((binding) => !gone.includes(binding))
    if (gone.length > 0) this.#settle(aor, left, aor.tombstones, now)
    return stored({ removed: gone.length })
  }

  removeEdge(shard: number, edgeId: string, limit: number): Stored<EdgeRemoval> {
    const now = this.#context.now()
    const removal = { removed: 0, more: false, watched: false }
    const at = this.#shard(shard)
    let left = limit
    for (const aor of at.byEdge.get(edgeId) ?? []) {
      if (left-- === 0) return stored({ ...removal, more: true })
      for (const { contact, untilMs } of aor.bindings) {
        if (contact.flow?.edgeId !== edgeId) continue
        removal.removed++
        const [kind, cause] = untilMs <= now ? (['expire', 'expiry'] as const) : (['remove', 'disconnect'] as const)
        aor.version = at.feed.add(aor.name, kind, contact.uri, cause, now)
      }
      removal.watched ||= this.#watches.has(aor.name, now)
      const live = aor.bindings.filter(({ contact }) => contact.flow?.edgeId !== edgeId)
      this.#settle(aor, live, aor.tombstones, now)
    }
    return stored({ ...removal, more: left === 0 })
  }

  listAors(shard: number): Stored<string[]> {
    const at = this.#shard(shard)
    const names: string[] = []
    for (const aor of this.#aors.values()) if (aor.shard === at) names.push(aor.name)
    return stored(names)
  }

  countAors(shard: number, domain: string): Stored<number> {
    const [at, now] = [this.#shard(shard), this.#context.now()]
    let count = 0
    for (const { shard, name, bindings } of this.#aors.values())
      if (shard === at && isIn(name, domain) && bindings.some(({ untilMs }) => untilMs > now)) count++
    return stored(count)
  }

  expire(shard: number, limit: number): Stored<{ expired: number; more: boolean }> {
    const now = this.#context.now()
    const at = this.#shard(shard)
    const expired = this.#sweep(at, now, limit)
    const next = at.expiries.peek()
    return stored({ expired, more: next !== undefined && next.deadlineMs <= now })
  }

  readChanges(shard: number, after: string | undefined, limit: number): Stored<ChangePage> {
    return stored(this.#shard(shard).feed.read(after, limit))
  }

  /** Each change is told before its operation answers. */
  follow(follower: ChangeFollower): Following {
    this.#followers.add(follower)
    follower.onGap()
    return { toldUntilMs: Number.POSITIVE_INFINITY, stop: () => void this.#followers.delete(follower) }
  }

  readWatch(name: string): Stored<Watch> {
    const now = this.#context.now()
    const aor = this.#aors.get(name)
    const live = aor === undefined ? [] : aor.bindings.filter((held) => held.untilMs > now)
    const tombs = aor === undefined ? [] : aor.tombstones.filter((tomb) => tomb.untilMs > now)
    return stored({
      nowMs: now,
      bindings: live.map((held) => ({ ...bindingOf(held, now), uriKey: held.uriKey, untilMs: held.untilMs })),
      removed: tombs.map(({ uriKey, callId, cseq }) => ({ uriKey, callId, cseq })),
      ...this.#watches.read(name, now),
    })
  }

  tick(): void {
    const now = this.#context.now()
    for (const shard of this.#shards) this.#sweep(shard, now, 1_000)
  }

  counts(): Record<string, number> {
    return { aorCount: this.#aors.size, aorsRefused: this.#refused }
  }

  #shard(index: number): Shard {
    return this.#shards[index & (SHARDS - 1)] as Shard
  }

  #ok(name: string, now: number, added = 0): RegisterOutcome {
    return { result: 'ok', added, ...this.#live(name, now) }
  }

  #live(name: string, now: number): Bindings {
    const aor = this.#aors.get(name)
    if (aor === undefined) return { bindings: [], version: this.#shard(shardOf(name)).feed.version }
    const live: Binding[] = []
    for (const held of aor.bindings) if (held.untilMs > now) live.push(bindingOf(held, now))
    return { bindings: live.length > 1 ? inContactOrder(live) : live, version: aor.version }
  }

  // [RFC3261-10.3] step 7: the binding updates are committed only if all of them succeed.
  #apply(
    found: Aor | undefined,
    shard: Shard,
    update: BindingUpdate,
    hash: string,
    now: number,
  ): Stored<RegisterOutcome> {
    const before = found === undefined ? [] : found.bindings.filter((binding) => binding.untilMs > now)
    if (needsComparing(before, update)) return stored({ result: 'compare', ...this.#live(update.aor, now) })
    const changed = changedBy(before, update, hash, now)
    if (changed === undefined) return stored({ result: 'tooMany' })
    if (changed.removed.length === 0 && changed.news.length === 0) return stored(this.#ok(update.aor, now))
    const aor = found ?? this.#create(update.aor, shard)
    if (aor === undefined) return full('addresses-of-record', this.#context.limits.maxAors)
    this.#announceExpired(aor, now)
    for (const { kind, uri } of changed.news) aor.version = shard.feed.add(aor.name, kind, uri, 'register', now)
    for (const { uri, cause } of changed.removed) aor.version = shard.feed.add(aor.name, 'remove', uri, cause, now)
    this.#settle(aor, changed.bindings, this.#tombstones(aor, changed, now), now)
    const outcome = this.#ok(update.aor, now, changed.news.filter(({ kind }) => kind === 'add').length)
    return stored(this.#watches.has(update.aor, now) ? { ...outcome, watched: true } : outcome)
  }

  #create(name: string, shard: Shard): Aor | undefined {
    if (this.#aors.size >= this.#context.limits.maxAors) {
      this.#refused++
      return undefined
    }
    const aor: Aor = { name, shard, bindings: [], tombstones: [], version: 0n, deadlineMs: 0, heapIndex: -1 }
    this.#aors.set(name, aor)
    return aor
  }

  #tombstones(aor: Aor, changed: Changed, now: number): Origin[] {
    const untilMs = now + this.#context.settings.tombstoneMs
    const kept = aor.tombstones.filter((tomb) => changed.bindings.every((binding) => binding.uriKey !== tomb.uriKey))
    const added = changed.removed.map(({ uriKey, callId, cseq, hash }) => ({ uriKey, callId, cseq, hash, untilMs }))
    return kept.concat(added).slice(-MAX_TOMBSTONES)
  }

  #announceExpired(aor: Aor, now: number): number {
    let expired = 0
    for (const binding of aor.bindings) {
      if (binding.untilMs > now) continue
      aor.version = aor.shard.feed.add(aor.name, 'expire', binding.contact.uri, 'expiry', now)
      expired++
    }
    return expired
  }

  #settle(aor: Aor, bindings: HeldBinding[], tombstones: Origin[], now: number): void {
    reindex(aor, bindings)
    aor.bindings = bindings
    aor.tombstones = tombstones.filter((tomb) => tomb.untilMs > now)
    let nearest = Number.POSITIVE_INFINITY
    for (const binding of aor.bindings) nearest = Math.min(nearest, binding.untilMs)
    for (const tomb of aor.tombstones) nearest = Math.min(nearest, tomb.untilMs)
    if (nearest === Number.POSITIVE_INFINITY) {
      aor.shard.expiries.remove(aor)
      this.#aors.delete(aor.name)
      return
    }
    aor.deadlineMs = nearest
    aor.shard.expiries.set(aor)
  }

  #sweep(shard: Shard, now: number, limit: number): number {
    let expired = 0
    for (let i = 0; i < limit; i++) {
      const aor = shard.expiries.take(now)
      if (aor === undefined) break
      expired += this.#announceExpired(aor, now)
      this.#settle(
        aor,
        aor.bindings.filter((binding) => binding.untilMs > now),
        aor.tombstones,
        now,
      )
    }
    return expired
  }
}

function reindex(aor: Aor, after: readonly HeldBinding[]): void {
  const { byEdge } = aor.shard
  for (const { contact } of aor.bindings) {
    const edgeId = contact.flow?.edgeId ?? ''
    if (edgeId === '') continue
    const aors = byEdge.get(edgeId)
    aors?.delete(aor)
    if (aors?.size === 0) byEdge.delete(edgeId)
  }
  for (const { contact } of after) {
    const edgeId = contact.flow?.edgeId ?? ''
    if (edgeId === '') continue
    const aors = byEdge.get(edgeId)
    if (aors === undefined) byEdge.set(edgeId, new Set([aor]))
    else aors.add(aor)
  }
}

function isQuery({ removeAll, contacts, alsoRemove }: BindingUpdate): boolean {
  return !removeAll && contacts.length === 0 && alsoRemove.length === 0
}

/** Everything is in the domain ''. */
function isIn(aor: string, domain: string): boolean {
  return domain === '' || aor.endsWith(`@${domain}`)
}
