// SPDX-License-Identifier: MIT
//
// The schema holds no setting that nothing reads: the name of each stands in a source of the part that its section is for.
// Does not find a value that is read and then ignored.
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { leaves } from '@tandem/service-kit/internal'
import { expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const WIRING = ['cli/src/**/*.ts', 'packages/service-kit/src/config/{views,advertised}.ts']
/** Section of the cluster file → where its settings are read. */
const READERS: Readonly<Record<string, readonly string[]>> = {
  cluster: WIRING,
  logging: [...WIRING, 'services/edge/src/log/*.ts', 'services/records/src/call-lines.ts'],
  shutdown: WIRING,
  store: ['cli/src/parts/store{,-tls}.ts'],
  edge: [...WIRING, 'services/edge/src/**/*.ts', 'packages/rpc/src/{breaker,stream-caller}.ts'],
  location: [...WIRING, 'services/location/src/**/*.ts'],
  policy: [...WIRING, 'services/policy/src/**/*.ts'],
  records: [...WIRING, 'services/records/src/**/*.ts'],
  console: ['services/console/src/**/*.ts', 'cli/src/**/*.ts', 'packages/service-kit/src/config/views.ts'],
  rpc: ['cli/src/parts/{callers,rpc-tls}.ts', 'services/edge/src/**/*.ts'],
  telemetry: ['packages/telemetry/src/**/*.ts'],
  resources: ['cli/src/parts/policy.ts'],
}
const NO_READERS = ['**/*.test.ts', '**/testing.ts', '**/*-fixture.ts']

function codeOf(section: string): string {
  const files = globSync([...(READERS[section] ?? [])], { cwd: ROOT, exclude: NO_READERS })
  const texts = files.map((file) => readFileSync(resolve(ROOT, file), 'utf8'))
  return texts.join('\n').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
}

const code = Object.fromEntries(Object.keys(READERS).map((section) => [section, codeOf(section)]))

it.each(leaves().map((leaf) => [leaf.path.join('.'), leaf]))('%s is read', (_name, { path }) => {
  expect(code[path[0] as string]).toMatch(new RegExp(`\\b${path.at(-1)}\\b`))
})
