// SPDX-License-Identifier: MIT
//
// Does not test: npm and the toolchain themselves; a fresh clone is tested by CI, which is one.
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findNpmCli, isSupportedNode, sourceStamp, stampHolds, writeStamp } from './bootstrap.mjs'

describe('isSupportedNode', () => {
  it.each([
    ['v20.20.2', false],
    ['v22.17.9', false],
    ['v22.18.0', true],
    ['v23.0.0', true],
    ['v24.21.0', true],
  ])('%s: %s', (version, supported) => {
    expect(isSupportedNode(version)).toBe(supported)
  })
})

describe('stamps', () => {
  let root
  const source = () => join(root, 'packages', 'one', 'src', 'a.ts')

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tandem-stamp-'))
    mkdirSync(join(root, 'packages', 'one', 'src'), { recursive: true })
    mkdirSync(join(root, 'packages', 'one', 'dist'), { recursive: true })
    writeFileSync(source(), 'export {}')
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it('holds exactly its value, and not when the file is missing', () => {
    const file = join(root, 'cache', 'stamp')
    expect(stampHolds(file, 'a')).toBe(false)
    writeStamp(file, 'a')
    expect(stampHolds(file, 'a')).toBe(true)
    expect(stampHolds(file, 'ab')).toBe(false)
  })

  it('stays the same while nothing changes, whatever the build writes', () => {
    const before = sourceStamp(root)
    writeFileSync(join(root, 'packages', 'one', 'dist', 'a.d.ts'), 'export {}')
    expect(sourceStamp(root)).toBe(before)
  })

  it.each([
    ['an edit of the same length', () => utimesSync(source(), new Date(), new Date(Date.now() + 5_000))],
    ['an edit that changes the length', () => writeFileSync(source(), 'export const a = 1')],
    ['a new file', () => writeFileSync(join(root, 'packages', 'one', 'src', 'b.ts'), '')],
    ['a removed file', () => rmSync(source())],
  ])('changes with %s', (_name, change) => {
    const before = sourceStamp(root)
    change()
    expect(sourceStamp(root)).not.toBe(before)
  })
})

describe('findNpmCli', () => {
  it('takes npm_execpath when that is npm', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tandem-npm-'))
    const cli = join(folder, 'npm-cli.js')
    writeFileSync(cli, '')
    expect(findNpmCli({ PATH: '', npm_execpath: cli })).toBe(cli)
    rmSync(folder, { recursive: true })
  })

  it('passes over another package manager', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tandem-npm-'))
    const other = join(folder, 'yarn.js')
    writeFileSync(other, '')
    expect(findNpmCli({ PATH: '', npm_execpath: other })).not.toBe(other)
    rmSync(folder, { recursive: true })
  })
})
