// SPDX-License-Identifier: MIT
//
// What `npm run generate` writes (reference pages, Helm's values schema) is what stands in the tree, and the check says so
// when it does not. Stubs of proto/: scripts/check-generated.mjs.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const { scripts } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as {
  scripts: { generate: string }
}

it('nothing has drifted', { timeout: 120_000 }, () => {
  const [, ...args] = scripts.generate.split(' ')
  const { status, stderr } = spawnSync(process.execPath, [...args, '--check'], { cwd: ROOT, encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

it.each([
  'CONFORMANCE.md',
  'docs/reference/cli.md',
  'docs/reference/configuration.md',
  'docs/reference/errors.md',
  'docs/reference/metrics.md',
  'docs/transaction-tables.md',
  'helm/tandem/values.schema.json',
])('%s is written by it', (file) => {
  expect(readFileSync(resolve(ROOT, 'scripts/generate.mjs'), 'utf8')).toContain(`'${file}'`)
})
