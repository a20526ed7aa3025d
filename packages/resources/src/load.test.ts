// SPDX-License-Identifier: MIT
//
// Loading: what a person reads when a file is wrong, and that what is right comes out whole. Not tested here: planning.
import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { describeProblem } from './errors.ts'
import { loadResources, type ResourceSet, type ResourceSource } from './load.ts'
import { parseYaml } from './parse-yaml.ts'
import { Secret } from './secret.ts'

const HEAD = 'apiVersion: tandem/v1\n'
const DOMAIN = `${HEAD}kind: Domain\nmetadata: { name: example.test }\n`
const alice = (spec: string) =>
  `${HEAD}kind: Subscriber\nmetadata: { name: alice, domain: example.test }\nspec: ${spec}\n`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-resources-'))
})
afterAll(() => rm(folder, { recursive: true }))

const write = (name: string, text: string) => writeFile(join(folder, name), text)

async function load(sources: readonly ResourceSource[], env: Record<string, string> = {}) {
  return loadResources(sources, { baseDir: folder, env })
}

async function mustLoad(sources: readonly ResourceSource[], env?: Record<string, string>): Promise<ResourceSet> {
  const result = await load(sources, env)
  if (!result.ok) throw new Error(result.problems.map(describeProblem).join('\n'))
  return result.set
}

async function problemsOf(text: string): Promise<string[]> {
  await write('bad.yaml', text)
  const result = await load(['bad.yaml'])
  return result.ok ? [] : result.problems.map((p) => describeProblem(p).replace(`${folder}/`, ''))
}

const BAD: readonly (readonly [what: string, text: string, expected: string])[] = [
  ['unknown kind', `${HEAD}kind: Subscribr\n`, 'bad.yaml:2:1: kind: expected one of Domain, Subscriber'],
  ['other version', 'apiVersion: v2\nkind: Domain\n', 'bad.yaml:1:1: apiVersion: expected tandem/v1'],
  [
    'unknown key',
    `${DOMAIN}spec:\n  relam: x\n`,
    'bad.yaml:5:3: spec.relam: unknown key "relam"; did you mean "realm"?',
  ],
  ['wrong type', `${DOMAIN}spec:\n  accounting: 7\n`, 'bad.yaml:5:3: spec.accounting: expected boolean'],
  ['wrong choice', `${DOMAIN}spec: { identity: maybe }\n`, 'spec.identity: expected one of "reject"|"assert"|"off"'],
  ['twice the same', `${DOMAIN}spec: { challenge: [MD5, MD5] }\n`, 'spec.challenge: expected each algorithm once'],
  ['second document', `${DOMAIN}---\n${alice('{ maxContacts: 0 }')}`, 'bad.yaml:8:9: spec.maxContacts: '],
  ['no password and no ha1', `${DOMAIN}---\n${alice('{ credentials: {} }')}`, 'spec.credentials: expected either'],
  ['no such domain', alice('{}'), 'metadata.domain: expected an existing resource; there is no Domain/example.test'],
  ['no such account', `${DOMAIN}---\n${alice('{ account: x }')}`, 'spec.account: expected an existing resource'],
  [
    'a likely key',
    `${DOMAIN}spec: { trust: { source: [] } }\n`,
    'bad.yaml:4:18: spec.trust.source: unknown key "source"; did you mean "sources"?',
  ],
  [
    'a likely name',
    `${DOMAIN}---\n${alice('{}').replace('example', 'exmaple')}`,
    'did you mean "Domain/example.test"?',
  ],
  [
    'place behind separators',
    `# of the first\n---\n---\n${DOMAIN}spec:\n  - 1\n`,
    'bad.yaml:7:1: spec: expected object',
  ],
  ['same name twice', `${DOMAIN}---\n${DOMAIN}`, 'metadata.name: expected a name of its own; Domain/example.test has'],
  ['syntax', 'apiVersion: [\n', 'bad.yaml:2:1: expected valid YAML'],
  ['not a mapping', '- 1\n', 'bad.yaml:1:1: expected a mapping'],
]

