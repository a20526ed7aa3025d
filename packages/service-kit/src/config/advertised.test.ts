// SPDX-License-Identifier: MIT
// Where an edge's own address comes from, source by source and in their order. The clouds are played by a server of the test.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findAdvertised, withAdvertised } from './advertised.ts'
import { loadConfig } from './load.ts'
import { edgeConfig, policyConfig } from './views.ts'

const defaults = { 'cluster.secrets': [{ id: 1, secret: 'sixteen-characters' }] }
const config = (flags: Record<string, unknown> = {}, env: Record<string, string> = {}) =>
  loadConfig({ env, flags, defaults })

describe('the source of the advertised address', () => {
  const ALL = {
    'edge.advertisedAddress': '203.0.113.1',
    'edge.loadBalancerAddress': '203.0.113.2',
    'edge.nodeAddress': '203.0.113.3',
    'edge.bindAddress': '192.0.2.1',
  }
  const without = (...names: string[]) =>
    Object.fromEntries(Object.entries(ALL).filter(([name]) => !names.includes(name.slice('edge.'.length))))

  it.each([
    ['what is configured', ALL, { address: '203.0.113.1', source: 'configured' }],
    ['the Service', without('advertisedAddress'), { address: '203.0.113.2', source: 'loadBalancer' }],
    ['the node', without('advertisedAddress', 'loadBalancerAddress'), { address: '203.0.113.3', source: 'node' }],
    ['what is bound', { 'edge.bindAddress': '192.0.2.1' }, { address: '', source: 'bind' }],
    [
      'the node that is asked for, before a Service',
      { ...without('advertisedAddress'), 'edge.advertisedFrom': 'node' },
      { address: '203.0.113.3', source: 'node' },
    ],
    [
      'what is bound, where that is asked for',
      { ...without('advertisedAddress'), 'edge.advertisedFrom': 'bind' },
      { address: '', source: 'bind' },
    ],
  ])('%s', async (_, flags, expected) => {
    expect(await findAdvertised(config(flags))).toEqual(expected)
  })

  it('the environment names each', async () => {
    const env = { TANDEM_EDGE_NODE_ADDRESS: '203.0.113.3' }
    expect(await findAdvertised(config({}, env))).toEqual({ address: '203.0.113.3', source: 'node' })
    const more = { ...env, TANDEM_EDGE_ADVERTISED_ADDRESS: 'sip.example.test' }
    expect(await findAdvertised(config({}, more))).toEqual({ address: 'sip.example.test', source: 'configured' })
  })

  it.each([
    ['loadBalancer', /neither edge\.loadBalancerAddress nor edge\.loadBalancerAddressFile names an address/],
    ['node', /edge\.nodeAddress \(TANDEM_EDGE_NODE_ADDRESS\) does not name an address/],
  ])('%s that is asked for and gives nothing ends with 78 and a sentence', async (from, sentence) => {
    const failure = findAdvertised(config({ 'edge.advertisedFrom': from }))
    await expect(failure).rejects.toMatchObject({ exitCode: 78, message: expect.stringMatching(sentence) })
  })

  it('is what every part then sees', async () => {
    const found = await withAdvertised(config({ 'edge.nodeAddress': '203.0.113.3', 'edge.bindAddress': '10.0.0.7' }))
    expect(edgeConfig(found).advertised.udp).toEqual({ host: '203.0.113.3', port: 5_060 })
    expect(policyConfig(found).localHosts).toEqual(['10.0.0.7', '203.0.113.3'])
  })
})

describe('the file with the address of the Service', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'advertised-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const read = (text: string) => {
    const file = join(folder, 'service')
    writeFileSync(file, text)
    return findAdvertised(config({ 'edge.loadBalancerAddressFile': file }))
  }

  it.each([
    ['203.0.113.9\n', '203.0.113.9'],
    ['lb.example.test', 'lb.example.test'],
    ['{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"}]}}}', '203.0.113.9'],
    ['{"loadBalancer":{"ingress":[{"hostname":"lb.example.test"}]}}', 'lb.example.test'],
    ['[{"ip":"2001:db8::9"}]', '2001:db8::9'],
  ])('%j: %s', async (text, address) => {
    expect(await read(text)).toEqual({ address, source: 'loadBalancer' })
  })

  it.each(['', 'two words', '{', '{"loadBalancer":{}}', '[{"ip":"nonsense"}]', 'null'])(
    '%j gives nothing: 78',
    async (text) => {
      await expect(read(text)).rejects.toMatchObject({ exitCode: 78, message: /loadBalancerAddressFile/ })
    },
  )

  it('is missing: 78', async () => {
    const failure = findAdvertised(config({ 'edge.loadBalancerAddressFile': join(folder, 'none') }))
    await expect(failure).rejects.toMatchObject({ exitCode: 78, message: /expected a readable file \(ENOENT\)/ })
  })
})

