// SPDX-License-Identifier: MIT
//
// Wires one edge: callers of location and policy → edge → HTTP. The callers are functions in one process or streams.
import { createEdgeService, type EdgeServiceOptions } from '@tandem/edge'
import type { Caller, LocationMethods, LocationWatch, location, PolicyMethods, policy } from '@tandem/rpc'
import { type EdgeConfig, type HttpRoute, type Logger, Metrics } from '@tandem/service-kit'
import type { Tracing } from '@tandem/telemetry'
import type { Built } from './built.ts'
import { httpPart } from './http.ts'
import { registerTraces } from './traces.ts'

/** What an edge asks; closed when the edge has stopped. */
export interface EdgeCallers {
  readonly location: Caller<LocationMethods, location.Push>
  readonly policy: Caller<PolicyMethods, policy.Push>
  /** Where the edge may keep what location tells it. */
  readonly locationWatch?: LocationWatch | undefined
}

type EdgeService = ReturnType<typeof createEdgeService>

/** `POST /drain`: the edge takes no new calls and says that it is not ready; it goes on with those it has. */
function drainRoute(service: EdgeService, logger: Logger): HttpRoute {
  return (_url, method) => {
    if (method !== 'POST') return { status: 405, body: 'POST only\n', contentType: 'text/plain; charset=utf-8' }
    service.drain().catch((error: unknown) => logger.error({ err: error }, 'drain failed'))
    return { status: 202, body: '{"draining":true}\n' }
  }
}

/** @param warmUpCallers where location and policy are in this process */
export function buildEdge(
  config: EdgeConfig,
  callers: EdgeCallers,
  logger: Logger,
  warmUpCallers?: EdgeServiceOptions['warmUpCallers'],
  tracing?: Tracing,
): Built<EdgeService> {
  const metrics = new Metrics({ service: 'edge', edge: config.id, cluster: config.clusterName })
  registerTraces(metrics, tracing)
  const service = createEdgeService({
    config,
    ...callers,
    logger,
    metrics,
    tracing,
    ...(warmUpCallers === undefined ? {} : { warmUpCallers }),
  })
  const ready = () => service.ready()
  const closeCallers = async () => {
    await Promise.all([callers.location.close(), callers.policy.close()])
  }
  const parts = [
    { name: `${config.id} callers`, stop: closeCallers },
    { name: config.id, start: () => service.start(), drain: () => service.drain(), stop: () => service.stop() },
    httpPart(config.id, {
      address: config.httpAddress,
      port: config.httpPort,
      setting: 'edge.httpPort',
      metrics,
      ready,
      missing: () => service.missing(),
      routes: { '/drain': drainRoute(service, logger) },
    }),
  ]
  return { service, parts, metrics, ready }
}
