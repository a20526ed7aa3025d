// SPDX-License-Identifier: MIT
//
// `rpc.tls` as what servers and callers of gRPC take. Nothing where it is not set: then gRPC is plaintext, and a service that listens beyond
// loopback says so.
import { resolve } from 'node:path'
import { RpcTls, type StreamCallerOptions } from '@tandem/rpc'
import { type Config, ConfigError, type Logger, watchCertificates } from '@tandem/service-kit'

type Secured = Pick<StreamCallerOptions, 'credentials' | 'serverName'>

/** What a process shows and believes. */
export interface RpcSecurity {
  readonly tls: RpcTls | undefined
  /** For callers of these targets: host:port, several separated by commas. */
  toward(targets: string): Secured
}

const LOOPBACK = /^(?:127\.|::1$|localhost$)/

/** `host` of each `host:port`, brackets of IPv6 taken off. */
function hostsOf(targets: string): string[] {
  const hosts = targets.split(',').map((target) => target.trim().replace(/:\d+$/, ''))
  return [...new Set(hosts.map((host) => host.replace(/^\[|\]$/g, '')))]
}

/** Throws `ConfigError` for files that can't be used. */
export function rpcSecurity({ rpc, baseDir }: Pick<Config, 'rpc' | 'baseDir'>, logger?: Logger): RpcSecurity {
  const { certFile, keyFile, caFile, serverName, reloadMs } = rpc.tls
  if (certFile === '') return { tls: undefined, toward: () => ({}) }
  const absolute = (file: string): string => resolve(baseDir, file)
  const files = { certFile: absolute(certFile), keyFile: absolute(keyFile), caFile: absolute(caFile) }
  const tls = opened(() => RpcTls.open(files, (sentence) => logger?.warn(sentence)))
  tls.watch(reloadMs)
  watchCertificates('rpc', () => ({ notAfterMs: tls.notAfterMs, failures: tls.counters.failures }))
  return { tls, toward: (targets) => tls.client(serverName === '' ? hostsOf(targets) : [serverName]) }
}

function opened(open: () => RpcTls): RpcTls {
  try {
    return open()
  } catch (error) {
    throw new ConfigError([{ path: 'rpc.tls', origin: 'rpc', expected: (error as Error).message }])
  }
}

/** For createRpcServer, with a word of warning where it is due. */
export function serverSecurity(
  security: RpcSecurity | undefined,
  address: string,
  logger: Logger,
): { credentials?: ReturnType<RpcTls['serverCredentials']> } {
  if (security?.tls !== undefined) return { credentials: security.tls.serverCredentials() }
  if (!LOOPBACK.test(address))
    logger.warn({ address }, 'gRPC beyond this machine without TLS: set rpc.tls, or keep others out')
  return {}
}