describe('cloud metadata', () => {
  let server: Server
  afterEach(() => void server.close())

  /** A cloud that knows these paths; the value is what it says, given these headers. */
  async function cloud(answers: Readonly<Record<string, readonly [string, string, string]>>) {
    server = createServer((request, response) => {
      const [header, wanted, text] = answers[`${request.method} ${request.url}`] ?? []
      const isAsked = header !== undefined && request.headers[header] === wanted
      response.writeHead(isAsked ? 200 : 404).end(isAsked ? text : '')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const metadataUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return findAdvertised(config({ 'edge.advertisedFrom': 'metadata', 'edge.metadataUrl': metadataUrl }))
  }

  it.each([
    [
      'Amazon',
      {
        'PUT /latest/api/token': ['x-aws-ec2-metadata-token-ttl-seconds', '60', 'a-token'],
        'GET /latest/meta-data/public-ipv4': ['x-aws-ec2-metadata-token', 'a-token', '203.0.113.4'],
      },
    ],
    [
      'Google',
      {
        'GET /computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip': [
          'metadata-flavor',
          'Google',
          '203.0.113.4\n',
        ],
      },
    ],
    [
      'Azure',
      {
        'GET /metadata/instance/network/interface/0/ipv4/ipAddress/0/publicIpAddress?api-version=2021-02-01&format=text':
          ['metadata', 'true', '203.0.113.4'],
      },
    ],
  ] as const)('%s names the address', async (_, answers) => {
    expect(await cloud(answers)).toEqual({ address: '203.0.113.4', source: 'metadata' })
  })

  it('names none: 78 with a sentence', async () => {
    await expect(cloud({})).rejects.toMatchObject({ exitCode: 78, message: /no cloud metadata at http:/ })
  })

  it('is silent: 78 after a second, and no later', async () => {
    server = createServer(() => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const metadataUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const sinceMs = performance.now()
    const failure = findAdvertised(config({ 'edge.advertisedFrom': 'metadata', 'edge.metadataUrl': metadataUrl }))
    await expect(failure).rejects.toMatchObject({ exitCode: 78, message: /names a public address within a second/ })
    expect(performance.now() - sinceMs).toBeLessThan(3_000)
    server.closeAllConnections()
  })

  it('is not believed when it says anything but an address', async () => {
    const page = ['connection', 'keep-alive', '<html>login</html>'] as const
    await expect(cloud({ 'GET /hetzner/v1/metadata/public-ipv4': page })).rejects.toMatchObject({ exitCode: 78 })
  })
})

describe('places of listeners', () => {
  const PORTS = { udp: 5_060, tcp: 5_060, tls: 5_061, ws: 5_066, wss: 5_067 }
  const LISTENERS = Object.entries(PORTS) as [keyof typeof PORTS, number][]

  it.each(LISTENERS)('%s: its own, else what was found, with its port', async (name, port) => {
    const flags = { 'edge.bindAddress': '192.0.2.1', 'edge.nodeAddress': '203.0.113.3' }
    const found = edgeConfig(await withAdvertised(config(flags))).advertised
    expect(found[name]).toEqual({ host: '203.0.113.3', port })
    const own = await withAdvertised(config({ ...flags, [`edge.advertised.${name}`]: '203.0.113.7' }))
    const { advertised } = edgeConfig(own)
    for (const [other] of LISTENERS) {
      expect(advertised[other].host).toBe(other === name ? '203.0.113.7' : '203.0.113.3')
    }
  })

  it.each([
    ['', { host: '192.0.2.1', port: 5_060 }],
    ['sip.example.test', { host: 'sip.example.test', port: 5_060 }],
    ['203.0.113.5:30060', { host: '203.0.113.5', port: 30_060 }],
    ['[2001:db8::5]:30060', { host: '2001:db8::5', port: 30_060 }],
    ['2001:db8::5', { host: '2001:db8::5', port: 5_060 }],
  ])('%j', (text, expected) => {
    const flags = { 'edge.bindAddress': '192.0.2.1', 'edge.advertised.udp': text }
    expect(edgeConfig(config(flags)).advertised.udp).toEqual(expected)
  })

  it.each(['two words', 'host:port', 'host:1:2', '[::1', 'a/b'])('%j is refused', (text) => {
    expect(() => config({ 'edge.advertised.tcp': text })).toThrow(/edge\.advertised\.tcp .*expected host/)
  })

  it('a port is refused where several edges would all have it', () => {
    const flags = { 'edge.count': 2, 'edge.advertised.udp': '203.0.113.5:30060' }
    expect(() => config(flags)).toThrow(/expected no port/)
    expect(edgeConfig(config({ ...flags, 'edge.sharedAddress': true }), 1).advertised.udp.port).toBe(30_060)
  })

  it.each([
    [{ 'edge.bindAddress': '192.0.2.1' }, '192.0.2.1', '192.0.2.1'],
    [{ 'edge.bindAddress': '192.0.2.1', 'edge.internal.bindAddress': '10.0.0.1' }, '10.0.0.1', '10.0.0.1'],
    [{ 'edge.internal.bindAddress': '0.0.0.0', 'edge.internal.advertisedAddress': '10.0.0.9' }, '0.0.0.0', '10.0.0.9'],
  ])('the listener between edges: %j', (flags, bound, told) => {
    const { internalBindAddress, internalAddress } = edgeConfig(config(flags))
    expect([internalBindAddress, internalAddress]).toEqual([bound, told])
  })
})
