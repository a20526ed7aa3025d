// SPDX-License-Identifier: MIT
//
// The golden manifests against a real API server: strict validation and admission, stored, and stored again over one another as an upgrade does;
// the chart's two programs with the tokens of their service accounts, and what those may not. Needs no helm; skipped where there is no API server.
// Leaves out what controllers and kubelets do: no pod runs.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { apiServerMissing, DEFINITIONS_ARE_THEIRS, type RunningApiServer, startApiServer } from './api-server.ts'
import type { KubeObject } from './client.ts'
import { type Container, runProgram } from './run-program.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const GOLDEN = ['loadBalancer', 'split', 'host-network', 'redis-cluster', 'redis-tls']
/** Of their pods only those on the nodes' network are more than Pod Security's `restricted` allows. */
const ON_NODES = new Set(['host-network', 'redis-cluster'])
/** Said of every headless Service, for a value that the server itself has filled in. */
const OF_ITS_OWN_DEFAULT = /^spec\.SessionAffinity is ignored for headless services$/
const missing = apiServerMissing()
const title =
  missing === undefined
    ? 'manifests at an API server of Kubernetes'
    : `manifests at an API server of Kubernetes (skipped: ${missing.replaceAll(/[()]/g, '')})`

interface Pod {
  readonly serviceAccountName: string
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
}

/** A golden manifest in a namespace of its own. */
function objectsOf(name: string, namespace: string): KubeObject[] {
  const text = readFileSync(join(ROOT, 'test/deploy/golden', `${name}.yaml`), 'utf8')
  const moved = text.replaceAll('namespace: default', `namespace: ${namespace}`)
  return parseAllDocuments(moved)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null)
}

const podOf = (objects: readonly KubeObject[], kind: string, name: string): Pod => {
  const found = objects.find((one) => one.kind === kind && one.metadata.name === name)
  return (found as unknown as { spec: { template: { spec: Pod } } }).spec.template.spec
}

