// SPDX-License-Identifier: MIT
//
// What an edge is made from.
import type { Caller, LocationMethods, LocationWatch, location, PolicyMethods, policy } from '@tandem/rpc'
import type { EdgeConfig, Logger, Metrics } from '@tandem/service-kit'
import type { Tracing } from '@tandem/telemetry'

/** What the calls of a warm-up ask. */
export interface WarmUpCallers {
  readonly location: Caller<LocationMethods, location.Push>
  readonly policy: Caller<PolicyMethods, policy.Push>
  /** When they are over. */
  close(): Promise<void>
}

export interface EdgeServiceOptions {
  readonly config: EdgeConfig
  readonly location: Caller<LocationMethods, location.Push>
  readonly policy: Caller<PolicyMethods, policy.Push>
  /** Tells which bindings change, so that they can be kept. Absent: location is asked each time. Closed by stop(). */
  readonly locationWatch?: LocationWatch | undefined
  readonly logger: Logger
  readonly metrics?: Metrics
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing | undefined
  /**
   * Where location and policy run in this process: some of their own for a warm-up, over a store that is thrown away, which let `user`
   * register at and call each other in `domain`.
   */
  readonly warmUpCallers?: (user: string, domain: string) => Promise<WarmUpCallers>
}
