// SPDX-License-Identifier: MIT
//
// Where an address-of-record can be reached, for requests on their way to it: out of the cache where this edge has one, else asked
// of location. Who takes bindings out, or looks after them (flow-end.ts, nat-pings.ts), asks location itself.

import type { location, OnResult } from '@tandem/rpc'
import type { TraceScope } from '@tandem/telemetry'
import type { EdgeCore } from '../core.ts'

/** @param onResult often called within; nobody writes into what it gets */
export function locate(
  core: EdgeCore,
  aor: string,
  onResult: OnResult<location.LocateResponse>,
  trace?: TraceScope,
): void {
  const { locationCache } = core
  if (locationCache === undefined) core.location.call('locate', { aor }, core.config.rpc.timeoutMs, onResult, trace)
  else locationCache.locate(aor, onResult, trace)
}

/** The same for an answer that tells for how long its bindings hold. */
export function locateAged(core: EdgeCore, aor: string, onResult: OnResult<location.LocateResponse>): void {
  const { locationCache } = core
  if (locationCache === undefined) core.location.call('locate', { aor }, core.config.rpc.timeoutMs, onResult)
  else locationCache.locateAged(aor, onResult)
}
