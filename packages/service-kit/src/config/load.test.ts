// SPDX-License-Identifier: MIT
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigError, type ConfigIssue } from '../errors.ts'
import { type ConfigSources, loadConfig } from './load.ts'

const SECRETS = 'cluster:\n  secrets: [{ id: 1, secret: 0123456789abcdef }]\n'
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tandem-config-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(text: string): string {
  const file = join(folder, 'cluster.yaml')
  writeFileSync(file, text)
  return file
}

const load = (text: string, more: Partial<ConfigSources> = {}) => loadConfig({ file: write(text), env: {}, ...more })

function issuesOf(attempt: () => unknown): readonly ConfigIssue[] {
  try {
    attempt()
  } catch (error) {
    if (error instanceof ConfigError) return error.issues
    throw error
  }
  throw new Error('expected a ConfigError')
}

describe('sources', () => {
  const text = `${SECRETS}edge: { basePort: 6000, count: 2 }\n`

  it('fills in defaults', () => {
    const config = load(SECRETS)
    expect(config.store.url).toBe('memory')
    expect(config.location.grpcPort).toBe(50_051)
    expect(config.edge.timers.t1Ms).toBe(500)
  })

  it('file < environment < flag', () => {
    expect(load(text).edge.basePort).toBe(6_000)
    expect(load(text, { env: { TANDEM_EDGE_BASE_PORT: '6100' } }).edge.basePort).toBe(6_100)
    const both = { env: { TANDEM_EDGE_BASE_PORT: '6100' }, flags: { 'edge.basePort': 6_200, 'edge.count': undefined } }
    expect(load(text, both).edge).toMatchObject({ basePort: 6_200, count: 2 })
  })

  it('reads each type from the environment', () => {
    const env = {
      TANDEM_EDGE_LISTENERS_TCP: 'false',
      TANDEM_POLICY_CHALLENGE_ORDER: 'MD5,SHA-256',
      TANDEM_POLICY_AUTHENTICATION: 'off',
      TANDEM_RPC_BATCH_WINDOW_MS: '0.5',
      TANDEM_CLUSTER_SECRETS: '[{"id":2,"secret":"abcdefghijklmnop"}]',
      TANDEM_CLUSTER_NAME: '42',
    }
    const config = loadConfig({ env })
    expect(config.edge.listeners.tcp).toBe(false)
    expect(config.policy).toMatchObject({ challengeOrder: ['MD5', 'SHA-256'], authentication: 'off' })
    expect(config.rpc.batchWindowMs).toBe(0.5)
    expect(config.cluster).toMatchObject({ name: '42', secrets: [{ id: 2, secret: 'abcdefghijklmnop' }] })
  })

  it('leaves environment names alone that belong to no setting: Kubernetes makes them', () => {
    const env = { TANDEM_LOCATION_SERVICE_HOST: '10.0.0.1', TANDEM_LOCATION_PORT: 'tcp://10.0.0.1:50051' }
    expect(load(SECRETS, { env }).location.grpcPort).toBe(50_051)
  })

  it('takes defaults only where nothing else sets the path', () => {
    const defaults = { 'cluster.secrets': [{ id: 9, secret: 'made-for-one-run-only' }] }
    expect(loadConfig({ env: {}, defaults }).cluster.secrets[0]?.id).toBe(9)
    expect(load(SECRETS, { defaults }).cluster.secrets[0]?.id).toBe(1)
  })

  it('adds further documents of the file that have a kind to the resources', () => {
    const config = load(`${SECRETS}---\nkind: Domain\nmetadata: { name: a }\n---\nkind: Subscriber\n`)
    expect(config.resources.documents.map((document) => document.kind)).toEqual(['Domain', 'Subscriber'])
  })

  it('resolves resource files from the folder of the cluster file', () => {
    const config = load(`${SECRETS}resources: { files: [res] }\n`)
    expect(config.resources.files).toEqual([join(folder, 'res')])
    expect(config.baseDir).toBe(folder)
  })

  it('is frozen', () => {
    const config = load(SECRETS)
    expect(Object.isFrozen(config.edge.timers)).toBe(true)
  })
})

