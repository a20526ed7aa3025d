// SPDX-License-Identifier: MIT
//
// The verbs of the admin API against one on a loopback port whose services answer by hand: what is sent, what is printed, how it fails.
// Not tested here: the API itself (services/console), a cluster behind it (test/e2e/admin-api.test.ts).
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Backends, createConsoleService, hashOfToken } from '@tandem/console'
import { done, refused, resources } from '@tandem/rpc'
import { consoleConfig, loadConfig } from '@tandem/service-kit'
import { afterAll, beforeAll, expect, it, describe as suite } from 'vitest'
import { type ApplyFlags, apply, diff, remove } from './apply.ts'
import { ApiClient, problemLine } from './client.ts'
import { kindOf, nameOf } from './kinds.ts'
import { describe, exportAll, getOne, history, list } from './read.ts'
import { ndjsonOf, readSources } from './sources.ts'
import { createToken } from './token.ts'

const folder = mkdtempSync(join(tmpdir(), 'tandem-api-'))
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const REVISION = { revision: 8n, unixMs: 0n, author: 'ci', comment: 'c', manager: 'api', added: 1 }
const RESOURCE = {
  key: 'Subscriber/a.test/alice',
  kind: 'Subscriber',
  domain: 'a.test',
  name: 'alice',
  labels: { team: 'x' },
  manager: 'api',
  revision: 8n,
  json: '{"apiVersion":"tandem/v1","kind":"Subscriber","metadata":{"name":"alice","domain":"a.test"}}',
}

const asked: [string, unknown][] = []
const texts = new Map<string, string>()

async function applied(options: resources.ApplyOptions, sources: Parameters<Backends['resources']['apply']>[1]) {
  asked.push(['apply', options])
  texts.clear()
  for await (const part of sources)
    texts.set(part.file, (texts.get(part.file) ?? '') + Buffer.from(part.text).toString())
  const problem = {
    file: 'a.yaml',
    document: 1,
    line: 5,
    column: 3,
    code: 'invalid',
    path: 'spec.relam',
    expected: 'unknown key "relam"',
  }
  const isBad = [...texts.values()].some((text) => text.includes('relam'))
  const changes = [
    { key: 'Domain/a.test', action: 'changed', fields: [{ path: 'spec.realm', before: '', after: '"x"' }] },
  ]
  const answer = {
    applied: !options.dryRun,
    head: REVISION,
    changed: 1,
    changes,
    warnings: ['w'],
    problems: isBad ? [problem] : [],
  }
  return done(resources.ApplyResponse.fromPartial(answer))
}

const unused = () => Promise.reject(new Error('not asked here'))
const noted =
  <T>(method: string, answer: T) =>
  (request: unknown) => {
    asked.push([method, request])
    return Promise.resolve(done(answer))
  }
const backends: Backends = {
  ready: () => true,
  policy: { call: unused },
  location: { call: unused },
  resources: {
    apply: applied,
    get: async (request) =>
      request.name === 'alice'
        ? done(resources.GetResponse.fromPartial({ resource: RESOURCE, referredBy: ['HuntGroup/a.test/sales'] }))
        : refused('unknown_resource', 404, `there is no ${request.name}`),
    list: noted('list', resources.ListResponse.fromPartial({ resources: [RESOURCE], total: 2 })),
    delete: noted('delete', resources.ApplyResponse.fromPartial({ applied: true, removed: 1, head: REVISION })),
    export: async ({ pageToken }) =>
      done({ yaml: `page: ${pageToken || 1}\n`, nextPageToken: pageToken === '' ? '2' : '', revision: 8n }),
    listHistory: noted('listHistory', resources.ListHistoryResponse.fromPartial({ revisions: [REVISION] })),
    rollback: unused,
    getHead: unused,
  },
  close: () => Promise.resolve(),
}

