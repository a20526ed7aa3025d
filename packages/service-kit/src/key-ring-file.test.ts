// SPDX-License-Identifier: MIT
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadConfig } from './config/load.ts'
import type { ConfigError } from './errors.ts'
import { KeyRingFollower, parseKeyRing } from './key-ring-file.ts'

const OLD = { id: 1, secret: 'the-old-one-of-the-test' }
const NEW = { id: 2, secret: 'the-new-one-of-the-test' }

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tandem-ring-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function following(file: string) {
  const used: (readonly { id: number }[])[] = []
  const lines: string[] = []
  const log = (...parts: unknown[]) => void lines.push(JSON.stringify(parts))
  const use = (ring: readonly { id: number }[]) => void used.push(ring)
  const follower = new KeyRingFollower({ file, ring: [OLD], logger: { info: log, error: log }, use })
  return { follower, used, lines }
}

it('takes a changed file into use, once, and logs ids alone', async () => {
  const file = join(folder, 'ring')
  writeFileSync(file, JSON.stringify([OLD]))
  const { follower, used, lines } = following(file)
  await follower.look()
  expect(used).toEqual([])
  writeFileSync(file, JSON.stringify([NEW, OLD]))
  await follower.look()
  await follower.look()
  expect(used).toEqual([[NEW, OLD]])
  expect([follower.ids, follower.counts]).toEqual([[2, 1], { changes: 1, failures: 0 }])
  expect(lines.join('\n')).toContain('"signs":2')
  expect(lines.join('\n')).not.toMatch(/-of-the-test/)
})

it('a file that is still being written waits for the next look', async () => {
  const file = join(folder, 'ring')
  writeFileSync(file, `- { id: 2, secret: ${NEW.secret} }\n`)
  const { follower, used } = following(file)
  const looked = follower.look()
  const writing = setInterval(() => appendFileSync(file, '# more is to come\n'), 1)
  await looked
  clearInterval(writing)
  expect([used, follower.counts]).toEqual([[], { changes: 0, failures: 0 }])
  appendFileSync(file, `- { id: 1, secret: ${OLD.secret} }\n`)
  await follower.look()
  expect(used).toEqual([[NEW, OLD]])
})

it('sees a link that is swapped, as a mounted Secret is', async () => {
  const version = (name: string, ring: unknown) => {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'ring'), JSON.stringify(ring))
  }
  version('v1', [OLD])
  version('v2', [OLD, NEW])
  symlinkSync('v1', join(folder, '..data'))
  symlinkSync('..data/ring', join(folder, 'ring'))
  const { follower, used } = following(join(folder, 'ring'))
  await follower.look()
  symlinkSync('v2', join(folder, '..next'))
  renameSync(join(folder, '..next'), join(folder, '..data'))
  await follower.look()
  expect(used).toEqual([[OLD, NEW]])
})

it.each([
  ['nothing', ''],
  ['no list', 'hello: [world'],
  ['an empty list', '[]'],
  ['a short secret', '[{"id":1,"secret":"short"}]'],
  ['an id twice', JSON.stringify([OLD, { ...NEW, id: 1 }])],
  ['another key in it', JSON.stringify([{ ...OLD, more: 1 }])],
])('a file with %s changes nothing, is told once, and is taken when it is mended', async (_what, text) => {
  const file = join(folder, 'ring')
  writeFileSync(file, text)
  const { follower, used, lines } = following(file)
  await follower.look()
  await follower.look()
  expect([used, follower.counts.failures, lines.length, follower.ids]).toEqual([[], 1, 1, [1]])
  expect(parseKeyRing(text)).toBeUndefined()
  writeFileSync(file, JSON.stringify([NEW]))
  await follower.look()
  expect(used).toEqual([[NEW]])
})

it('a file that is gone changes nothing', async () => {
  const { follower, used } = following(join(folder, 'none'))
  await follower.look()
  expect([used, follower.counts.failures]).toEqual([[], 1])
})

const issuesOf = (flags: Record<string, unknown>): string => {
  try {
    loadConfig({ env: {}, flags })
    return ''
  } catch (error) {
    return (error as ConfigError).issues.map(({ path, expected }) => `${path}: ${expected}`).join('; ')
  }
}

it('the configuration takes its ring from the file; both at once, no file and no ring are errors that say so', () => {
  const file = join(folder, 'ring')
  writeFileSync(file, `- { id: 7, secret: ${OLD.secret} }\n`)
  const config = loadConfig({ env: { TANDEM_CLUSTER_SECRETS_FILE: file } })
  expect(config.cluster.secrets).toEqual([{ id: 7, secret: OLD.secret }])
  expect(issuesOf({ 'cluster.secretsFile': file, 'cluster.secrets': [NEW] })).toMatch(
    /either this or `cluster.secrets`/,
  )
  expect(issuesOf({ 'cluster.secretsFile': join(folder, 'none') })).toMatch(/readable file \(ENOENT\)/)
  writeFileSync(file, 'x')
  expect(issuesOf({ 'cluster.secretsFile': file })).toMatch(/a list of \{ id, secret \}/)
})
