// SPDX-License-Identifier: MIT
//
// Whoever guesses passwords is banned, for longer each time. Counted are wrong passwords, and passwords of users that do not exist, alike:
//
//   pair     a user from one source: what a phone with an old password, or somebody who guesses one, runs into first
//   source   all that comes from an address (an IPv4 address, an IPv6 /64): who guesses of many, or goes on while banned
//   user     a user from everywhere: guesses of a crowd; spared is wherever he proved himself lately, so that he is not locked out by them
//
// Only what is guessed over a nonce that was given to that very source counts (digest/nonce.ts), so that nobody is banned by packets in his
// name. A success forgets the failures of that user from that source, within the script that checks the nonce count: no guess of a crowd is
// forgiven because the user's own phone registers.
//
// Two steps, counting and banning, on different slots: who dies between them leaves a count that the next failure finds too high again.
// Bans of other nodes are read from the list at each poll (ban-feed.ts). While the store is away this node counts in a store of its own, by setting; such bans
// end by themselves, and are known to this node and its edges alone.
// Bound: MAX_COUNTING failures on their way to the store; further ones are not counted, and that is.
import { BlockList } from 'node:net'
import type { policy } from '@tandem/rpc'
import { type Logger, sourceKeyOf } from '@tandem/service-kit'
import type { Ban, BanKind, BanStore, BanTarget, BanTerms, Eventual, Failure } from '@tandem/store'
import type { PolicyCounts } from '../counts.ts'
import type { PolicySettings } from '../options.ts'
import { BanBook } from './ban-book.ts'
import { RecentMarks } from './recent-marks.ts'

export interface BansOptions {
  readonly store: BanStore
  /** Where this node counts while the other one is away. */
  readonly local: BanStore
  readonly settings: PolicySettings['bans']
  readonly counts: PolicyCounts
  readonly logger: Pick<Logger, 'warn'>
  /** Monotonic. */
  readonly now: () => number
  readonly onBug: (error: unknown) => void
}

const MAX_COUNTING = 1_000
/** Keys of addresses that are at hand. */
const MAX_KEYS = 20_000
const MAX_USER_CHARS = 120
/** A success is noted again after this part of the time for which it counts. */
const NOTE_AGAIN = 4

/** @returns `alice@example.test`: as failures are counted of, and as a person reads it */
export function banUserOf(username: string, realm: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return `${username.slice(0, MAX_USER_CHARS)}@${realm.slice(0, 60)}`.replace(/[|\u0000-\u001f\u007f]/g, '?')
}

export class Bans {
  readonly book = new BanBook()
  readonly #options: BansOptions
  readonly #allowed = new BlockList()
  readonly #keys = new Map<string, string>()
  readonly #good = new RecentMarks()
  #counting = 0
  /** A ban was made or lifted here. */
  onChange: (ban: Ban) => void = () => undefined

  constructor(options: BansOptions) {
    this.#options = options
    for (const network of options.settings.allow) {
      const [address = '', bits = ''] = network.split('/')
      this.#allowed.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4')
    }
  }

  get isOn(): boolean {
    return this.#options.settings.enabled
  }

