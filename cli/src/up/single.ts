// SPDX-License-Identifier: MIT
//
// The whole cluster in one process: calls between the parts are function calls. The gRPC ports are open all the same, for
// the administrative commands and for edges elsewhere. One store is shared by location and policy.
import { createInProcessRecordFeed } from '@tandem/rpc'
import {
  type Config,
  createLogger,
  edgeConfig,
  type Logger,
  locationConfig,
  type Part,
  policyConfig,
  recordsConfig,
} from '@tandem/service-kit'
import { inProcessCallers, inProcessWatch } from '../parts/callers.ts'
import { buildConsole, localConsole } from '../parts/console.ts'
import { buildEdge } from '../parts/edge.ts'
import { keyRingParts } from '../parts/key-ring.ts'
import { buildLocation } from '../parts/location.ts'
import { buildPolicy, ledgerCopyOf, readResources } from '../parts/policy.ts'
import { buildRecords } from '../parts/records.ts'
import { rpcSecurity } from '../parts/rpc-tls.ts'
import { openStore } from '../parts/store.ts'
import { openTraces } from '../parts/traces.ts'
import { warmUpCallers } from '../parts/warm-up.ts'

/** A cluster to start: parts in starting order, and whether every edge takes calls. */
export interface Composition {
  readonly parts: readonly Part[]
  ready(): boolean
}

const loggerFor = (config: Config, service: string): Logger => createLogger({ level: config.logging.level, service })

export async function composeSingle(config: Config): Promise<Composition> {
  const policySettings = policyConfig(config)
  const resources = await readResources(policySettings)
  const { store, part: storePart } = openStore(config.store, loggerFor(config, 'store'))
  const security = rpcSecurity(config, loggerFor(config, 'rpc'))
  const { tracing, parts: traceParts } = await openTraces(config, loggerFor(config, 'traces'))
  const locationLogger = loggerFor(config, 'location')
  const location = buildLocation(locationConfig(config), resources.set, store, locationLogger, security, tracing)
  const policyLogger = loggerFor(config, 'policy')
  const policy = buildPolicy(policySettings, resources, store, policyLogger, ledgerCopyOf(config), security, tracing)
  const feed = createInProcessRecordFeed(policy.service.feed)
  const fraudFeed = createInProcessRecordFeed(policy.service.fraudEvents)
  const ledgers = policy.service.ledgers === undefined ? [] : [createInProcessRecordFeed(policy.service.ledgers)]
  const recordsLogger = loggerFor(config, 'records')
  const records = buildRecords(recordsConfig(config), [feed], recordsLogger, [fraudFeed], ledgers, tracing)
  const services = { location: location.service, policy: policy.service }
  const edges = Array.from({ length: config.edge.count }, (_, index) => {
    const settings = edgeConfig(config, index)
    const logger = loggerFor(config, settings.id)
    const callers = inProcessCallers(services, settings, logger, tracing)
    const locationWatch = inProcessWatch(services, settings, config.store.url)
    return buildEdge(settings, { ...callers, locationWatch }, logger, warmUpCallers(config, settings), tracing)
  })
  const admin = config.console.enabled
    ? [buildConsole(localConsole(config), loggerFor(config, 'console'), security)]
    : []
  const keyed = [policy.service, records.service, ...edges.map((edge) => edge.service)]
  const parts = [
    ...traceParts,
    storePart,
    ...[location, policy, records, ...admin, ...edges].flatMap((built) => built.parts),
    ...keyRingParts(
      config,
      keyed,
      [policy, records, ...edges].map((built) => built.metrics),
      loggerFor(config, 'keys'),
    ),
  ]
  return { parts, ready: () => edges.every((edge) => edge.ready()) }
}
