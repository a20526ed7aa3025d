// SPDX-License-Identifier: MIT
//
// OPTIONS to the hosts of trunks that want it. [RFC3261-11.1] Each host is a piece of leased work in the store: one node of all has it pushed to one edge of
// those with a stream here, and whichever node gets what came of it notes it and plans the next. A command that no edge answers says nothing of the trunk: the
// lease ends, and the next edge is asked. A host that fails is looked at sooner, one that is left alone when it may be tried again.
import { randomUUID } from 'node:crypto'
import type { policy } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { edgeFor } from './edge-choice.ts'
import { isAlive } from './outcome.ts'
import type { TrunkHostTerms, TrunkTerms } from './trunk-terms.ts'

/** After the time of a probe, until another edge is asked. */
const LEASE_SLACK_MS = 3_000
/** A host that did not answer is asked again this soon. */
const SOON_MS = 5_000
const NO_EDGE_MS = 1_000
const MAX_LEASE_MS = 36_000
/** Of the time between two probes: hosts are not all asked at once. */
const JITTER = 0.1
const SEPARATOR = '|'

export const probeKey = (trunk: string, host: string): string => ['o', trunk, host].join(SEPARATOR)

export class Probes {
  readonly #context: PolicyContext
  /** Commands of this node that no edge has answered, by key. */
  readonly #unanswered = new Map<string, number>()

  constructor(context: PolicyContext) {
    this.#context = context
  }

  /** Of all hosts that are to be probed. */
  keys(): string[] {
    const keys: string[] = []
    for (const { name, hosts, probe } of this.#context.trunks.terms.values()) {
      if (probe !== undefined) for (const { key } of hosts) keys.push(probeKey(name, key))
    }
    return keys
  }

  get leaseMs(): number {
    return MAX_LEASE_MS
  }

  /** It is due, and this node has it. */
  async do(key: string): Promise<void> {
    const { trunks, pushes, trunkStore, health, counts } = this.#context
    const [, trunk = '', hostKey = ''] = key.split(SEPARATOR)
    const terms = trunks.terms.get(trunk)
    const host = terms?.hosts.find((one) => one.key === hostKey)
    if (terms?.probe === undefined || host === undefined) return
    const passedOver = this.#unanswered.get(key) ?? 0
    const peer = edgeFor(pushes.peers(), key, '', passedOver)
    const inMs = peer === undefined ? NO_EDGE_MS : terms.probe.timeoutMs + LEASE_SLACK_MS
    health.see(await trunkStore.planWork(key, inMs))
    if (peer === undefined) return
    this.#unanswered.set(key, passedOver + 1)
    counts.trunkProbes++
    pushes.sendTo(peer, { event: { $case: 'sendRequest', value: this.#optionsTo(key, terms, host) } })
  }

  /** What came of a probe that some node has pushed. */
  async sent(key: string, { status, tookMs }: policy.SentRequest): Promise<void> {
    const { trunks, trunkStore, health, counts } = this.#context
    this.#unanswered.delete(key)
    const [, trunk = '', host = ''] = key.split(SEPARATOR)
    const terms = trunks.terms.get(trunk)
    if (terms?.probe === undefined || !terms.hosts.some((one) => one.key === host)) return
    const good = isAlive(status)
    if (!good) counts.trunkProbesFailed++
    const { breaker } = terms
    const noted = await trunkStore.noteProbe({ trunk, host, good, status, tookMs, breaker })
    if (!health.see(noted)) return
    if (noted.value) await trunks.changed(trunk, host)
    health.see(await trunkStore.planWork(key, this.#nextMs(terms, host, good)))
  }

  /** The breaker has opened: the next probe says whether it closes. */
  async plan(trunk: string, host: string): Promise<void> {
    const { trunks, trunkStore, health } = this.#context
    const terms = trunks.terms.get(trunk)
    if (terms?.probe === undefined) return
    health.see(await trunkStore.planWork(probeKey(trunk, host), this.#nextMs(terms, host, false)))
  }

  forget(): void {
    const keys = new Set(this.keys())
    for (const key of this.#unanswered.keys()) if (!keys.has(key)) this.#unanswered.delete(key)
  }

  #nextMs({ name, probe, breaker }: TrunkTerms, host: string, good: boolean): number {
    const intervalMs = (probe?.intervalMs ?? 0) * (1 - JITTER + 2 * JITTER * Math.random())
    if (good) return intervalMs
    const view = this.#context.trunks.board.view(name)
    const health = view?.hosts.find((one) => one.host === host)
    const leftMs = health?.state === 'open' ? Math.min(health.leftMs, breaker.openMs) + 50 : 0
    return Math.max(leftMs, Math.min(intervalMs, SOON_MS))
  }

  #optionsTo(key: string, { probe, nextHop }: TrunkTerms, { uri }: TrunkHostTerms): policy.SendRequest {
    const own = this.#context.settings.localHosts[0] ?? 'tandem.invalid'
    return {
      commandId: [key, randomUUID()].join(SEPARATOR),
      method: 'OPTIONS',
      requestUri: uri,
      nextHop,
      from: `<sip:probe@${own.includes(':') && !own.startsWith('[') ? `[${own}]` : own}>`,
      to: `<${uri}>`,
      callId: randomUUID(),
      cseq: 1,
      headers: [{ name: 'Accept', value: 'application/sdp' }],
      contactUser: 'probe',
      timeoutMs: probe?.timeoutMs ?? 0,
    }
  }
}
