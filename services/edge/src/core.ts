// SPDX-License-Identifier: MIT
//
// What the handlers of an edge share. Wired once in service.ts; handlers take it as their only dependency.

import type { Caller, LocationMethods, location, PolicyMethods, policy } from '@tandem/rpc'
import type { EdgeConfig, Logger } from '@tandem/service-kit'
import type { Edits, KeyRing, RouteOwner, StatefulProxy, TransactionLayer, VerifiedToken } from '@tandem/sip'
import type { Reporter } from './accounting/reporter.ts'
import type { BannedSources } from './admission/banned-sources.ts'
import type { Admission } from './admission/index.ts'
import type { AnyEdge } from './any-edge/any-edge.ts'
import type { EdgeCounts } from './counts.ts'
import type { Decisions } from './decide/decisions.ts'
import type { Hops } from './hops/hops.ts'
import type { EdgePeer } from './listeners/peers.ts'
import type { Unreachables } from './listeners/unreachable.ts'
import type { LocationCache } from './location-cache/location-cache.ts'
import type { CallLog } from './log/call-log.ts'
import type { Measures } from './measures.ts'
import type { Membership } from './membership/membership.ts'
import type { NatPings } from './nat/nat-pings.ts'
import type { StatelessWays } from './stateless/stateless-ways.ts'
import type { EdgeTracing } from './tracing/edge-tracing.ts'

export interface EdgeCore {
  readonly config: EdgeConfig
  /** Name and incarnation: a restart is another edge. */
  readonly edgeId: string
  readonly edgeHash: number
  readonly layer: TransactionLayer
  readonly proxy: StatefulProxy
  readonly policy: Caller<PolicyMethods, policy.Push>
  /** Whether requests may pass, and whither: by policy, or by the failure mode. */
  readonly decisions: Decisions
  readonly location: Caller<LocationMethods, location.Push>
  /** Bindings that were asked for lately; undefined where it would not pay. */
  readonly locationCache: LocationCache | undefined
  readonly hops: Hops
  /** The cluster's keys for branches and tokens. */
  readonly ring: KeyRing
  readonly routeOwner: RouteOwner<VerifiedToken>
  readonly membership: Membership
  readonly reporter: Reporter
  /** For messages of transactions that other edges run. */
  readonly anyEdge: AnyEdge
  /** Where requests without a transaction went. */
  readonly statelessWays: StatelessWays
  /** Bindings behind a NAT that this edge keeps open. */
  readonly natPings: NatPings
  /** Which new requests are taken under overload. */
  readonly admission: Admission
  /** Whom nothing new is taken from. */
  readonly banned: BannedSources
  /** What ICMP says of destinations. */
  readonly unreachables: Unreachables
  /** Undefined where nothing is traced. */
  readonly tracing: EdgeTracing | undefined
  /** Undefined where no line is written of calls and refusals. */
  readonly callLog: CallLog | undefined
  readonly counts: EdgeCounts
  readonly measures: Measures
  readonly logger: Logger
  /** Scratch, each used within one synchronous stretch only. */
  readonly edits: Edits
  readonly out: Buffer
  /** Monotonic milliseconds. */
  now(): number
}

/** Writes the request that `edits` holds and sends it, outside of any transaction. False when the bytes were not taken. */
export function sendEdited(core: EdgeCore, peer: EdgePeer, method: number): boolean {
  core.layer.traffic.requestOut(method)
  const end = core.edits.encodeInto(core.out, 0)
  return peer.send(core.out, 0, end)
}
