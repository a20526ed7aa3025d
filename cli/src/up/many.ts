// SPDX-License-Identifier: MIT
//
// The cluster as processes: one per service and edge, of location `location.count`, gRPC between them. This process only supervises. Edges stop first,
// then records (which takes what policy still has), then policy and location.
import { type Config, createLogger, edgeConfig, KitError, type Part } from '@tandem/service-kit'
import type { ClusterFlags } from '../settings.ts'
import type { ServiceName } from './services.ts'
import type { Composition } from './single.ts'
import { type ChildSpec, SUPERVISOR_DEFAULTS, Supervisor } from './supervisor.ts'

/** The flags again as arguments, for the children. */
export function flagArguments(flags: ClusterFlags): string[] {
  const pairs: [string, string | number | undefined][] = [
    ['--config', flags.config],
    ['--store', flags.store],
    ['--edges', flags.edges],
    ['--bind', flags.bind],
    ['--base-port', flags.basePort],
  ]
  const given = pairs.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]))
  return flags.sharedAddress ? [...given, '--shared-address'] : given
}

/** Location, policy, records, the admin API, then the edges. The key ring travels in the environment: arguments are public. */
export function childSpecs(config: Config, flags: ClusterFlags): ChildSpec[] {
  const { TANDEM_EDGE_ID: _id, TANDEM_EDGE_INDEX: _index, TANDEM_LOCATION_INDEX: _node, ...inherited } = process.env
  const { secrets, secretsFile } = config.cluster
  const env = secretsFile === '' ? { ...inherited, TANDEM_CLUSTER_SECRETS: JSON.stringify(secrets) } : inherited
  const spec = (name: string, service: ServiceName, more: string[] = []): ChildSpec => ({
    name,
    args: ['run', service, ...flagArguments(flags), ...more],
    env,
  })
  const edges = Array.from({ length: config.edge.count }, (_, index) =>
    spec(edgeConfig(config, index).id, 'edge', ['--index', String(index)]),
  )
  const { count } = config.location
  const nodes = Array.from({ length: count }, (_, index) =>
    spec(count === 1 ? 'location' : `location-${index}`, 'location', ['--index', String(index)]),
  )
  const admin = config.console.enabled ? [spec('console', 'console')] : []
  return [...nodes, spec('policy', 'policy'), spec('records', 'records'), ...admin, ...edges]
}

export function composeMany(
  config: Config,
  flags: ClusterFlags,
  main: string,
): Composition & { readonly failed: Promise<never> } {
  const logger = createLogger({ level: config.logging.level, service: 'supervisor' })
  let onFatal: (name: string, exitCode: number) => void = () => undefined
  const failed = new Promise<never>((_resolve, reject) => {
    onFatal = (name, exitCode) => reject(new ChildFailed(name, exitCode))
  })
  const supervisor = new Supervisor(childSpecs(config, flags), {
    ...SUPERVISOR_DEFAULTS,
    stopMs: config.shutdown.drainMs + 5_000,
    logger,
    command: [process.execPath, ...process.execArgv, main],
    onFatal: (name, exitCode) => onFatal(name, exitCode),
  })
  return { parts: [supervisorPart(supervisor)], ready: () => supervisor.ready(), failed }
}

function supervisorPart(supervisor: Supervisor): Part {
  // Part of the drain pass: it may take as long as the edges' own drain and stop.
  const drain = () => supervisor.stop((name) => !/^(location(-\d+)?|policy|records)$/.test(name))
  const stop = async () => {
    await drain()
    await supervisor.stop((name) => name === 'records')
    await supervisor.stop()
  }
  return { name: 'processes', start: () => supervisor.start(), drain, stop }
}

/** A child could not be started; it has said why on standard error. */
export class ChildFailed extends KitError {
  override readonly exitCode: number
  constructor(child: string, exitCode: number) {
    super('start_failed', `The process of ${child} ended with status ${exitCode}; stopping.`)
    this.exitCode = exitCode
  }
}
