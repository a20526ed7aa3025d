// SPDX-License-Identifier: MIT
//
// The targets of a step, as ways that a request can take: bindings of an AoR from location, URIs by RFC 3263, in the order in which the
// plan and location name them (RFC 3261 section 16.5).
//
// Leaves out watching for bindings that come while it rings: a phone that registers meanwhile is found by the next call.

import type { location, policy, Result } from '@tandem/rpc'
import { type SipMessage, URI_SCHEME } from '@tandem/sip'
import type { TraceScope } from '@tandem/telemetry'
import type { EdgeCore } from '../core.ts'
import { isRegisteredOnly } from '../decide/on-net.ts'
import type { NextHop } from '../hops/hops.ts'
import { isSecureTransport } from '../listeners/edge-streams.ts'
import { locate } from '../location-cache/locate.ts'
import type { PlannedBranch } from './branches.ts'
import type { BranchFacts } from './header-work.ts'
import { isSips } from './request-uri-of.ts'

const NONE: readonly policy.HeaderEdit[] = []

/** One way to a target, and the branch that takes it. */
export class Candidate implements PlannedBranch {
  hop: NextHop
  readonly target: policy.Target
  readonly qMilli: number
  /** AoR and +sip.instance of a binding: of these one is tried at a time [RFC5626-7]. '' where unknown. */
  readonly instance: string
  /** Parameter for History-Info of a Contact whose 3xx was followed; undefined where none was. */
  readonly redirected: string | undefined
  /** UDP in the place of a TCP that failed: it stays UDP whatever the size [RFC3261-18.1.1]. */
  keepsTransport = false
  /** Those of one number ring at once. */
  group = 0
  /** Number of the wave in which it rings; of what follows a 3xx that of who redirected. */
  wave = 0
  /** Its share of Max-Breadth [RFC5393-5.3.3]. */
  breadth = 0
  /** Number of the try at a trunk that it is; -1 where it is none yet. */
  attempt = -1
  /** Answers to a trunk's challenges. */
  credentials: readonly policy.HeaderEdit[] = NONE
  /** Set when it is about to leave. */
  id = ''
  recordRoute = ''

  constructor(hop: NextHop, target: policy.Target, qMilli: number, instance: string, redirected?: string) {
    this.hop = hop
    this.target = target
    this.qMilli = qMilli
    this.instance = instance
    this.redirected = redirected
  }

  /** The same target by another hop. */
  over(hop: NextHop): Candidate {
    const other = new Candidate(hop, this.target, this.qMilli, this.instance, this.redirected)
    other.attempt = this.attempt
    other.wave = this.wave
    other.credentials = this.credentials
    return other
  }

  /** What is known of it for its headers. */
  facts(sourceTrusted: boolean): BranchFacts {
    const { aor, redirected } = this
    const { trusted, retarget } = this.target
    return { sourceTrusted, targetTrusted: trusted, aor, retarget, redirected }
  }

  /** Canonical AoR of the target, '' for a URI. */
  get aor(): string {
    return this.target.where?.$case === 'aor' ? this.target.where.value : ''
  }
}

/**
 * @param status why there is nothing, where that is known: 404, 480, 503; else 0
 * @param headers whole lines for its response
 */
export type OnTargets = (candidates: Candidate[], status: number, headers: string) => void

/** Resolves all targets of a step, and calls back once, in order. Often at once. */
export function resolveTargets(
  core: EdgeCore,
  request: SipMessage,
  targets: readonly policy.Target[],
  onDone: OnTargets,
  trace?: TraceScope,
): void {
  new Resolution(core, request, onDone, trace).run(targets)
}

class Resolution {
  private readonly core: EdgeCore
  private readonly request: SipMessage
  private readonly onDone: OnTargets
  private readonly trace: TraceScope | undefined
  private readonly found: (Candidate | undefined)[][] = []
  private waiting = 1
  private status = 0
  private isPlainLeftOut = false

  constructor(core: EdgeCore, request: SipMessage, onDone: OnTargets, trace: TraceScope | undefined) {
    this.trace = trace
    this.core = core
    this.request = request
    this.onDone = onDone
  }

  run(targets: readonly policy.Target[]): void {
    for (const target of targets) {
      const slot: (Candidate | undefined)[] = []
      this.found.push(slot)
      if (target.where === undefined) continue
      this.waiting += 1
      if (target.where.$case === 'uri') this.resolveUri(target, target.where.value, slot)
      else this.locate(target, target.where.value, slot)
    }
    this.settle()
  }