describe('problems name file, line, document, key and what was expected', () => {
  test.each(BAD)('%s', async (_what, text, expected) => {
    const problems = await problemsOf(text)
    expect(
      problems.some((line) => line.includes(expected)),
      problems.join('\n'),
    ).toBe(true)
  })

  test('all problems of all documents at once', async () => {
    expect(await problemsOf(`${DOMAIN}spec: { a: 1 }\n---\n${DOMAIN}spec: { identity: 1 }\n`)).toHaveLength(2)
  })

  test('a missing file is a problem, not an exception', async () => {
    const result = await load(['nowhere.yaml'])
    expect(result.ok ? [] : result.problems.map((p) => p.expected)).toEqual([
      'expected a readable file or folder (ENOENT)',
    ])
  })

  test('anchors that multiply are refused', () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) => `a${i + 1}: &a${i + 1} [${'*a'.concat(String(i), ',').repeat(9)}]`,
    )
    const { problems } = parseYaml(`a0: &a0 [x]\n${levels.join('\n')}\n`, 'bomb.yaml')
    expect(problems.map((p) => p.code)).toEqual(['syntax'])
  })

  test('two subscribers of one user', async () => {
    const bob = alice('{ usernames: [alice] }').replace('name: alice', 'name: bob')
    expect(await problemsOf(`${DOMAIN}---\n${alice('{}')}---\n${bob}`)).toEqual([
      'bad.yaml:13:9: spec.usernames: expected a name of its own; Subscriber/example.test/alice has this one',
    ])
  })
})

describe('sources', () => {
  test('a folder is read in the order of names, hidden files and others left alone', async () => {
    await mkdir(join(folder, 'set/..data'), { recursive: true })
    await write('set/2.yml', alice('{}'))
    await write('set/1.yaml', `${DOMAIN}---\n`)
    await write('set/readme.txt', 'not yaml: [')
    const { resources } = await mustLoad(['set'])
    expect(resources.map((r) => r.kind)).toEqual(['Domain', 'Subscriber'])
  })

  test('inline documents, with their defaults', async () => {
    const { resources } = await mustLoad([{ apiVersion: 'tandem/v1', kind: 'Domain', metadata: { name: 'A.Test' } }])
    expect(resources[0]).toMatchObject({
      metadata: { name: 'a.test', labels: {} },
      spec: { authentication: 'required', identity: 'reject', accounting: true, aliases: [] },
    })
  })

  const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
  const EXAMPLES = [...globSync('examples/*.yaml', { cwd: ROOT }).sort(), 'bench/configs/open.yaml']
  test.each(EXAMPLES)('%s holds together', async (file) => {
    const text = await readFile(join(ROOT, file), 'utf8')
    const values = parseAllDocuments(text).map((one): unknown => one.toJS())
    const documents = values.filter(
      (one): one is { kind: string } => typeof one === 'object' && one !== null && 'kind' in one,
    )
    const { resources } = await mustLoad(documents)
    expect(resources.length).toBe(documents.length)
    expect(resources.length).toBeGreaterThan(1)
  })
})

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

