// SPDX-License-Identifier: MIT
//
// Command-line flags as settings. A flag is one dotted path of the schema; nothing is read from process.argv elsewhere.
import { randomBytes } from 'node:crypto'
import { type Config, loadConfig } from '@tandem/service-kit'

/** Flags of `up` and `run` as commander gives them. */
export interface ClusterFlags {
  readonly config?: string
  readonly edges?: number
  readonly processes?: string
  readonly store?: string
  readonly bind?: string
  readonly basePort?: number
  readonly sharedAddress?: boolean
  /** Which edge, or which location node: `run` only. */
  readonly index?: number
}

/** Dotted path → value, undefined where the flag was not given. */
export function flagSettings(flags: ClusterFlags): Record<string, unknown> {
  return {
    'edge.count': flags.edges,
    'cluster.processes': flags.processes,
    'store.url': flags.store,
    'edge.bindAddress': flags.bind,
    'edge.basePort': flags.basePort,
    'edge.sharedAddress': flags.sharedAddress,
    'edge.index': flags.index,
    'location.index': flags.index,
  }
}

/** A key ring for one run, where the configuration has none. */
export function randomKeyRing(): { id: number; secret: string }[] {
  return [{ id: 0, secret: randomBytes(24).toString('base64url') }]
}

export interface LoadOptions {
  /** Make a key ring when there is none: for `up`, and for commands that sign nothing. */
  readonly makeKeys: boolean
}

const madeRings = new WeakSet<object>()

/** Whether the key ring is one that was made for this run. */
export function hasMadeKeys({ cluster }: Config): boolean {
  return madeRings.has(cluster.secrets)
}

/** What a key ring of one run has sealed, no other run can open: nothing is kept with it. */
function withoutLostSecrets(config: Config, made: ReturnType<typeof randomKeyRing>): Config {
  if (config.cluster.secrets[0]?.secret !== made[0]?.secret) return config
  madeRings.add(config.cluster.secrets)
  return { ...config, store: { ...config.store, resourcesFile: '' } }
}

/**
 * The configuration of a command that asks a running cluster: without the resources, which it has no use for. Throws `ConfigError`.
 * No key of its own signs or opens anything.
 */
export function readSettings(flags: ClusterFlags): Config {
  const config = loadedConfig(flags, { makeKeys: true })
  return { ...config, resources: { ...config.resources, documents: [] } }
}

export function loadedConfig(flags: ClusterFlags, { makeKeys }: LoadOptions): Config {
  const made = randomKeyRing()
  const defaults = makeKeys ? { 'cluster.secrets': made } : {}
  return withoutLostSecrets(loadConfig({ file: flags.config, flags: flagSettings(flags), defaults }), made)
}