  private resolveUri(target: policy.Target, uri: string, slot: (Candidate | undefined)[]): void {
    const onHop = (hop: NextHop | undefined): void => {
      if (hop !== undefined) slot.push(new Candidate(hop, target, target.qMilli || 1000, ''))
      this.settle()
    }
    const { nextHop = '' } = target
    if (nextHop === '') this.core.hops.toUri(uri, false, onHop)
    else this.core.hops.toUriBy(nextHop, uri, onHop)
  }

  private locate(target: policy.Target, aor: string, slot: (Candidate | undefined)[]): void {
    const onResult = (result: Result<location.LocateResponse>): void => {
      if (result.outcome === 'done') this.takeBindings(target, aor, result.value.bindings, slot)
      else this.status = 503
      this.settle()
    }
    locate(this.core, aor, onResult, this.trace)
  }

  private takeBindings(
    target: policy.Target,
    aor: string,
    bindings: readonly location.Binding[],
    slot: (Candidate | undefined)[],
  ): void {
    for (const binding of withoutCutOff(this.core, bindings)) {
      if (!isWanted(target, binding) || !this.isSecureEnough(binding)) continue
      const at = slot.push(undefined) - 1
      const { instanceId, qMilli } = binding
      const instance = instanceId === '' ? '' : `${aor} ${instanceId}`
      this.waiting += 1
      this.core.hops.toBinding(binding, this.request, (hop) => {
        if (hop !== undefined) slot[at] = new Candidate(hop, target, qMilli, instance)
        this.settle()
      })
    }
    if (slot.length === 0 && this.status === 0 && isRegisteredOnly(target)) this.status = 503 // policy may know more
    // [RFC5627-6.1a] A temporary GRUU whose registration is over is no address any more.
    if (target.registrationHash !== 0 && slot.length === 0 && this.status === 0) this.status = 404
  }

  /** [RFC5630-5.3abc] A sips request goes to no sip contact, though that be reached over TLS: what is behind it may be none. */
  private isSecureEnough(binding: location.Binding): boolean {
    if (this.request.uriScheme !== URI_SCHEME.SIPS || isSips(binding.uri)) return true
    this.isPlainLeftOut = true
    return false
  }

  private settle(): void {
    this.waiting -= 1
    if (this.waiting > 0) return
    const only = this.found.length === 1 ? (this.found[0] as (Candidate | undefined)[]) : this.found.flat()
    // [RFC3261-26.2.2] [RFC5630-3.1.3] what is sips stays within TLS
    const found = only.includes(undefined) ? only.filter(isFound) : (only as Candidate[])
    if (this.request.uriScheme !== URI_SCHEME.SIPS) return this.onDone(found, this.status, '')
    this.settleSecure(found.filter(({ hop }) => isSecureTransport(hop.flow.transport)))
  }

  private settleSecure(found: Candidate[]): void {
    const isRefused = this.isPlainLeftOut && found.length === 0 && this.status === 0
    const warning = `Warning: 380 ${this.core.config.id} "SIPS Not Allowed"\r\n`
    this.onDone(found, isRefused ? 480 : this.status, isRefused ? warning : '')
  }
}

/**
 * Bindings whose NAT let in an edge that is gone are tried from here, where others most likely can't get in either: so only where the
 * user has no other. [RFC5626-5.3.1] would have them fail as a flow does.
 */
function withoutCutOff(core: EdgeCore, bindings: readonly location.Binding[]): readonly location.Binding[] {
  const { nat } = core.hops
  for (const binding of bindings) {
    if (!nat.isCutOff(binding)) continue
    core.counts.natEdgesGone += 1
    const others = bindings.filter((other) => !nat.isCutOff(other))
    return others.length > 0 ? others : bindings
  }
  return bindings
}

function isFound(candidate: Candidate | undefined): candidate is Candidate {
  return candidate !== undefined
}

/** [RFC5627-5.1] A GRUU means the bindings of one instance, a temporary one those of one registration of it. */
function isWanted(target: policy.Target, binding: location.Binding): boolean {
  const { instanceId, registrationHash } = target
  if (binding.isStatic === true && isRegisteredOnly(target)) return false
  if (instanceId !== '' && binding.instanceId !== instanceId) return false
  return registrationHash === 0 || binding.registrationHash === registrationHash
}