  /** Key of the source of a request; '' where nothing is counted of it. */
  sourceOf(source: policy.Source | undefined): string {
    const address = source?.address ?? ''
    if (address === '' || !this.isOn) return ''
    const known = this.#keys.get(address)
    if (known !== undefined) return known
    const key = this.isAllowed(address) ? '' : sourceKeyOf(address)
    if (this.#keys.size >= MAX_KEYS) this.#keys.clear()
    this.#keys.set(address, key)
    return key
  }

  isAllowed(address: string): boolean {
    const key = sourceKeyOf(address)
    return key !== '' && this.#allowed.check(address.split('%')[0] as string, key.includes(':') ? 'ipv6' : 'ipv4')
  }

  isSourceBanned(source: string): boolean {
    return source !== '' && this.book.size > 0 && this.#find('source', source, '') !== undefined
  }

  /** Asks whether a name's credentials from there may be looked at; undefined: everybody's may. */
  barrier(source: string, realm: string): ((username: string) => boolean) | undefined {
    if (source === '' || this.book.size === 0) return undefined
    return (username) => {
      const user = banUserOf(username, realm)
      if (this.#find('pair', source, user) !== undefined) return true
      return this.#find('user', '', user) !== undefined && !this.#isKnownGood(source, user)
    }
  }

  /** Whether a user who is barred is spared there: where that is not known here, the store is asked. */
  async isSpared(source: string, user: string): Promise<boolean> {
    if (this.#find('pair', source, user) !== undefined) return false
    const mark = markOf(source, user)
    const good = await this.#options.store.isGood(mark, this.#options.settings.spareMs)
    const isGood = good.state === 'stored' && good.value
    if (isGood) this.#good.add(mark, this.#options.now())
    return isGood
  }

  /** A password was wrong. Nobody waits for it. */
  failed(failure: Failure): void {
    if (failure.source === '') return
    this.#options.counts.failures++
    this.#count(async () => {
      await Promise.all([this.#countUser(failure), this.#countSource(failure)])
    })
  }

  /** A token came that nobody whom the domain believes has signed. It names no user for certain: its source alone counts. */
  forgedToken(failure: Failure): void {
    if (failure.source === '' || !this.#options.settings.tokens) return
    this.#options.counts.failures++
    this.#count(() => this.#countSource(failure))
  }

  /** Somebody who is banned as a user, or from there, tried on. */
  triedOn(failure: Failure): void {
    this.#options.counts.bannedAttempts++
    this.#count(() => this.#countSource(failure))
  }

  /** Somebody proved himself: noted in the store, once in a while. */
  succeeded(source: string, user: string): void {
    const { settings, now } = this.#options
    if (source === '' || settings.userFailures === 0) return
    const mark = markOf(source, user)
    const nowMs = now()
    if (this.#good.has(mark, settings.spareMs / NOTE_AGAIN, nowMs)) return
    this.#good.add(mark, nowMs)
    this.#count(async () => {
      const { store } = this.#options
      await Promise.all([store.noteGood(mark, settings.spareMs), store.noteGood(source, settings.spareMs)])
    })
  }

  get terms(): BanTerms {
    const { firstMs, maxMs, forgetMs, maxBans } = this.#options.settings
    return { firstMs, maxMs, forgetMs, maxBans }
  }

  /** Takes what the store, or this node's own counting, says of a ban. */
  take(ban: Ban, isLocal: boolean): boolean {
    if (ban.kind === 'source' && ban.leftMs > 0 && this.isAllowed(ban.source.replace('/64', ''))) return false
    return this.book.take(ban, this.#options.now(), isLocal)
  }

  /** Those that have not ended. */
  active() {
    return this.book.active(this.#options.now())
  }

  countOf(kind: BanKind): number {
    this.book.sweep(this.#options.now())
    return this.book.countOf(kind)
  }

  /** A ban that this node made for itself is over. */
  forget({ kind, source, user }: BanTarget): void {
    const ban = this.#find(kind, source, user)
    if (ban?.isLocal !== true) return
    const over = { ...ban, leftMs: 0, revision: ban.revision + 1 }
    if (this.take(over, true)) this.onChange(over)
  }

  #find(kind: BanKind, source: string, user: string) {
    return this.book.find(kind, source, user, this.#options.now())
  }

  #isKnownGood(source: string, user: string): boolean {
    return this.#good.has(markOf(source, user), this.#options.settings.spareMs, this.#options.now())
  }

  #count(act: () => Promise<void>): void {
    if (this.#counting >= MAX_COUNTING) {
      this.#options.counts.failuresUncounted++
      return
    }
    this.#counting++
    act()
      .catch(this.#options.onBug)
      .finally(() => {
        this.#counting--
      })
  }

  async #countUser(failure: Failure): Promise<void> {
    const { settings } = this.#options
    const { source, user } = failure
    await this.#ask(
      (store) => store.noteUserFailure(failure, settings.windowMs),
      async (counted, store) => {
        if (reaches(counted.pair, settings.pairFailures)) await this.#ban(store, { kind: 'pair', source, user })
        if (reaches(counted.user, settings.userFailures)) await this.#ban(store, { kind: 'user', source: '', user })
      },
    )
  }

  async #countSource(failure: Failure): Promise<void> {
    const { windowMs, pairFailures, sourceFailures, spareMs } = this.#options.settings
    const cap = { perUser: pairFailures || sourceFailures, keepMs: spareMs }
    await this.#ask(
      (store) => store.noteSourceFailure(failure, windowMs, cap),
      async (count, store) => {
        if (reaches(count, sourceFailures)) await this.#ban(store, { kind: 'source', source: failure.source, user: '' })
      },
    )
  }

  /** The cluster's store, or this node's own where that one does not answer. */
  async #ask<T>(
    ask: (store: BanStore) => Eventual<T>,
    then: (value: T, store: BanStore) => Promise<void>,
  ): Promise<void> {
    const { store, local, settings, counts } = this.#options
    const result = await ask(store)
    if (result.state === 'stored') return then(result.value, store)
    if (settings.withoutStore === 'off') {
      counts.failuresUncounted++
      return
    }
    const counted = await ask(local)
    if (counted.state === 'stored') await then(counted.value, local)
  }

  async #ban(store: BanStore, target: BanTarget): Promise<void> {
    if (this.#find(target.kind, target.source, target.user) !== undefined) return
    const result = await store.ban(target, this.terms)
    if (result.state !== 'stored') return
    const isLocal = store === this.#options.local
    if (!this.take(result.value, isLocal)) return
    this.#tell(result.value, isLocal)
    this.onChange(result.value)
  }

  #tell({ kind, source, user, level, leftMs }: Ban, isLocal: boolean): void {
    const { counts, logger } = this.#options
    counts.bans++
    logger.warn(
      { event: 'ban', kind, source, user, level, forMs: leftMs, local: isLocal },
      'banned for wrong passwords',
    )
  }
}

const reaches = (count: number, threshold: number): boolean => threshold > 0 && count >= threshold
const markOf = (source: string, user: string): string => `${user} ${source}`
