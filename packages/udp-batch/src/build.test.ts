// SPDX-License-Identifier: MIT
// Building and loading, in a folder of the test's own: what is missing gives a reason and never an exception.
// Not tested here: what the addon does (packages/transport/src/udp-batch.test.ts).
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildAddon } from './build.ts'
import { COUNTERS, LAYOUT_VERSION, RECEIVED, TO_SEND } from './layout.ts'
import { loadFrom } from './load.ts'
import { PACKAGE, placeOf } from './place.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tandem-addon-'))
  cpSync(join(PACKAGE, 'native'), join(root, 'native'), { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true }))

/** A compiler that writes an empty file, and its arguments beside it. */
function fakeCompiler(name: string, script = 'while [ "$1" != -o ]; do shift; done; : > "$2"'): string {
  const folder = join(root, 'bin')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), `#!/bin/sh\necho "$@" > ${join(root, 'args')}\n${script}\n`, { mode: 0o755 })
  return folder
}

const onLinux = process.platform === 'linux'

describe.runIf(onLinux)('buildAddon (skipped: not Linux)', () => {
  it('compiles once, all sources in one call, against the headers of this Node', () => {
    const env = { PATH: fakeCompiler('gcc') }
    const first = buildAddon({ root, env })
    expect(first.state).toBe('built')
    const args = readFileSync(join(root, 'args'), 'utf8')
    for (const source of placeOf(root).sources) expect(args).toContain(source)
    expect(args).toMatch(/-I\S+\/include\/node /)
    expect(buildAddon({ root, env: { PATH: '' } })).toEqual({ ...first, state: 'current' })
  })

  it('prefers CC, with its arguments', () => {
    const folder = fakeCompiler('mine')
    expect(buildAddon({ root, env: { PATH: '/nowhere', CC: `${folder}/mine --first` } }).state).toBe('built')
    expect(readFileSync(join(root, 'args'), 'utf8')).toMatch(/^--first -O2/)
  })

  it('is another file after a change of the sources, and the old one goes', () => {
    const env = { PATH: fakeCompiler('cc') }
    const before = placeOf(root).file as string
    buildAddon({ root, env })
    writeFileSync(join(root, 'native', 'open.c'), '/* changed */')
    const after = buildAddon({ root, env })
    expect(after).toMatchObject({ state: 'built', file: placeOf(root).file })
    expect(existsSync(before)).toBe(false)
  })

  it.each([
    ['no compiler', () => ({ env: { PATH: '/nowhere' } }), /^no C compiler on the PATH \(cc, gcc, clang, or CC\)$/],
    [
      'a compiler that fails',
      () => ({ env: { PATH: fakeCompiler('cc', 'echo "x.c:1: fatal error: stdio.h: gone" >&2; exit 1') } }),
      /^cc failed: x\.c:1: fatal error: stdio\.h: gone$/,
    ],
    ['CC that is not there', () => ({ env: { CC: '/nowhere/cc' } }), /^\/nowhere\/cc failed: .*ENOENT/],
    [
      'a Node without headers',
      () => {
        symlinkSync('/bin/sh', join(root, 'node'))
        return { env: { PATH: fakeCompiler('cc') }, execPath: join(root, 'node') }
      },
      /^no headers of Node ABI \d+ beside/,
    ],
  ])('says why not: %s; the loader says the same', (_name, options, reason) => {
    const result = buildAddon({ root, ...options() })
    expect(result).toEqual({ state: 'unavailable', reason: expect.stringMatching(reason) })
    const { reason: told } = loadFrom(placeOf(root)) as { reason: string }
    expect(told).toBe(`it was not built: ${(result as { reason: string }).reason}`)
  })
})

describe('buildAddon elsewhere', () => {
  it('says that this is not Linux', () => {
    expect(buildAddon({ root, platform: 'darwin' })).toEqual({ state: 'unavailable', reason: 'this is not Linux' })
    expect(loadFrom(placeOf(root), 'darwin')).toEqual({ addon: undefined, reason: 'this is not Linux' })
  })
})

describe('loadFrom', () => {
  it('says how to build what was not built', () => {
    expect(loadFrom(placeOf(root), 'linux')).toEqual({ addon: undefined, reason: 'it was not built (npm run build)' })
  })

  it('says why a file can not be loaded', () => {
    const place = placeOf(root)
    mkdirSync(place.folder, { recursive: true })
    writeFileSync(place.file as string, 'no library')
    expect(loadFrom(place, 'linux')).toMatchObject({
      addon: undefined,
      reason: expect.stringMatching(/^it can't be loaded: /),
    })
  })

  it('takes any addon where the sources are not there, as in an image', () => {
    const place = placeOf(root)
    mkdirSync(place.folder, { recursive: true })
    writeFileSync(place.file as string, '')
    rmSync(join(root, 'native'), { recursive: true })
    expect(placeOf(root).file).toBe(place.file)
  })
})

describe('the shared memory', () => {
  it('has one layout in C and in TypeScript', () => {
    const header = readFileSync(join(PACKAGE, 'native', 'udp_batch.h'), 'utf8')
    const number = (pattern: RegExp): number => Number(pattern.exec(header)?.[1])
    expect(number(/LAYOUT_VERSION (\d+)/)).toBe(LAYOUT_VERSION)
    expect(number(/RX_WORDS = (\d+)/)).toBe(RECEIVED.WORDS)
    expect(number(/TX_WORDS = (\d+)/)).toBe(TO_SEND.WORDS)
    const names = /enum \{\s*N_RECEIVED = 0,([^}]*)N_COUNTERS/.exec(header)?.[1] ?? ''
    expect(names.split(',').length).toBe(COUNTERS)
  })
})
