// SPDX-License-Identifier: MIT
//
// One service in a process of its own (`tandem run …`): what `up --processes many` starts, and what containers run.
// Each of location and policy opens its own store; with the embedded one they share nothing, and need not.
import { createFraudFeedClient, createLedgerFeedClient, createRecordFeedClient } from '@tandem/rpc'
import { type Config, createLogger, edgeConfig, locationConfig, policyConfig, recordsConfig } from '@tandem/service-kit'
import { streamCallers, streamOptions } from '../parts/callers.ts'
import { buildConsole, localConsole } from '../parts/console.ts'
import { buildEdge } from '../parts/edge.ts'
import { keyRingParts } from '../parts/key-ring.ts'
import { buildLocation } from '../parts/location.ts'
import { buildPolicy, ledgerCopyOf, readResources } from '../parts/policy.ts'
import { buildRecords } from '../parts/records.ts'
import { rpcSecurity } from '../parts/rpc-tls.ts'
import { openStore } from '../parts/store.ts'
import { openTraces } from '../parts/traces.ts'
import type { ServiceName } from './services.ts'
import type { Composition } from './single.ts'

async function composeLocation(config: Config): Promise<Composition> {
  const logger = createLogger({ level: config.logging.level, service: 'location' })
  const resources = await readResources(policyConfig(config), { withoutSecrets: true })
  const { store, part } = openStore(config.store, logger)
  const traces = await openTraces(config, logger)
  const { parts, ready } = buildLocation(
    locationConfig(config),
    resources.set,
    store,
    logger,
    rpcSecurity(config, logger),
    traces.tracing,
  )
  return { parts: [...traces.parts, part, ...parts], ready }
}

async function composePolicy(config: Config): Promise<Composition> {
  const logger = createLogger({ level: config.logging.level, service: 'policy' })
  const settings = policyConfig(config)
  const resources = await readResources(settings)
  const { store, part } = openStore(config.store, logger)
  const traces = await openTraces(config, logger)
  const { parts, ready, service, metrics } = buildPolicy(
    settings,
    { ...resources, isApart: config.store.url === 'memory' },
    store,
    logger,
    ledgerCopyOf(config),
    rpcSecurity(config, logger),
    traces.tracing,
  )
  const keys = keyRingParts(config, [service], [metrics], logger)
  return { parts: [...traces.parts, part, ...parts, ...keys], ready }
}

async function composeRecords(config: Config): Promise<Composition> {
  const logger = createLogger({ level: config.logging.level, service: 'records' })
  const settings = recordsConfig(config)
  const security = rpcSecurity(config, logger).toward(settings.policyTarget)
  const options = { ...streamOptions(config.rpc, 'records', logger), ...security }
  const feed = createRecordFeedClient(settings.policyTarget, options)
  const fraudFeed = createFraudFeedClient(settings.policyTarget, options)
  const ledgers = createLedgerFeedClient(settings.policyTarget, options)
  const traces = await openTraces(config, logger)
  const built = buildRecords(settings, [feed], logger, [fraudFeed], [ledgers], traces.tracing)
  const keys = keyRingParts(config, [built.service], [built.metrics], logger)
  return { parts: [...traces.parts, ...built.parts, ...keys], ready: built.ready }
}

async function composeEdge(config: Config): Promise<Composition> {
  const settings = edgeConfig(config)
  const logger = createLogger({ level: config.logging.level, service: settings.id })
  const traces = await openTraces(config, logger)
  const callers = streamCallers(settings, logger, rpcSecurity(config, logger))
  const { parts, ready, service, metrics } = buildEdge(settings, callers, logger, undefined, traces.tracing)
  const keys = keyRingParts(config, [service], [metrics], logger)
  return { parts: [...traces.parts, ...parts, ...keys], ready }
}

function composeConsole(config: Config): Composition {
  const logger = createLogger({ level: config.logging.level, service: 'console' })
  const { parts, ready } = buildConsole(localConsole(config), logger, rpcSecurity(config, logger))
  return { parts, ready }
}

const COMPOSERS: Readonly<Record<ServiceName, (config: Config) => Composition | Promise<Composition>>> = {
  edge: composeEdge,
  location: composeLocation,
  policy: composePolicy,
  records: composeRecords,
  console: composeConsole,
}

/** Edges take `edge.index` of the configuration. */
export async function composeOne(service: ServiceName, config: Config): Promise<Composition> {
  return COMPOSERS[service](config)
}
