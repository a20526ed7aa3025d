// SPDX-License-Identifier: MIT
//
// The images of the Dockerfile, built and run: who they run as, what they hold, how they start and stop with a root that can not be written.
// Leaves out processors other than this machine's. Runs by `npm run images` only; where nothing can be pulled, with --stand-ins.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BUILD_MS, buildImages, docker, inspect, missingDocker, TARGETS, tryDocker } from './docker.ts'

const MAX_BYTES = 230e6
const missing = missingDocker()
const title = missing === undefined ? 'images' : `images (skipped: ${missing.replaceAll(/[()]/g, '')})`

interface Settings {
  readonly User: string
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly Labels: Readonly<Record<string, string>>
  readonly Healthcheck: { readonly Test: readonly string[] }
}

describe.skipIf(missing !== undefined)(title, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-images-'))
  const containers: string[] = []

  beforeAll(buildImages, BUILD_MS)
  afterAll(() => {
    for (const container of containers) tryDocker(['rm', '--force', '--volumes', container])
    rmSync(folder, { recursive: true, force: true })
  })

  it.each(TARGETS)(
    '%s: small, a user without rights, node as process 1, a health check, a bill of materials',
    (target) => {
      const { User, Entrypoint, Cmd, Labels, Healthcheck } = inspect<Settings>(`tandem-${target}`, '.Config')
      expect(User).toBe('10001:10001')
      expect(Entrypoint).toEqual(['/usr/local/bin/node', '/app/cli/dist/main.js'])
      expect(Cmd.slice(0, 2)).toEqual(target === 'tandem' ? ['up', '--config'] : ['run', target])
      expect(Healthcheck.Test).toContain('/app/healthcheck.mjs')
      expect(Labels['org.cyclonedx.sbom']).toBe('/app/sbom.json')
      expect(inspect<number>(`tandem-${target}`, '.Size')).toBeLessThan(MAX_BYTES)
    },
  )

  it('the bill of materials names what is installed, with versions', () => {
    const container = docker(['create', 'tandem-edge']).trim()
    containers.push(container)
    docker(['cp', `${container}:/app/sbom.json`, join(folder, 'sbom.json')])
    docker(['cp', `${container}:/app/node_modules/pino/package.json`, join(folder, 'pino.json')])
    const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))
    const { bomFormat, components } = read('sbom.json') as {
      bomFormat: string
      components: { name: string; version: string }[]
    }
    expect(bomFormat).toBe('CycloneDX')
    const { version } = read('pino.json') as { version: string }
    expect(components).toContainEqual(expect.objectContaining({ name: 'pino', version }))
    expect(components.map(({ name }) => name)).not.toContain('vitest')
  })

  it('has no shell and no package manager', () => {
    for (const program of ['/bin/sh', '/usr/bin/apt-get', '/usr/local/bin/npm'])
      expect(tryDocker(['run', '--rm', '--entrypoint', program, 'tandem-edge', '--version']).status, program).toBe(127)
  })

  it('has the addon for UDP in batches, compiled for its node', () => {
    const sees = docker([
      'run',
      '--rm',
      '--entrypoint',
      '/usr/local/bin/node',
      'tandem-edge',
      '-e',
      'fs.globSync("/app/packages/*/build/**/*.node").forEach((file) => { process.dlopen({ exports: {} }, file); console.log(file) })',
    ])
    expect(sees).toMatch(/udp-batch/)
  })

  it('any verb runs in the image', () => {
    expect(docker(['run', '--rm', '--read-only', 'tandem-tandem', '--help'])).toContain('check-call')
  })

  it('the quick start gets healthy on a root that can not be written, and ends with 0 on SIGTERM', async () => {
    const secure = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true']
    const container = docker(['run', '--detach', ...secure, 'tandem-tandem']).trim()
    containers.push(container)
    const health = (): string => inspect<{ Status: string }>(container, '.State.Health').Status
    await waitUntil('health', () => health() === 'healthy', 90_000, 500)
    const began = Date.now()
    docker(['stop', '--time', '40', container])
    expect(Date.now() - began).toBeLessThan(35_000)
    expect(inspect<{ ExitCode: number; OOMKilled: boolean }>(container, '.State')).toMatchObject({ ExitCode: 0 })
  })
})
