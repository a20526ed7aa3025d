// SPDX-License-Identifier: MIT
//
// The two bindings of an edge to its services: function calls in one process, batched gRPC streams between processes.

import type { LocationService } from '@tandem/location'
import type { PolicyService } from '@tandem/policy'
import {
  createInProcess,
  createInProcessLocationWatch,
  createLocationWatch,
  createStreamCaller,
  headlessAddresses,
  type LocationWatch,
  locationService,
  policyService,
  type StreamCallerOptions,
} from '@tandem/rpc'
import type { EdgeConfig, Logger } from '@tandem/service-kit'
import type { Tracing } from '@tandem/telemetry'
import { logBugs } from './built.ts'
import type { EdgeCallers } from './edge.ts'
import type { RpcSecurity } from './rpc-tls.ts'
import { tracerOf } from './traces.ts'

interface Services {
  readonly location: LocationService
  readonly policy: PolicyService
}

export function inProcessCallers(
  services: Services,
  config: EdgeConfig,
  logger: Logger,
  tracing?: Tracing,
): EdgeCallers {
  const tracer = (service: string) => tracerOf(tracing, service, config.clusterName, service)
  const common = { peer: config.id, maxInFlight: config.rpc.maxPendingItems, onBug: logBugs(logger) }
  const { handlers, pushes, hooks } = services.location
  return {
    location: createInProcess(locationService, handlers, {
      ...common,
      ...hooks,
      pushes,
      tracer: tracer('location'),
    }),
    policy: createInProcess(policyService, services.policy.handlers, {
      ...common,
      ...services.policy.hooks,
      pushes: services.policy.pushes,
      tracer: tracer('policy'),
    }),
  }
}

/** An embedded store answers as fast as a cache would: there the edge keeps what it is told only where it is asked to. */
export function inProcessWatch(
  { location }: Services,
  config: EdgeConfig,
  storeUrl: string,
): LocationWatch | undefined {
  const { mode } = config.locationCache
  const pays = mode === 'on' || (mode === 'auto' && storeUrl !== 'memory')
  return pays ? createInProcessLocationWatch(location.changes) : undefined
}

/** `host:port` as host and port; IPv6 in brackets. */
export function parseTarget(target: string): { host: string; port: number } {
  const at = target.lastIndexOf(':')
  return { host: target.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(target.slice(at + 1)) }
}

/** Every address behind each name: headless services have one per replica. */
function replicas(targets: string): () => Promise<string[]> {
  const all = targets.split(',').map((target) => {
    const { host, port } = parseTarget(target.trim())
    return headlessAddresses(host, port)
  })
  // One name that can't be looked up leaves all as they are.
  return async () => [...new Set((await Promise.all(all.map((addresses) => addresses()))).flat())]
}

export function streamOptions(rpc: EdgeConfig['rpc'], peer: string, logger: Logger): StreamCallerOptions {
  const { batchWindowMs, maxBatchItems, maxPendingItems } = rpc
  const onUnary = (address: string) =>
    logger.info({ address }, 'the service there has no stream: asking it by unary calls, each several times as dear')
  return { peer, batchWindowMs, maxBatchItems, maxQueueItems: maxPendingItems, onBug: logBugs(logger), onUnary }
}

/** Of policy's nodes: which of them are left alone for a while. */
function circuitOf({ decide: { breaker, hedgeShare } }: EdgeConfig): Pick<StreamCallerOptions, 'circuit'> {
  const { enabled, ...settings } = breaker
  return enabled ? { circuit: { ...settings, hedgeShare } } : {}
}

export function streamCallers(config: EdgeConfig, logger: Logger, security?: RpcSecurity): EdgeCallers {
  const common = streamOptions(config.rpc, config.id, logger)
  const options = { ...common, ...security?.toward(config.locationTarget) }
  const toPolicy = { ...common, ...circuitOf(config), ...security?.toward(config.policyTarget) }
  return {
    location: createStreamCaller(locationService, replicas(config.locationTarget), options),
    policy: createStreamCaller(policyService, replicas(config.policyTarget), toPolicy),
    locationWatch: createLocationWatch(replicas(config.locationTarget), options),
  }
}