const settings = loadConfig({
  env: {},
  flags: {
    'cluster.secrets': [{ id: 1, secret: 'a secret for tests only' }],
    'console.port': 0,
    'console.grpcPort': 0,
    'console.audit.file': '',
    'console.tokens': [{ name: 'ci', role: 'admin', hash: hashOfToken('right') }],
  },
})
const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
const service = createConsoleService({ config: consoleConfig(settings), backends, logger })
beforeAll(() => service.start())
afterAll(async () => {
  await service.stop()
  rmSync(folder, { recursive: true })
})

const client = (token = 'right') =>
  new ApiClient({ api: `http://127.0.0.1:${service.ports.rest}`, token }, () => settings, {})
const flags = (more: Partial<ApplyFlags> = {}): ApplyFlags => ({
  filename: [],
  prune: false,
  dryRun: false,
  comment: '',
  expectedRevision: 0,
  manager: '',
  ...more,
})

suite('apply and diff', () => {
  it('send every file in parts, and say what became of it', async () => {
    const large = `# ${'ä'.repeat(300_000)}\n`
    const filename = [file('a.yaml', 'kind: Domain\n'), file('b.yaml', large)]
    const text = await apply(client(), flags({ filename, comment: 'hello', prune: true, manager: 'ci' }), 'table')
    expect(text).toBe('warning: w\n~ Domain/a.test\n0 added, 1 changed, 0 removed, 0 unchanged: revision 8')
    expect(asked.at(-1)).toMatchObject([
      'apply',
      { comment: 'hello', replace: true, manager: 'ci', dryRun: false, author: 'ci' },
    ])
    expect([...texts.values()]).toEqual(['kind: Domain\n', large])
  })

  it('a dry run and a diff show the fields that differ', async () => {
    const filename = [file('a.yaml', 'kind: Domain\n')]
    const { text, differs } = await diff(client(), flags({ filename }), 'table')
    expect([text, differs]).toEqual([expect.stringContaining('    spec.realm: (absent) → "x"'), true])
    expect(asked.at(-1)).toMatchObject(['apply', { dryRun: true }])
  })

  it('problems are lines with file, line, column and path', async () => {
    const filename = [file('bad.yaml', 'spec: { relam: x }\n')]
    await expect(apply(client(), flags({ filename }), 'table')).rejects.toThrow(
      'nothing was applied:\na.yaml:5:3: spec.relam: unknown key "relam"',
    )
    expect(problemLine({ expected: 'x' })).toBe('x')
  })

  it('a wrong token and an API that is away are sentences', async () => {
    await expect(
      list(client('wrong'), 'all', { domain: '', selector: [], manager: '', limit: 1 }, 'table'),
    ).rejects.toThrow(/wrong_token/)
    const away = new ApiClient({ api: 'http://127.0.0.1:9' }, () => settings, {})
    await expect(history(away, { limit: 1 }, 'table')).rejects.toThrow(/does not answer .*--api/)
  })
})

suite('reading', () => {
  it('get and describe', async () => {
    const one = nameOf(kindOf('subscribers'), 'alice@a.test')
    expect(await getOne(client(), one, 'yaml')).toBe(
      'apiVersion: tandem/v1\nkind: Subscriber\nmetadata:\n  name: alice\n  domain: a.test',
    )
    expect(await describe(client(), one, 'table')).toContain('referred to by:\n  HuntGroup/a.test/sales')
    await expect(getOne(client(), { ...one, name: 'bob' }, 'table')).rejects.toThrow(
      /there is no bob \(unknown_resource\)/,
    )
    const table = await list(
      client(),
      'subscriber',
      { domain: 'a.test', selector: ['team=x'], manager: '', limit: 1 },
      'table',
    )
    expect(table.split('\n').at(1)).toBe('Subscriber  alice  a.test  team=x  api      8')
    expect(table).toContain('(1 more: raise --limit)')
    expect(asked.at(-1)).toMatchObject([
      'list',
      { kind: 'Subscriber', domain: 'a.test', labels: { team: 'x' }, pageSize: 1 },
    ])
  })

  it('export joins pages; history', async () => {
    const pages: string[] = []
    for await (const page of exportAll(client(), { kind: '', domain: '', manager: '' })) pages.push(page)
    expect(pages).toEqual(['page: 1', 'page: 2'])
    expect(await history(client(), { limit: 5 }, 'table')).toContain('8         1970-01-01T00:00:00.000Z  ci')
  })

  it('delete takes names and files', async () => {
    const filename = [file('gone.yaml', 'kind: Domain\nmetadata: { name: b.test }\n')]
    await remove(client(), ['Trunk/x'], { ...flags(), filename }, 'table')
    expect(asked.at(-1)).toMatchObject(['delete', { keys: ['Trunk/x', 'Domain/b.test'] }])
  })
})

