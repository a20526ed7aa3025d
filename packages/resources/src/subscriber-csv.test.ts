// SPDX-License-Identifier: MIT
//
// Subscribers of other systems: what is read, what comes out, and what is said of broken lines.
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadResources } from './load.ts'
import { type ImportedSubscriber, type ImportOptions, parseSubscribers, subscriberDocument } from './subscriber-csv.ts'

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const M = md5('alice:example.test:pw')
const S = sha256('alice:example.test:pw')

function read(text: string, options?: ImportOptions): readonly ImportedSubscriber[] {
  const result = parseSubscribers(text, options)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.subscribers
}

const ALICE = { name: 'alice', username: 'alice', domain: 'example.test', login: 'alice', account: '' }

const READ: readonly (readonly [string, string, ImportOptions | undefined, object])[] = [
  [
    'both hashes',
    `username,domain,ha1_md5,ha1_sha256\nalice,Example.test,${M.toUpperCase()},${S}`,
    undefined,
    { md5: M, sha256: S },
  ],
  ['one hash', `username,ha1_sha256\nalice,${S}`, { domain: 'example.test' }, { md5: '', sha256: S }],
  [
    "Kamailio's table",
    `"id","username","domain","password","ha1","ha1b"\n"1","alice","example.test","","${M}","${md5('alice@example.test:example.test:pw')}"`,
    undefined,
    { md5: M, sha256: '' },
  ],
  [
    'with ha1b alone',
    `username,domain,ha1,ha1b\nalice,example.test,,${md5('alice@example.test:example.test:pw')}`,
    undefined,
    { login: 'alice@example.test', md5: md5('alice@example.test:example.test:pw'), sha256: '' },
  ],
  ['a password, hashed', 'username,domain,password\nalice,example.test,pw', undefined, { md5: M, sha256: S }],
  ['htdigest', `# users\nalice:example.test:${M}\n`, undefined, { md5: M, sha256: '' }],
  ['htdigest with a realm of its own', `alice:The: realm:${M}`, { domain: 'example.test' }, { md5: M, sha256: '' }],
]

describe('an import', () => {
  test.each(READ)('reads %s', (_what, text, options, expected) => {
    expect(read(text, options)).toEqual([{ ...ALICE, ...expected }])
  })

  const BROKEN: readonly (readonly [string, string, string])[] = [
    [
      'hash',
      `username,domain,ha1_md5\nalice,example.test,${M}\nbob,example.test,hunter22`,
      '3: expected 32 hexadecimal digits in ha1_md5',
    ],
    ['user', `username,domain,ha1_md5\nal ice,example.test,${M}`, '2: expected a SIP user in username'],
    ['domain', `username,ha1_md5\nalice,${M}`, '2: expected a domain, in its column or by --domain'],
    ['columns', 'name;secret\nalice;hunter22', '1: expected columns among'],
    ['no secret at all', 'username,domain,ha1_md5\nalice,example.test,', '2: expected a hash or a password'],
    [
      'twice',
      `username,domain,ha1_md5\nalice,example.test,${M}\nalice,example.test,${M}`,
      '3: expected each user once, found the one of line 2',
    ],
    [
      'two that become one name',
      `username,domain,ha1_md5\n+49,example.test,${M}\n49,example.test,${M}`,
      '3: expected each user once',
    ],
    ['quotes', `username,domain,password\nalice,example.test,"hunter22`, '2: expected fields'],
    ['htdigest', `alice:example.test:${M}\nhunter22`, '2: expected username:realm:hash'],
    ['nothing', '\n', '1: expected a line of column names'],
  ]
  test.each(BROKEN)('of a broken line (%s) gives its number and nothing else', (_what, text, expected) => {
    const result = parseSubscribers(text)
    const said = result.ok ? '' : result.problems.map((one) => `${one.line}: ${one.expected}`).join('\n')
    expect(said).toContain(expected)
    expect(said).not.toContain('hunter22')
  })

  test('lists twenty broken lines at most', () => {
    const lines = Array.from({ length: 100 }, (_, i) => `u${i},example.test,x`)
    const result = parseSubscribers(`username,domain,ha1_md5\n${lines.join('\n')}`)
    expect(result.ok ? 0 : result.problems.length).toBe(20)
  })

  test('gives documents that load with the same hashes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tandem-import-'))
    try {
      const text = `username,domain,ha1_md5,ha1_sha256,account\n+49-30/1,example.test,${M},${S},\n"o'brien",example.test,${M},,acme\n`
      const domain =
        'apiVersion: tandem/v1\nkind: Domain\nmetadata: { name: example.test }\n---\napiVersion: tandem/v1\nkind: Account\nmetadata: { name: acme }\n'
      await writeFile(join(folder, 'all.yaml'), [domain, ...read(text).map(subscriberDocument)].join('---\n'))
      const loaded = await loadResources(['all.yaml'], { baseDir: folder, env: {} })
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
      const { resources, secrets } = loaded.set
      expect(resources.slice(2)).toMatchObject([
        { metadata: { name: '49-30-1' }, spec: { usernames: ['+49-30/1'], credentials: { username: '+49-30/1' } } },
        { metadata: { name: 'o-brien' }, spec: { usernames: ["o'brien"], account: 'acme' } },
      ])
      expect([...secrets.values()].map((ha1) => [ha1.md5?.reveal(), ha1.sha256?.reveal()])).toEqual([
        [M, S],
        [M, undefined],
      ])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
