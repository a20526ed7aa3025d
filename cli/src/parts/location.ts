// SPDX-License-Identifier: MIT
//
// Wires the location service: store and contacts by configuration → handlers → gRPC → HTTP.
import { createLocationService, type LocationService } from '@tandem/location'
import { type ResourceSet, staticBindings } from '@tandem/resources'
import { createRpcServer, serveHealth, serveLocation, serveLocationWatch } from '@tandem/rpc'
import { gatedOnce, type LocationConfig, type Logger } from '@tandem/service-kit'
import type { Store } from '@tandem/store'
import type { ServerTracer, ServiceTracer, Tracing } from '@tandem/telemetry'
import { type Built, logBugs, rpcPart, serviceMetrics } from './built.ts'
import { httpPart } from './http.ts'
import { type RpcSecurity, serverSecurity } from './rpc-tls.ts'
import { ContactFollower } from './static-contacts.ts'
import { registerStoreMetrics } from './store-metrics.ts'
import { instanceName, registerTraces, tracerOf } from './traces.ts'

/** Of the embedded store, which counts as it goes. */
function countOf(store: Store, name: string): (() => number) | undefined {
  return store.counts()[name] === undefined ? undefined : () => store.counts()[name] ?? 0
}

/** What edges say of failed calls is told to all edges: others may hold spans of them. */
function tellingEdges(tracer: ServiceTracer | undefined, { pushes }: LocationService): ServerTracer | undefined {
  if (tracer === undefined) return undefined
  return {
    server: (...about) => tracer.server(...about),
    keep: (traceIds) => {
      tracer.keep(traceIds)
      pushes.send({ event: { $case: 'keptTraces', value: { traceIds } } })
    },
  }
}

/** @param resources only the contacts of subscribers are used, no secret */
export function buildLocation(
  config: LocationConfig,
  resources: Pick<ResourceSet, 'resources'>,
  store: Store,
  logger: Logger,
  security?: RpcSecurity,
  tracing?: Tracing,
): Built<LocationService> {
  const metrics = serviceMetrics('location', config.clusterName)
  const staticContacts = staticBindings(resources.resources)
  const registeredNow = countOf(store, 'aorCount')
  const service = createLocationService({
    store: store.location,
    config,
    logger,
    metrics,
    staticContacts,
    registeredNow,
  })
  registerStoreMetrics(metrics, store)
  registerTraces(metrics, tracing)
  const server = createRpcServer({ onBug: logBugs(logger), ...serverSecurity(security, config.bindAddress, logger) })
  const ready = gatedOnce(
    () => true,
    () => service.ready(),
  )
  const tracer = tellingEdges(tracerOf(tracing, 'location', config.clusterName, instanceName()), service)
  serveLocation(server, { ...service.handlers, ...service.unary }, { pushes: service.pushes, ...service.hooks, tracer })
  serveLocationWatch(server, service.changes)
  serveHealth(server, () => service.ready())
  const { bindAddress: address, grpcPort, httpPort } = config
  const follower = new ContactFollower(store.resources, logger, (contacts) => service.replaceStaticContacts(contacts))
  const parts = [
    follower,
    { name: 'location', start: () => service.start(), stop: () => service.stop() },
    rpcPart(server, { name: 'location', address, port: grpcPort, setting: 'location.grpcPort' }),
    httpPart('location', { address, port: httpPort, setting: 'location.httpPort', metrics, ready }),
  ]
  return { service, parts, metrics, ready }
}