describe.skipIf(missing !== undefined)(title, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-manifests-'))
  let server: RunningApiServer
  beforeAll(async () => {
    server = await startApiServer()
  }, 120_000)
  afterAll(async () => {
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  async function namespaceOf(name: string, level: string): Promise<string> {
    const namespace = `${name.toLowerCase()}-${Math.random().toString(36).slice(2, 8)}`
    const labels = { 'pod-security.kubernetes.io/warn': level }
    const made = await server.api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } })
    expect(made.status).toBe(201)
    // A controller makes it elsewhere.
    await server.api.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } })
    return namespace
  }

  /** What the server has to say of these objects. */
  async function objections(objects: readonly KubeObject[], dryRun = false): Promise<string[]> {
    const found: string[] = []
    for (const object of objects) {
      const { status, message, warnings } = await server.api.apply(object, { dryRun })
      const said = [
        ...warnings.filter((one) => !OF_ITS_OWN_DEFAULT.test(one)),
        ...(status >= 300 ? [`${status} ${message}`] : []),
      ]
      found.push(...said.map((sentence) => `${object.kind} ${object.metadata.name}: ${sentence}`))
    }
    return found
  }

  const run = (namespace: string, pod: Pod, which: 'containers' | 'initContainers', more = {}) =>
    runProgram(server, namespace, pod.serviceAccountName, pod[which]?.[0] as Container, more)

  /** The answers' status, with this token. */
  const statuses = (token: string, requests: readonly string[]) =>
    Promise.all(
      requests.map(async (line) => {
        const [method = '', path = ''] = line.split(' ')
        const body = method === 'GET' || method === 'DELETE' ? {} : { body: {} }
        return `${(await server.api.send(method, path, { token, ...body })).status} ${line}`
      }),
    )

  it.each(GOLDEN)(
    `%s: no error, no warning, tried and stored (definitions of others: ${DEFINITIONS_ARE_THEIRS ? 'theirs' : 'stand-ins'})`,
    async (name) => {
      const namespace = await namespaceOf(name, ON_NODES.has(name) ? 'privileged' : 'restricted')
      const objects = objectsOf(name, namespace)
      expect(objects.length).toBeGreaterThan(15)
      expect(await objections(objects, true)).toEqual([])
      expect(await objections(objects)).toEqual([])
    },
    60_000,
  )

  it('so are the objects in the pages on operations', async () => {
    const namespace = await namespaceOf('pages', 'restricted')
    const page = readFileSync(join(ROOT, 'docs/operations/kubernetes.md'), 'utf8')
    const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
      ([, text = '']) => parse(text) as Partial<KubeObject>,
    )
    const objects = blocks.filter(({ kind }) => kind !== undefined) as KubeObject[]
    expect(objects.map(({ kind }) => kind)).toContain('ExternalSecret')
    const placed = objects.map((one) => ({ ...one, metadata: { ...one.metadata, namespace } }))
    expect(await objections(placed)).toEqual([])
  })

  it('an unknown field is an error: the validation is strict', async () => {
    const [first] = objectsOf('loadBalancer', 'default')
    expect(await objections([{ ...(first as KubeObject), spic: {} }], true)).toMatchObject([
      expect.stringContaining('spic'),
    ])
  })

  it('another exposure, another Redis, another version are upgrades: nothing that may not change does', async () => {
    const namespace = await namespaceOf('upgrade', 'privileged')
    for (const name of GOLDEN) {
      const later = JSON.stringify(objectsOf(name, namespace)).replaceAll(
        '"tandem-0.1.0"',
        `"tandem-9-${name.toLowerCase()}"`,
      )
      const lasting = (JSON.parse(later) as KubeObject[]).filter((one) => one.kind !== 'Job' && one.kind !== 'Pod')
      expect(await objections(lasting)).toEqual([])
    }
  }, 60_000)

  it('the address: waited for, taken from the status of the Services, and nothing else may be asked', async () => {
    const namespace = await namespaceOf('address', 'restricted')
    const objects = objectsOf('split', namespace)
    await objections(objects)
    const pod = podOf(objects, 'Deployment', 'voice-tandem-edge')
    const file = join(folder, 'address')
    const early = await run(namespace, pod, 'initContainers', { FILE: file, WAIT_SECONDS: '0' })
    expect(early).toMatchObject({ status: 1, err: expect.stringContaining('has no address') })
    const services = `/api/v1/namespaces/${namespace}/services`
    for (const name of ['voice-tandem-edge-udp', 'voice-tandem-edge-tcp']) {
      const body = { status: { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } } }
      await server.api.send('PATCH', `${services}/${name}/status`, { body, type: 'application/merge-patch+json' })
    }
    const { status, err, token } = await run(namespace, pod, 'initContainers', { FILE: file })
    expect({ status, err }).toMatchObject({ status: 0 })
    expect(readFileSync(file, 'utf8')).toBe('203.0.113.7\n')
    const all = `/api/v1/namespaces/${namespace}`
    const refused = [
      `GET ${services}`,
      `GET ${services}/voice-tandem-edge-udp`,
      `PUT ${services}/voice-tandem-edge-udp/status`,
      `GET ${services}/voice-tandem-policy/status`,
      `GET ${all}/secrets`,
      `GET ${all}/secrets/my-keys`,
      `GET ${all}/configmaps`,
      `GET ${all}/pods`,
      `POST ${all}/pods`,
      'GET /api/v1/nodes',
    ]
    expect(await statuses(token, refused)).toEqual(refused.map((line) => `403 ${line}`))
  }, 60_000)

  it('the ExternalIP of a node, and of nodes nothing else', async () => {
    const namespace = await namespaceOf('nodes', 'privileged')
    const objects = objectsOf('redis-cluster', namespace)
    await objections(objects)
    const node = await server.api.send('POST', '/api/v1/nodes', {
      body: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } },
    })
    expect(node.status).toBe(201)
    const addresses = [
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'ExternalIP', address: '203.0.113.20' },
    ]
    await server.api.send('PATCH', '/api/v1/nodes/n1/status', {
      body: { status: { addresses } },
      type: 'application/merge-patch+json',
    })
    const file = join(folder, 'node-address')
    const pod = podOf(objects, 'Deployment', 'voice-tandem-edge')
    const { status, err, token } = await run(namespace, pod, 'initContainers', { FILE: file, NODE_NAME: 'n1' })
    expect({ status, err }).toMatchObject({ status: 0 })
    expect(readFileSync(file, 'utf8')).toBe('203.0.113.20\n')
    const refused = [
      'GET /api/v1/nodes',
      'GET /api/v1/nodes/n1',
      'PATCH /api/v1/nodes/n1/status',
      'DELETE /api/v1/nodes/n1',
    ]
    expect(await statuses(token, refused)).toEqual(refused.map((line) => `403 ${line}`))
  }, 60_000)

  it('gRPC certificates: made, found good, and no other Secret may be read', async () => {
    const namespace = await namespaceOf('certificates', 'restricted')
    const objects = objectsOf('loadBalancer', namespace)
    await objections(objects)
    const secrets = `/api/v1/namespaces/${namespace}/secrets`
    const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'my-keys' }, stringData: { keyRing: '[]' } }
    expect((await server.api.send('POST', secrets, { body })).status).toBe(201)
    const pod = podOf(objects, 'Job', 'voice-tandem-rpc')
    const { status, err, token } = await run(namespace, pod, 'containers')
    expect({ status, err }).toMatchObject({ status: 0 })
    expect(await run(namespace, pod, 'containers')).toMatchObject({
      status: 0,
      err: expect.stringContaining('is good'),
    })
    const made = (await server.api.send('GET', `${secrets}/voice-tandem-rpc-policy`)).body as {
      data: Record<string, string>
    }
    const certificate = new X509Certificate(Buffer.from(made.data['tls.crt'] ?? '', 'base64'))
    expect(certificate.checkHost('voice-tandem-policy')).toBe('voice-tandem-policy')
    expect(certificate.checkHost('voice-tandem-location')).toBeUndefined()
    const refused = [
      `GET ${secrets}`,
      `GET ${secrets}/my-keys`,
      `PUT ${secrets}/my-keys`,
      `DELETE ${secrets}/voice-tandem-rpc-policy`,
    ]
    expect(await statuses(token, refused)).toEqual(refused.map((line) => `403 ${line}`))
  }, 60_000)
})
