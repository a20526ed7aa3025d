// SPDX-License-Identifier: MIT
//
// The command as a fresh clone has it: what package.json names is a file of the checkout, linked by npm before anything is
// built, that the system can execute. Does not test: npm's linking of it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const folder = new URL('../', import.meta.url)
const { bin, version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
  bin: { tandem: string }
  version: string
}

it('is no output of the build', () => {
  expect(bin.tandem).not.toMatch(/\bdist\b/)
})

it('runs when it is executed, not only when it is given to node', { timeout: 120_000 }, () => {
  const output = execFileSync(fileURLToPath(new URL(bin.tandem, folder)), ['--version'], { encoding: 'utf8' })
  expect(output.trim()).toBe(version)
})
