// SPDX-License-Identifier: MIT
//
// Composes the admin API: who may call, what calls do, the audit log, REST and gRPC on one certificate.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { RpcServer } from '@tandem/rpc'
import {
  ConfigError,
  type ConsoleConfig,
  explainBind,
  isLoopback,
  type Logger,
  type Metrics,
  wantsTls,
} from '@tandem/service-kit'
import { createAuditLog } from './audit/audit-log.ts'
import type { Backends } from './backends.ts'
import { createCounts, registerCounts } from './counts.ts'
import { createGrpc } from './grpc/server.ts'
import type { RestDeps } from './rest/handle.ts'
import { type RestHandle, startRest } from './rest/server.ts'
import { certificateOf } from './tls/server-tls.ts'
import { ShownCertificate } from './tls/shown-certificate.ts'
import { type TokenEntry, TokenGuard } from './tokens.ts'

export interface ConsoleServiceOptions {
  readonly config: ConsoleConfig
  readonly backends: Backends
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Monotonic. */
  readonly now?: () => number
}

export interface ConsoleService {
  ready(): boolean
  /** Ports that were opened, once started. */
  readonly ports: { readonly rest: number; readonly grpc: number }
  start(): Promise<void>
  stop(): Promise<void>
}

type Hash = ConsoleConfig['tokens'][number]['hash']

const badHash = (at: number, expected: string): never => {
  throw new ConfigError([{ path: `console.tokens.${at}.hash`, origin: 'console', expected }])
}

async function readHash(
  hash: Hash,
  at: number,
  { baseDir }: ConsoleConfig,
  env: ConsoleServiceOptions['env'],
): Promise<string> {
  if (typeof hash === 'string') return hash
  const text =
    'env' in hash ? env?.[hash.env] : await readFile(resolve(baseDir, hash.file), 'utf8').catch(() => undefined)
  if (text === undefined)
    return badHash(
      at,
      'env' in hash ? `expected the variable ${hash.env} to be set` : `expected a readable file ${hash.file}`,
    )
  const digits = text.trim().toLowerCase()
  return /^[0-9a-f]{64}$/.test(digits) ? digits : badHash(at, 'expected the 64 hexadecimal digits of a SHA-256 there')
}

async function readTokens(config: ConsoleConfig, env: ConsoleServiceOptions['env']): Promise<TokenEntry[]> {
  return Promise.all(
    config.tokens.map(async ({ name, role, hash }, at) => ({
      name,
      role,
      hash: await readHash(hash, at, config, env),
    })),
  )
}

/** Beyond loopback somebody must be known. Throws `ConfigError`. */
export function checkExposure({ bindAddress, tokens }: Pick<ConsoleConfig, 'bindAddress' | 'tokens'>): void {
  if (tokens.length > 0 || isLoopback(bindAddress)) return
  const expected = `expected at least one token, as console.bindAddress ${bindAddress} is reached from other machines: make one by \`tandem token create\``
  throw new ConfigError([{ path: 'console.tokens', origin: 'console', expected }])
}

const ownHosts = ({ bindAddress }: ConsoleConfig): Set<string> =>
  new Set(['localhost', '127.0.0.1', '[::1]', bindAddress.includes(':') ? `[${bindAddress}]` : bindAddress])

export function createConsoleService(options: ConsoleServiceOptions): ConsoleService {
  const { config, backends, logger, metrics, env = process.env, now = () => performance.now() } = options
  checkExposure(config)
  const counts = createCounts()
  const audit = createAuditLog(config.audit)
  let tokenCounts: TokenGuard['counts'] | undefined
  if (metrics !== undefined) registerCounts(metrics, counts, () => tokenCounts, audit)
  let rest: RestHandle | undefined
  let grpc: RpcServer | undefined
  let grpcPort = 0
  let certificate: ShownCertificate | undefined

  const start = async (): Promise<void> => {
    const tokens = await readTokens(config, env)
    const guard = new TokenGuard({
      tokens,
      isOpen: tokens.length === 0,
      maxWrong: config.wrongTokens.max,
      windowMs: config.wrongTokens.windowMs,
      now,
    })
    tokenCounts = guard.counts
    const { clusterName, callTimeoutMs, applyTimeoutMs, maxRequests, maxBodyBytes, maxApplyBytes } = config
    const openHosts = tokens.length === 0 ? ownHosts(config) : undefined
    const deps: RestDeps = {
      guard,
      audit,
      counts,
      logger,
      backends,
      clusterName,
      callTimeoutMs,
      applyTimeoutMs,
      maxRequests,
      maxBodyBytes,
      maxApplyBytes,
      openHosts,
    }
    const first = await certificateOf(config, logger)
    certificate = first && new ShownCertificate(first, config.tls, logger)
    if (!wantsTls(config) && !isLoopback(config.bindAddress))
      logger.warn('the admin API speaks without TLS beyond loopback (console.tls.mode is off)')
    rest = await startRest(deps, config, certificate)
    grpc = createGrpc(deps, certificate)
    grpcPort = await grpc.listen(config.bindAddress, config.grpcPort).catch((error: unknown) => {
      const cause =
        error instanceof Error && /EADDRINUSE/.test(error.message)
          ? Object.assign(error, { code: 'EADDRINUSE' })
          : error
      throw explainBind(cause, { port: config.grpcPort, protocol: 'tcp', setting: 'console.grpcPort' })
    })
  }
  const stop = async (): Promise<void> => {
    await Promise.all([rest?.close(), grpc?.close(1_000)])
    certificate?.close()
    await backends.close()
  }
  return {
    ready: () => rest !== undefined && backends.ready(),
    get ports() {
      return { rest: rest?.port ?? 0, grpc: grpcPort }
    },
    start,
    stop,
  }
}