describe('refusals', () => {
  it.each<[string, string, string, RegExp]>([
    ['an unknown key', 'edge: { bassPort: 1 }', 'edge.bassPort', /no such key/],
    ['an unknown section', 'edges: {}', 'edges', /no such key/],
    ['a wrong type', 'edge: { count: two }', 'edge.count', /number/],
    ['a value out of range', 'edge: { basePort: 70000 }', 'edge.basePort', /65535/],
    ['a word that is none of those', 'policy: { authentication: maybe }', 'policy.authentication', /digest/],
    ['a store of another kind', 'store: { url: "mysql://x" }', 'store.url', /redis/],
    ['expiries in the wrong order', 'location: { minExpiresMs: 7200000 }', 'location.minExpiresMs', /defaultExpiresMs/],
    [
      'keep-alives rarer than silent connections are closed',
      'edge: { keepAliveMs: 60000, limits: { connectionIdleMs: 60000 } }',
      'edge.keepAliveMs',
      /connectionIdleMs/,
    ],
    ...['ftp://a/b', 'http://user:word@a/b', 'http://a:99999/', 'a/b'].map<[string, string, string, RegExp]>((url) => [
      `${url}, which is nobody to ask about WebSockets`,
      `edge: { webSocket: { authorize: { url: "${url}" } } }`,
      'edge.webSocket.authorize.url',
      /http:\/\/host\/path/,
    ]),
    [
      'a header passed on that the edge writes itself',
      'edge: { webSocket: { authorize: { forwardHeaders: [cookie, Host] } } }',
      'edge.webSocket.authorize.forwardHeaders.1',
      /does not write/,
    ],
    ['edges without room for ports', 'edge: { basePort: 65000, count: 9 }', 'edge.basePort', /9 edges/],
    ['a section that is no map', 'edge: 5', 'edge', /object/],
  ])('%s: names the path and what was expected', (_name, text, path, expected) => {
    const issues = issuesOf(() => load(`${SECRETS}${text}\n`))
    expect(issues).toHaveLength(1)
    expect(issues[0]?.path).toBe(path)
    expect(issues[0]?.expected).toMatch(expected)
  })

  it('lists every bad key at once, each with where it was set', () => {
    const env = { TANDEM_EDGE_COUNT: 'x' }
    const issues = issuesOf(() => load('logging: {}\n', { env, flags: { 'edge.basePort': -1 } }))
    expect(Object.fromEntries(issues.map(({ path, origin }) => [path, origin]))).toEqual({
      'cluster.secrets': join(folder, 'cluster.yaml'),
      'edge.count': 'TANDEM_EDGE_COUNT',
      'edge.basePort': 'flag',
    })
  })

  it('never shows a secret', () => {
    const env = { TANDEM_CLUSTER_SECRETS: '[{"id":1,"secret":"short-one"}]' }
    const [issue] = issuesOf(() => loadConfig({ env }))
    expect(issue?.path).toBe('cluster.secrets.0.secret')
    expect(JSON.stringify(issue)).not.toContain('short-one')
  })

  it.each([
    ['a missing file', () => loadConfig({ file: join(folder, 'none.yaml'), env: {} }), /ENOENT/],
    ['text that is no YAML', () => load('a: [1\n'), /YAML/],
    ['a list', () => load('- 1\n'), /map/],
    ['two settings documents', () => load(`${SECRETS}---\nedge: {}\n`), /one settings document/],
  ])('%s', (_name, attempt, expected) => {
    expect(issuesOf(attempt)[0]?.expected).toMatch(expected)
  })

  it('ends a process with status 78', () => {
    expect(new ConfigError([]).exitCode).toBe(78)
  })
})
