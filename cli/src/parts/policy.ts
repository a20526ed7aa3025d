// SPDX-License-Identifier: MIT
//
// Wires the policy service: resources and store → handlers → gRPC → HTTP.
import { createPolicyService, type PolicyService, type PolicyServiceOptions } from '@tandem/policy'
import { describeProblem, type LoadOptions, loadResources, type ResourceSet } from '@tandem/resources'
import { createRpcServer, serveHealth, servePolicy, serveRecordFeed, serveResources } from '@tandem/rpc'
import { type Config, ConfigError, gatedOnce, type Logger, type PolicyConfig } from '@tandem/service-kit'
import type { Store } from '@tandem/store'
import type { Tracing } from '@tandem/telemetry'
import { type Built, logBugs, rpcPart, serviceMetrics } from './built.ts'
import { httpPart } from './http.ts'
import { type RpcSecurity, serverSecurity } from './rpc-tls.ts'
import { registerStoreMetrics } from './store-metrics.ts'
import { instanceName, registerTraces, tracerOf } from './traces.ts'

/** What the configuration names: the set, and its documents as they were written. */
export interface ConfiguredResources {
  readonly set: ResourceSet
  readonly documents: readonly unknown[]
  /** The store is this process's own: what is applied reaches no other service. */
  readonly isApart?: boolean
}

const placesOf = ({ baseDir }: Pick<PolicyConfig, 'baseDir'>): LoadOptions => ({ baseDir, env: process.env })

/**
 * Reads the resources that the configuration names. Problems are bad configuration: `ConfigError`, all of them listed.
 *
 * @param more.withoutSecrets for a service that needs none
 */
export async function readResources(
  config: Pick<PolicyConfig, 'resources' | 'baseDir'>,
  more: { readonly withoutSecrets?: boolean } = {},
): Promise<ConfiguredResources> {
  const { files, documents } = config.resources
  const loaded = await loadResources([...files, ...documents], { ...placesOf(config), ...more })
  if (loaded.ok) return loaded
  throw new ConfigError(
    loaded.problems.map((problem) => ({
      path: problem.path || 'resources',
      origin: 'resources',
      expected: describeProblem(problem),
    })),
  )
}

/** What the ledgers' copy, which the records service makes, wants of policy; undefined where there is none. */
export function ledgerCopyOf({ records: { ledger } }: Config): PolicyServiceOptions['ledgerCopy'] {
  return ledger.sink === '' ? undefined : { keepEntries: ledger.keepEntries }
}

export function buildPolicy(
  config: PolicyConfig,
  { set: resources, documents, isApart = false }: ConfiguredResources,
  store: Store,
  logger: Logger,
  ledgerCopy?: PolicyServiceOptions['ledgerCopy'],
  security?: RpcSecurity,
  tracing?: Tracing,
): Built<PolicyService> {
  const metrics = serviceMetrics('policy', config.clusterName)
  const service = createPolicyService({
    store: store.policy,
    accounts: store.accounts,
    fraud: store.fraud,
    fraudEvents: store.fraudEvents,
    bans: store.bans,
    trunks: store.trunks,
    groups: store.groups,
    ledgerCopy,
    config,
    resources,
    resourceStore: { store: store.resources, documents, load: placesOf(config), isApart },
    logger,
    metrics,
  })
  registerStoreMetrics(metrics, store)
  registerTraces(metrics, tracing)
  const server = createRpcServer({ onBug: logBugs(logger), ...serverSecurity(security, config.bindAddress, logger) })
  const ready = gatedOnce(
    () => true,
    () => service.ready(),
  )
  const tracer = tracerOf(tracing, 'policy', config.clusterName, instanceName())
  servePolicy(server, service.handlers, { pushes: service.pushes, ...service.hooks, tracer })
  serveRecordFeed(server, service.feed, service.fraudEvents, service.ledgers)
  if (service.resources !== undefined) serveResources(server, service.resources)
  serveHealth(server, () => service.ready())
  const { bindAddress: address, grpcPort, httpPort } = config
  const parts = [
    { name: 'policy', start: () => service.start(), stop: () => service.stop() },
    rpcPart(server, { name: 'policy', address, port: grpcPort, setting: 'policy.grpcPort' }),
    httpPart('policy', {
      address,
      port: httpPort,
      setting: 'policy.httpPort',
      metrics,
      ready,
      missing: service.missing,
    }),
  ]
  return { service, parts, metrics, ready }
}
