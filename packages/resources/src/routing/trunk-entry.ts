// SPDX-License-Identifier: MIT
//
// A Trunk laid out for calls that go out by it.
import type { RatePlanEntry } from '../account-entry.ts'
import type { NumberPlan } from '../phone-number.ts'
import type { PlanEdit } from '../plan-verdict.ts'
import type { Trunk } from '../trunk.ts'
import { NO_EDITS } from './header-edits.ts'
import type { NumberFormat } from './number-format.ts'
import { type NumberPattern, parsePattern } from './number-pattern.ts'

export interface OutHost {
  /** The same text for probes, breakers and plans. */
  readonly key: string
  readonly host: string
  /** `host:port;transport=tcp;user=phone`, what follows the @ of a Request-URI. */
  readonly place: string
  readonly priority: number
  readonly weight: number
}

export interface CallerRules {
  readonly mode: 'rules' | 'passthrough'
  readonly allowed: readonly NumberPattern[]
  /** '' for none. */
  readonly fallback: string
  readonly required: boolean
  readonly headers: readonly string[]
  /** `tel`, a host, or '' for that of the trunk's host. */
  readonly host: string
}

export interface OutTrunk {
  readonly name: string
  readonly key: string
  readonly enabled: boolean
  readonly trusted: boolean
  /** Its calls need no credentials. */
  readonly inbound: boolean
  /** By priority, then as written. */
  readonly hosts: readonly OutHost[]
  /** '' for none. */
  readonly nextHop: string
  readonly numbersOut: NumberFormat
  readonly numbersIn: NumberFormat
  readonly numberPlan: NumberPlan | undefined
  readonly callerId: CallerRules | undefined
  /** By which it is paid. */
  readonly buyPlan: RatePlanEntry | undefined
  /** Bounds are to be asked for. */
  readonly asks: boolean
  readonly answersChallenges: boolean
  readonly retryStatuses: readonly number[]
  readonly firstResponseMs: number
  /** 0: the proxy's Timer C. */
  readonly ringMs: number
  readonly edits: readonly PlanEdit[]
  readonly inboundEdits: readonly PlanEdit[]
}

/** `carrier.example:5060;udp`, `carrier.example;tls` for one that is found by RFC 3263. */
export function trunkHostKey({ host, port, transport }: Trunk['spec']['hosts'][number]): string {
  return port === undefined ? `${host};${transport}` : `${host}:${port};${transport}`
}

function outHost(one: Trunk['spec']['hosts'][number], userPhone: boolean): OutHost {
  const { host, port, transport, priority, weight } = one
  const address = port === undefined ? host : `${host}:${port}`
  const params = `${transport === 'udp' ? '' : `;transport=${transport}`}${userPhone ? ';user=phone' : ''}`
  return Object.freeze({ key: trunkHostKey(one), host, place: address + params, priority, weight })
}

function callerRules({ callerId }: Trunk['spec']): CallerRules | undefined {
  if (callerId === undefined) return undefined
  const { mode, required, headers, host = '' } = callerId
  const allowed = callerId.allowed.flatMap((text) => parsePattern(text) ?? [])
  return { mode, allowed, fallback: callerId.default ?? '', required, headers, host }
}

/** What is not there of these was refused with the set. */
export interface TrunkParts {
  readonly plans: ReadonlyMap<string, NumberPlan>
  readonly ratePlans: ReadonlyMap<string, RatePlanEntry>
  readonly headers: ReadonlyMap<string, readonly PlanEdit[]>
}

/** No response looks like 408, no connection like 503: after these the next one is always tried. */
const LOST: readonly number[] = [408, 503]

/** A trunk dials nothing for an outside line. */
function trunkPlan(plan: NumberPlan | undefined): NumberPlan | undefined {
  if (plan?.outsideLine === undefined) return plan
  const { outsideLine: _, ...rest } = plan
  return rest
}

export function outTrunk({ metadata, spec }: Trunk, { plans, ratePlans, headers }: TrunkParts): OutTrunk {
  const hosts = spec.hosts.map((one) => outHost(one, spec.userPhone))
  return {
    name: metadata.name,
    key: `Trunk/${metadata.name}`,
    enabled: spec.enabled,
    trusted: spec.trusted,
    inbound: spec.inbound === undefined ? spec.trusted : spec.inbound === 'allow',
    hosts: Object.freeze(hosts.sort((a, b) => a.priority - b.priority)),
    nextHop: spec.outboundProxy ?? '',
    numbersOut: spec.numbersOut,
    numbersIn: spec.numbersIn,
    numberPlan: trunkPlan(plans.get(spec.numberPlan ?? '')),
    callerId: callerRules(spec),
    buyPlan: ratePlans.get(spec.ratePlan ?? ''),
    asks: spec.maxCalls !== undefined || spec.callsPerSecond !== undefined,
    answersChallenges: spec.credentials !== undefined,
    retryStatuses: Object.freeze([...new Set([...spec.retryStatuses, ...LOST])]),
    firstResponseMs: spec.firstResponseMs,
    ringMs: spec.ringMs ?? 0,
    edits: headers.get(spec.headerPolicy ?? '') ?? NO_EDITS,
    inboundEdits: headers.get(spec.inboundHeaderPolicy ?? '') ?? NO_EDITS,
  }
}
