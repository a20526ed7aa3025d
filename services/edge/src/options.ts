// SPDX-License-Identifier: MIT
//
// What an edge is made from.
import type { Caller, LocationMethods, location, PolicyMethods, policy } from '@tandem/rpc'
import type { EdgeConfig, Logger, Metrics } from '@tandem/service-kit'

export interface EdgeServiceOptions {
  readonly config: EdgeConfig
  readonly location: Caller<LocationMethods, location.Push>
  readonly policy: Caller<PolicyMethods, policy.Push>
  readonly logger: Logger
  readonly metrics?: Metrics
}
