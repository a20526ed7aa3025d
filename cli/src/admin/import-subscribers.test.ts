// SPDX-License-Identifier: MIT
//
// The command around the reader: a file that only its owner reads, all or nothing.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { importSubscribers } from './import-subscribers.ts'

const HASH = '0123456789abcdef0123456789abcdef'
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-import-'))
  await writeFile(join(folder, 'users.csv'), `username,domain,ha1_md5\nalice,a.test,${HASH}\nbob,a.test,${HASH}\n`)
  await writeFile(join(folder, 'broken.csv'), `username,domain,ha1_md5\nalice,a.test,${HASH}\nbob,a.test,oops\n`)
})
afterAll(() => rm(folder, { recursive: true }))

const run = (file: string, out?: string) => {
  const printed: string[] = []
  const flags = out === undefined ? {} : { out: join(folder, out) }
  return { printed, done: importSubscribers(join(folder, file), flags, (text) => printed.push(text)) }
}

test('prints the documents, or writes them where only their owner reads them', async () => {
  const shown = run('users.csv')
  expect(await shown.done).toBe('2 subscribers')
  expect(await run('users.csv', 'users.yaml').done).toContain('2 subscribers in')
  expect((await readFile(join(folder, 'users.yaml'), 'utf8')).trimEnd()).toBe(shown.printed.join())
  expect(((await stat(join(folder, 'users.yaml'))).mode & 0o777).toString(8)).toBe('600')
  await expect(run('users.csv', 'users.yaml').done).rejects.toThrow('is there already')
})

test('a broken line is named, and nothing is written', async () => {
  const before = await readdir(folder)
  await expect(run('broken.csv', 'broken.yaml').done).rejects.toThrow('broken.csv:3: expected 32 hexadecimal digits')
  await expect(run('missing.csv').done).rejects.toThrow('can not be read')
  expect(await readdir(folder)).toEqual(before)
})
