// SPDX-License-Identifier: MIT
//
// Everything of trunks that a node of policy holds and does: their terms, the board of how they stand, leased work (probes, registrations), and
// counts for metrics. The store has what is shared; a node that dies leaves nothing undone that another does not find.
import { isIP } from 'node:net'
import type { ResourceSet } from '@tandem/resources'
import { done, type policy, type Result } from '@tandem/rpc'
import type { Metrics } from '@tandem/service-kit'
import type { PolicyContext } from '../context.ts'
import { EmergencyFeed } from './emergency-feed.ts'
import type { AttemptVerdict } from './outcome.ts'
import { Probes } from './probes.ts'
import { Registrations } from './registrations.ts'
import { TrunkBoard } from './trunk-board.ts'
import { registerTrunkMetrics, type TrunkCount } from './trunk-metrics.ts'
import { type TrunkTerms, trunksOf } from './trunk-terms.ts'

const WORK_MS = 500
/** Pieces of work that are asked for in one claim. */
const CLAIM_LIMIT = 1_000
const SEPARATOR = '|'

function registersAny(all: ReadonlyMap<string, TrunkTerms>): boolean {
  for (const { registration } of all.values()) if (registration !== undefined) return true
  return false
}

export class TrunkDesk {
  readonly board: TrunkBoard
  readonly registrations: Registrations
  readonly emergency: EmergencyFeed
  readonly #context: PolicyContext
  readonly #probes: Probes
  readonly #onBug: (error: unknown) => void
  readonly #counts = new Map<string, TrunkCount>()
  #terms: ReadonlyMap<string, TrunkTerms>
  #hasRegistrations: boolean
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> | undefined

  /** @param now monotonic milliseconds */
  constructor(
    context: PolicyContext,
    set: ResourceSet,
    { now, onBug, metrics }: { now: () => number; onBug: (error: unknown) => void; metrics: Metrics | undefined },
  ) {
    this.#context = context
    this.#onBug = onBug
    this.#terms = trunksOf(set, context.settings)
    this.#hasRegistrations = registersAny(this.#terms)
    this.board = new TrunkBoard(context, () => this.#terms, { now, onBug })
    this.#probes = new Probes(context)
    this.registrations = new Registrations(context, now)
    this.emergency = new EmergencyFeed(context)
    if (metrics !== undefined) registerTrunkMetrics(metrics, this)
  }

  /** Some trunk registers: calls may come to its contact. */
  get hasRegistrations(): boolean {
    return this.#hasRegistrations
  }

  /** By name. */
  get terms(): ReadonlyMap<string, TrunkTerms> {
    return this.#terms
  }

  /** What became of attempts that were told to this node. */
  get counts(): ReadonlyMap<string, TrunkCount> {
    return this.#counts
  }

  start(): void {
    this.board.start()
    this.emergency.start()
    this.#timer ??= setInterval(() => void this.work().catch(this.#onBug), WORK_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.emergency.stop()
    await this.#working?.catch(() => undefined)
    await this.board.stop()
  }

  replace(set: ResourceSet): void {
    const before = this.#terms
    this.#terms = trunksOf(set, this.#context.settings)
    this.#hasRegistrations = registersAny(this.#terms)
    this.registrations.replaced(before, this.#terms)
    this.#probes.forget()
    this.emergency.changed()
    for (const trunk of this.#counts.keys()) if (!this.#terms.has(trunk)) this.#counts.delete(trunk)
  }

  /** Does what is due of probes and registrations; by itself once started. A slow store delays it. */
  work(): Promise<void> {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
    })
    return this.#working
  }

  /** A breaker has opened, closed, or stays open. */
  async changed(trunk: string, host: string): Promise<void> {
    this.#context.counts.trunkBreakers++
    await this.board.changed(trunk)
    await this.#probes.plan(trunk, host)
  }

  count(trunk: string, verdict: AttemptVerdict): void {
    if (!verdict.seized || !this.#terms.has(trunk)) return
    const count = this.#counts.get(trunk) ?? { answered: 0, effective: 0, failed: 0 }
    this.#counts.set(trunk, count)
    if (verdict.answered) count.answered++
    else if (verdict.effective) count.effective++
    else count.failed++
  }

  /** A call that this trunk had answered is over. Nobody waits for it: what is lost here is found when its lease is over. */
  callEnded(ref: string, { name, talkMs }: { readonly name: string; readonly talkMs: number }): void {
    const { trunkStore, settings, health } = this.#context
    Promise.resolve(trunkStore.endCall(name, ref, talkMs, settings.trunks.qualityWindowMs)).then(
      (ended) => health.see(ended),
      this.#onBug,
    )
  }

  /** What came of a request of ours, whichever node pushed it. */
  async sent(request: policy.SentRequest): Promise<Result<policy.SentResponse>> {
    const [kind, trunk = '', host = ''] = request.commandId.split(SEPARATOR)
    if (kind === 'o') await this.#probes.sent([kind, trunk, host].join(SEPARATOR), request)
    else if (kind === 'r') await this.registrations.sent(trunk, request)
    return done({})
  }

  /**
   * The trunk that has registered this Contact, where the request comes from there: the user part is a token that only the registrar
   * was told, or the address is one of the trunk's. undefined: none has.
   *
   * @param user user part of the Request-URI
   * @param isOfTrunk whether the sender is known to be the trunk by its address or certificate
   */
  trunkOfContact(user: string, source: string, isOfTrunk: (trunk: string) => boolean): string | undefined {
    for (const { name, registration, addresses } of this.#terms.values()) {
      if (registration === undefined || !registration.contactUsers.includes(user)) continue
      const known = addresses.filter((address) => isIP(address) !== 0)
      const fits = registration.isToken ? known.length === 0 || known.length < addresses.length : false
      if (fits || known.includes(source) || isOfTrunk(name)) return name
    }
    return undefined
  }

  async #work(): Promise<void> {
    await this.registrations.findStrays()
    await this.#claim(this.#probes.keys(), this.#probes.leaseMs, (key) => this.#probes.do(key))
    await this.#claim(this.registrations.keys(), this.registrations.leaseMs, (key) => this.registrations.do(key))
  }

  async #claim(keys: readonly string[], leaseMs: number, act: (key: string) => Promise<void>): Promise<void> {
    if (keys.length === 0 || this.#context.pushes.peers().length === 0) return
    for (let at = 0; at < keys.length; at += CLAIM_LIMIT) {
      const claimed = await this.#context.trunkStore.claimWork(keys.slice(at, at + CLAIM_LIMIT), leaseMs)
      if (!this.#context.health.see(claimed)) return
      for (const key of claimed.value) await act(key)
    }
  }
}
