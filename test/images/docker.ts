// SPDX-License-Identifier: MIT
//
// Docker and Compose as these suites use them: the commands themselves, and what is missing where they can not run.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')
/** What the compose file names and Debian does not have: left out where it is not there (docs/operations/compose.md). */
const OPTIONAL = ['grafana']
/** Targets of the Dockerfile. */
export const TARGETS = ['edge', 'location', 'policy', 'records', 'console', 'tandem']
export const BUILD_MS = 900_000
const COMPOSE = ['compose', '--project-name', 'tandem-images', '--env-file', 'deploy/compose/example.env']

export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

export function tryDocker(args: readonly string[], timeoutMs = 60_000): Ran {
  const options = { cwd: ROOT, encoding: 'utf8', timeout: timeoutMs, maxBuffer: 1 << 26 } as const
  const env = { ...process.env, DOCKER_BUILDKIT: '1' }
  const { status, stdout, stderr } = spawnSync('docker', args, { ...options, env })
  return { status: status ?? -1, out: stdout ?? '', err: stderr ?? '' }
}

/** Its standard output. Throws what it said where it fails. */
export function docker(args: readonly string[], timeoutMs?: number): string {
  const { status, out, err } = tryDocker(args, timeoutMs)
  if (status !== 0) throw new Error(`docker ${args.join(' ')}: status ${status}: ${`${out}${err}`.slice(-3_000)}`)
  return out
}

/**
 * All targets. With this machine's network, so that npm's and Debian's mirrors are reached where the engine gives containers none. What was built
 * before costs seconds.
 */
export function buildImages(): void {
  for (const target of TARGETS)
    docker(
      [
        'build',
        '--network',
        'host',
        '--build-arg',
        'UDP_BATCH=require',
        '--target',
        target,
        '-t',
        `tandem-${target}`,
        '.',
      ],
      BUILD_MS,
    )
}

export const compose = (args: readonly string[], timeoutMs = 180_000): string =>
  docker([...COMPOSE, ...args], timeoutMs)

/** Why the suites of this folder do not run here; undefined where they do. */
export function missingDocker(): string | undefined {
  if (process.env.TANDEM_IMAGES !== '1') return 'minutes long, with Docker: npm run images runs it'
  if (tryDocker(['info']).status !== 0) return 'no Docker engine answers'
  return tryDocker(['compose', 'version']).status === 0 ? undefined : 'docker has no compose plugin'
}

/** Services of the compose file whose images are at hand or can be had. */
export function startableServices(): string[] {
  const images = JSON.parse(compose(['config', '--format', 'json'])) as {
    services: Record<string, { image: string }>
  }
  const isThere = (image: string): boolean => tryDocker(['image', 'inspect', image]).status === 0
  const names = Object.keys(images.services)
  return names.filter((name) => !OPTIONAL.includes(name) || isThere(images.services[name]?.image ?? ''))
}

/** Container of a service. */
export const containerOf = (service: string): string => compose(['ps', '--all', '--quiet', service]).trim()

export function inspect<T>(what: string, format: string): T {
  return JSON.parse(docker(['inspect', '--format', `{{json ${format}}}`, what])) as T
}
