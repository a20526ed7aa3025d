// SPDX-License-Identifier: MIT
//
// Wires the admin API: policy and location behind it, REST and gRPC in front, HTTP for metrics.
import { type ConsoleService, createConsoleService } from '@tandem/console'
import { type Config, type ConsoleConfig, consoleConfig, gatedOnce, type Logger } from '@tandem/service-kit'
import { hostPort } from '../addresses.ts'
import { type Built, serviceMetrics } from './built.ts'
import { createBackends } from './console-backends.ts'
import { httpPart } from './http.ts'
import type { RpcSecurity } from './rpc-tls.ts'

const loopback = (host: string): string => (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host)

/** The settings for a process that also runs policy and location, or stands beside them. */
export function localConsole(config: Config): ConsoleConfig {
  const settings = consoleConfig(config)
  const { policy, location } = config
  const isOne = location.address === '' && (location.count === 1 || config.cluster.processes === 'single')
  return {
    ...settings,
    ...(policy.address === '' && { policyTarget: hostPort(loopback(policy.bindAddress), policy.grpcPort) }),
    ...(isOne && { locationTarget: hostPort(loopback(location.bindAddress), location.grpcPort) }),
  }
}

export function buildConsole(config: ConsoleConfig, logger: Logger, security?: RpcSecurity): Built<ConsoleService> {
  const metrics = serviceMetrics('console', config.clusterName)
  const service = createConsoleService({
    config,
    backends: createBackends(config, security),
    logger,
    metrics,
    env: process.env,
  })
  const ready = gatedOnce(
    () => true,
    () => service.ready(),
  )
  const parts = [
    { name: 'console', start: () => service.start(), stop: () => service.stop() },
    httpPart('console', {
      address: config.httpAddress,
      port: config.httpPort,
      setting: 'console.httpPort',
      metrics,
      ready,
    }),
  ]
  return { service, parts, metrics, ready }
}
