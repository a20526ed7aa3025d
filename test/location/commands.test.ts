// SPDX-License-Identifier: MIT
// The commands that people use on bindings, against a location service behind gRPC: kick, registrations, export, import.
// Not tested here: the parsing of flags (cli), the process itself.
import { createLocationService, type LocationService } from '@tandem/location'
import { createRpcServer, location, type RpcServer, serveLocation } from '@tandem/rpc'
import { loadConfig } from '@tandem/service-kit'
import { createMemoryStore } from '@tandem/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exportBindings, importBindings } from '../../cli/src/admin/bindings.ts'
import { kick } from '../../cli/src/admin/kick.ts'
import { registrations } from '../../cli/src/admin/registrations.ts'

const BOUNDS = { minExpiresMs: 60_000, maxExpiresMs: 7_200_000, defaultExpiresMs: 3_600_000, maxContacts: 10 }
const NOW_MS = 1_700_000_000_000
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context = { msLeft: 1_000, peer: 'edge-0.a' }

interface Node {
  readonly service: LocationService
  readonly server: RpcServer
  readonly config: ReturnType<typeof loadConfig>
}

const nodes: Node[] = []

async function open(): Promise<Node> {
  const store = createMemoryStore({ now: () => NOW_MS })
  const config = { ...BOUNDS, maxSubscriptions: 3, notifyIntervalMs: 5_000 }
  const service = createLocationService({ store: store.location, config, logger: quiet as never })
  const server = createRpcServer({ onBug: (error) => expect.unreachable(String(error)) })
  serveLocation(server, { ...service.handlers, ...service.unary }, { pushes: service.pushes, ...service.hooks })
  const port = await server.listen('127.0.0.1', 0)
  const env = {
    TANDEM_LOCATION_ADDRESS: `127.0.0.1:${port}`,
    TANDEM_CLUSTER_SECRETS: '[{"id":1,"secret":"sixteen-characters"}]',
  }
  const node = { service, server, config: loadConfig({ env }) }
  nodes.push(node)
  return node
}

async function register(node: Node, aor: string, uris: readonly string[], cseq = 1, instanceId = ''): Promise<void> {
  const regId = instanceId === '' ? 0 : 1
  const contacts = uris.map((uri) => ({ uri, instanceId, regId, params: ';x="ü"' }))
  const flow = { transport: 'udp', address: '192.0.2.9', port: 5060 }
  const request = location.RegisterRequest.fromPartial({
    aor,
    callId: `call ${aor}`,
    cseq,
    userAgent: 'phone',
    contacts: contacts.map((contact) => ({ ...contact, flow, path: ['<sip:p;lr>'] })),
  })
  expect(await node.service.handlers.register(request, context)).toMatchObject({ outcome: 'done' })
}

async function bindingsOf(node: Node, aor: string) {
  const found = await node.service.handlers.locate({ aor }, context)
  return found.outcome === 'done' ? found.value.bindings : []
}

async function* linesOf(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

async function exported(node: Node): Promise<string[]> {
  const lines: string[] = []
  await exportBindings(node.config, async (line) => void lines.push(line))
  return lines
}

describe('commands on bindings', () => {
  let node: Node
  beforeEach(async () => {
    node = await open()
    await register(node, 'sip:alice@a.test', ['sip:alice@192.0.2.1', 'sip:alice@192.0.2.2;transport=tcp'])
    await register(node, 'sip:bob@a.test', ['sip:bob@192.0.2.3'], 4, '<urn:uuid:1>')
    await register(node, 'sip:carol@b.test', ['sip:carol@192.0.2.4'])
  })
  afterEach(() => Promise.all(nodes.splice(0).map(({ server }) => server.close(100))))

  it('kick removes one contact by its URI, then all; and says when nobody is there', async () => {
    const flow = await kick(node.config, 'bob@a.test', 'sip:bob@192.0.2.3', 'json')
    expect(JSON.parse(flow)).toEqual({ aor: 'sip:bob@a.test', removed: 1 })
    await kick(node.config, 'alice@A.test', 'sip:alice@192.0.2.2;transport=TCP', 'table')
    expect((await bindingsOf(node, 'sip:alice@a.test')).map(({ uri }) => uri)).toEqual(['sip:alice@192.0.2.1'])
    await expect(kick(node.config, 'alice@a.test', 'sip:alice@192.0.2.2', 'table')).rejects.toThrow(
      'sip:alice@a.test is not registered at sip:alice@192.0.2.2.',
    )
    await expect(kick(node.config, 'alice@a.test', 'no uri', 'table')).rejects.toThrow('bad_contact')
    await kick(node.config, 'alice@a.test', '', 'table')
    await expect(kick(node.config, 'alice@a.test', '', 'table')).rejects.toThrow('sip:alice@a.test is not registered.')
    expect(node.service.counts.kicked).toBe(3)
  })

  it('registrations counts and lists, of one domain or of all', async () => {
    const flags = { domain: 'A.test', count: true, limit: 100, output: 'table' } as const
    expect(await registrations(node.config, flags)).toBe('2')
    expect(await registrations(node.config, { ...flags, domain: '' })).toBe('3')
    expect(await registrations(node.config, { ...flags, domain: 'test' })).toBe('0')
    expect(JSON.parse(await registrations(node.config, { ...flags, output: 'json' }))).toEqual({
      domain: 'A.test',
      count: 2,
    })
    const table = await registrations(node.config, { ...flags, count: false })
    expect(table.split('\n')).toHaveLength(4)
    expect(table).toContain('sip:alice@192.0.2.2;transport=tcp')
    const one = await registrations(node.config, { ...flags, count: false, limit: 1, output: 'json' })
    expect(JSON.parse(one)).toHaveLength(1)
  })

  it('what is exported and imported elsewhere is the same; what is newer there stays', async () => {
    const lines = await exported(node)
    expect(lines).toHaveLength(3)
    const other = await open()
    await register(other, 'sip:bob@a.test', ['sip:bob@192.0.2.99'], 5, '<urn:uuid:1>')
    expect(await importBindings(other.config, linesOf([...lines, '']))).toBe(
      '3 bindings stored, 1 left as they were because something newer is there',
    )
    for (const aor of ['sip:alice@a.test', 'sip:carol@b.test'])
      expect(await bindingsOf(other, aor)).toEqual(await bindingsOf(node, aor))
    expect((await bindingsOf(other, 'sip:bob@a.test')).map(({ uri }) => uri)).toEqual(['sip:bob@192.0.2.99'])
    expect(await importBindings(other.config, linesOf(lines))).toContain('1 left as they were')
    expect((await bindingsOf(other, 'sip:alice@a.test')).length).toBe(2)
  })

  it.each([
    ['no json', 'line 1: expected a JSON object'],
    ['{"aor":"sip:a@b"}', 'line 1: expected "bindings", a list of one at least'],
    ['{"aor":"sip:a@b","bindings":[{"uri":"sip:a@c"}]}', 'line 1: bindings[0]: expected "expiresS"'],
    [
      '{"aor":"sip:a@b","bindings":[{"uri":"sip:a@c","expiresS":1,"callId":"x","cseq":1,"flow":{"port":"x"}}]}',
      'line 1: bindings[0]: expected "flow" as it is exported',
    ],
    ['{"aor":"sip:a@b","bindings":[{"uri":"*","expiresS":1,"callId":"x","cseq":1}]}', 'bad_request'],
  ])('says what is wrong with %s', async (line, sentence) => {
    await expect(importBindings(node.config, linesOf([line]))).rejects.toThrow(sentence)
  })
})
