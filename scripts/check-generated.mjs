// SPDX-License-Identifier: MIT
//
// Fails when packages/rpc/src/gen is not what `buf generate` makes of proto/. Generates into a temporary folder and compares.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const committed = join(root, 'packages/rpc/src/gen')

function files(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => relative(folder, path))
    .sort()
}

function generate(folder) {
  const buf = join(root, 'node_modules/.bin/buf')
  const { status, stderr, error } = spawnSync(buf, ['generate', '--output', folder], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`buf generate failed: ${error?.message ?? stderr}`)
  return join(folder, 'packages/rpc/src/gen')
}

function differences(expected, actual) {
  const names = new Set([...files(expected), ...files(actual)])
  const read = (folder, name) => {
    const path = join(folder, name)
    return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, 'utf8') : undefined
  }
  return [...names].filter((name) => read(expected, name) !== read(actual, name))
}

const folder = mkdtempSync(join(tmpdir(), 'tandem-gen-'))
try {
  const drifted = differences(generate(folder), committed)
  for (const name of drifted) console.error(`packages/rpc/src/gen/${name} is not what proto/ generates`)
  if (drifted.length > 0) console.error('run: npx buf generate')
  process.exitCode = drifted.length > 0 ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