describe('secrets', () => {
  test('from the text, a file and the environment', async () => {
    await write('secret', 'from file\n')
    const subscriber = (name: string, password: unknown) => ({
      apiVersion: 'tandem/v1',
      kind: 'Subscriber',
      metadata: { name, domain: 'example.test' },
      spec: { credentials: { password } },
    })
    await write('domain.yaml', DOMAIN)
    const set = await mustLoad(
      ['domain.yaml', subscriber('a', 'inline'), subscriber('b', { file: 'secret' }), subscriber('c', { env: 'PW' })],
      { PW: 'from env' },
    )
    const expected = [...'abc'].map((user, i) => md5(`${user}:example.test:${['inline', 'from file', 'from env'][i]}`))
    expect([...set.secrets.values()].map(({ md5: hash }) => hash?.reveal())).toEqual(expected)
  })

  test('a secret is never printed', async () => {
    await write('secrets.yaml', `${DOMAIN}---\n${alice('{ credentials: { password: hunter22 } }')}`)
    const set = await mustLoad(['secrets.yaml'])
    const printed = [JSON.stringify(set), inspect(set, { depth: 9 }), String([...set.secrets.values()])].join()
    expect(printed).not.toContain('hunter22')
    expect(printed).toContain('[secret]')
  })

  test('no password outlives its loading, not even in the documents that were given', async () => {
    const given = [
      { apiVersion: 'tandem/v1', kind: 'Domain', metadata: { name: 'Example.Test' }, spec: { realm: 'the realm' } },
      {
        apiVersion: 'tandem/v1',
        kind: 'Subscriber',
        metadata: { name: 'alice', domain: 'example.test' },
        spec: { usernames: ['al'], credentials: { password: 'hunter22' } },
      },
    ]
    const set = await mustLoad(given)
    expect(JSON.stringify(given)).not.toContain('hunter22')
    const ha1 = { md5: md5('al:the realm:hunter22'), sha256: sha256('al:the realm:hunter22') }
    expect(given[1]).toMatchObject({ spec: { credentials: { ha1 } } })
    const revealed: string[] = []
    const reveal = (value: unknown): void => {
      if (value instanceof Secret) revealed.push(value.reveal())
      else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) reveal(inner)
    }
    reveal(set.resources)
    expect(revealed.sort()).toEqual([ha1.md5, ha1.sha256].sort())
    const again = await mustLoad(given)
    expect(again.revision).toBe(set.revision)
    expect(again.secrets.get('Subscriber/example.test/alice')?.sha256?.reveal()).toBe(ha1.sha256)
  })

  test('another password is another revision', async () => {
    const written = (password: string) => `${DOMAIN}---\n${alice(`{ credentials: { password: ${password} } }`)}`
    await write('one.yaml', written('one'))
    await write('two.yaml', written('two'))
    expect((await mustLoad(['one.yaml'])).revision).not.toBe((await mustLoad(['two.yaml'])).revision)
  })

  test('hashes may come from a file too, and are looked at', async () => {
    await write('hash', `${md5('x').toUpperCase()}\n`)
    await write('ha1.yaml', `${DOMAIN}---\n${alice('{ credentials: { ha1: { md5: { file: hash } } } }')}`)
    const { secrets } = await mustLoad(['ha1.yaml'])
    expect(secrets.get('Subscriber/example.test/alice')?.md5?.reveal()).toBe(md5('x'))
    await write('no-hash', 'hunter22')
    const problems = await problemsOf(`${DOMAIN}---\n${alice('{ credentials: { ha1: { md5: { file: no-hash } } } }')}`)
    expect(problems.join()).toContain('spec.credentials.ha1.md5: expected 32 hexadecimal digits there')
    expect(problems.join()).not.toContain('hunter22')
  })

  test('a problem beside a secret does not show it', async () => {
    const problems = await problemsOf(
      `${DOMAIN}---\n${alice('{ credentials: { password: [hunter22], user: hunter22 } }')}`,
    )
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.join()).not.toContain('hunter22')
  })

  test('are neither read nor missed by a process that must not know them', async () => {
    await write('domain.yaml', DOMAIN)
    const source = { apiVersion: 'tandem/v1', kind: 'Subscriber', metadata: { name: 'a', domain: 'example.test' } }
    const sources = ['domain.yaml', { ...source, spec: { credentials: { password: { env: 'NOT_SET' } } } }]
    const loaded = await loadResources(sources, { baseDir: folder, env: {}, withoutSecrets: true })
    expect(loaded).toMatchObject({ ok: true, set: { secrets: new Map() } })
  })

  test('a variable that is not set is a problem', async () => {
    const problems = await problemsOf(`${DOMAIN}---\n${alice('{ credentials: { password: { env: NOT_SET } } }')}`)
    expect(problems.join()).toContain('expected the environment variable NOT_SET to be set')
  })
})
