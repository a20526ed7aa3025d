// SPDX-License-Identifier: MIT
//
// How bans get around: this node reads what is new in the store's list, and pushes sources to its edges; they drop what comes from there
// before anything is asked. An edge that opens a stream gets all of them, and all get all of them again now and then, so that nothing depends on one push.
import type { PushHub, policy } from '@tandem/rpc'
import type { Ban, BanStore } from '@tandem/store'
import type { Bans } from './bans.ts'

const POLL_MS = 500
/** The whole list is told again each so many polls. */
const REPEAT_POLLS = 20
const READ_LIMIT = 500
/** Sources of one push. */
const PUSH_LIMIT = 500

export class BanFeed {
  readonly #bans: Bans
  readonly #store: BanStore
  readonly #pushes: PushHub<policy.Push>
  readonly #onBug: (error: unknown) => void
  #revision = 0
  #polls = 0
  #timer: NodeJS.Timeout | undefined
  #polling: Promise<void> | undefined

  constructor(bans: Bans, store: BanStore, pushes: PushHub<policy.Push>, onBug: (error: unknown) => void) {
    this.#bans = bans
    this.#store = store
    this.#pushes = pushes
    this.#onBug = onBug
    bans.onChange = (ban) => this.#tell([ban])
  }

  start(): void {
    if (!this.#bans.isOn) return
    this.#timer ??= setInterval(() => void this.poll().catch(this.#onBug), POLL_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#polling?.catch(() => undefined)
  }

  /** Reads what is new. A slow store delays it; polls never pile up. */
  poll(): Promise<void> {
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = undefined
    })
    return this.#polling
  }

  /** To an edge that has a stream here from now on. */
  greet(peer: string): void {
    for (const push of this.#whole()) this.#pushes.sendTo(peer, push)
  }

  async #poll(): Promise<void> {
    for (let hasMore = true; hasMore; ) {
      const read = await this.#store.readBans(this.#revision, READ_LIMIT)
      if (read.state !== 'stored') break
      hasMore = read.value.hasMore
      const fresh = read.value.bans.filter((ban) => this.#bans.take(ban, false))
      this.#revision = read.value.bans.at(-1)?.revision ?? this.#revision
      this.#tell(fresh)
    }
    this.#polls++
    if (this.#polls % REPEAT_POLLS === 0) for (const push of this.#whole()) this.#pushes.send(push)
  }

  #whole(): policy.Push[] {
    return pushesOf(this.#bans.active())
  }

  #tell(bans: readonly Ban[]): void {
    for (const push of pushesOf(bans)) this.#pushes.send(push)
  }
}

function pushesOf(bans: readonly Ban[]): policy.Push[] {
  const sources = bans
    .filter(({ kind }) => kind === 'source')
    .map(({ source, leftMs, revision }) => ({
      source,
      leftMs: BigInt(Math.ceil(leftMs)),
      revision: BigInt(Math.floor(revision)),
    }))
  const pushes: policy.Push[] = []
  for (let at = 0; at < sources.length; at += PUSH_LIMIT) {
    const value = { sources: sources.slice(at, at + PUSH_LIMIT) }
    pushes.push({ event: { $case: 'bannedSources', value } })
  }
  return pushes
}