suite('names', () => {
  it.each([
    ['subscribers', 'Subscriber'],
    ['hunt-group', 'HuntGroup'],
    ['DOMAIN', 'Domain'],
  ])('%s is %s', (text, kind) => expect(kindOf(text)).toBe(kind))

  it('an unknown kind is named with the nearest', () => {
    expect(() => kindOf('Subscribr')).toThrow(/did you mean Subscriber/)
    expect(() => nameOf('Subscriber', 'alice')).toThrow(/--domain/)
    expect(nameOf('Subscriber', 'a.test/alice')).toEqual({ kind: 'Subscriber', domain: 'a.test', name: 'alice' })
    expect(nameOf('Trunk', 'a@b')).toEqual({ kind: 'Trunk', domain: '', name: 'a@b' })
  })
})

suite('sources', () => {
  it('a folder as Kubernetes mounts it is read once', () => {
    const mount = join(folder, 'mount')
    mkdirSync(join(mount, '..2026_11_23'), { recursive: true })
    writeFileSync(join(mount, '..2026_11_23/a.yaml'), 'kind: Domain\n')
    writeFileSync(join(mount, '..2026_11_23/password'), 'hush')
    symlinkSync('..2026_11_23', join(mount, '..data'))
    for (const key of ['a.yaml', 'password']) symlinkSync(join('..data', key), join(mount, key))
    expect(readSources([mount])).toEqual([{ file: join(mount, 'a.yaml'), text: 'kind: Domain\n' }])
  })

  it('ConfigMaps and Secrets count for the documents in them', () => {
    const data = Buffer.from('kind: Trunk\n').toString('base64')
    const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: m }\ndata:\n  a.yaml: |\n    kind: Domain\n  notes: x\n---\napiVersion: v1\nkind: Secret\nmetadata: { name: s }\ndata: { b.yaml: ${data} }\n`
    const path = file('k8s.yaml', text)
    expect(readSources([path])).toEqual([
      { file: `${path}#m/a.yaml`, text: 'kind: Domain\n' },
      { file: `${path}#s/b.yaml`, text: 'kind: Trunk\n' },
    ])
  })

  it('standard input, what is not there, an empty folder', () => {
    expect(readSources(['-'], () => 'x: 1')).toEqual([{ file: 'stdin', text: 'x: 1' }])
    expect(() => readSources([join(folder, 'nowhere')])).toThrow(/ENOENT/)
    mkdirSync(join(folder, 'empty'))
    expect(() => readSources([join(folder, 'empty')])).toThrow(/no file that ends in/)
    expect([...ndjsonOf([{ file: 'e', text: '' }])]).toEqual(['{"file":"e","text":""}\n'])
  })
})

it('token create prints a token and the hash of it', () => {
  expect(createToken({ name: 'ci', role: 'admin' }, 'table', 'right')).toContain(
    `- { name: ci, role: admin, hash: ${hashOfToken('right')} }`,
  )
  const { token, hash } = JSON.parse(createToken({ name: 'ci', role: 'read' }, 'json')) as {
    token: string
    hash: string
  }
  expect([token, hash]).toEqual([expect.stringMatching(/^tandem_[\w-]{43}$/), hashOfToken(token)])
})
