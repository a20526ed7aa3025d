// SPDX-License-Identifier: MIT
//
// `helm install`, `upgrade`, `rollback` and `uninstall` at a real API server, hooks included: what controllers and kubelets would do with the hooks' Jobs the
// test does (it runs their program with their service account, and writes their status). Needs `helm`; skipped without it or an API server.
// Leaves out pods: nothing of the release runs.
import { spawn, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { CHART, hasHelm } from '../chart.ts'
import { apiServerMissing, type RunningApiServer, startApiServer } from './api-server.ts'
import type { KubeObject } from './client.ts'
import { type Container, runProgram } from './run-program.ts'

const missing = hasHelm ? apiServerMissing() : 'there is no `helm` on the PATH'
const title =
  missing === undefined
    ? 'helm at an API server'
    : `helm at an API server (skipped: ${missing.replaceAll(/[()]/g, '')})`

const NAMESPACE = 'phones'
const FIRST = { secrets: { existingSecret: 'my-keys' } }
const LATER = {
  ...FIRST,
  edge: {
    exposure: 'split',
    replicas: 4,
    tls: {
      certManager: { enabled: true, issuerRef: { name: 'le', kind: 'ClusterIssuer' }, dnsNames: ['example.test'] },
    },
  },
  console: { enabled: true, tokens: [{ name: 'ci', role: 'operate', secret: 'tokens', key: 'ci' }] },
  monitoring: {
    serviceMonitor: { enabled: true },
    prometheusRule: { enabled: true },
    dashboards: { enabled: true },
  },
}

interface Job {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly template: {
      readonly spec: { readonly serviceAccountName: string; readonly containers: readonly Container[] }
    }
  }
  readonly status?: { readonly conditions?: readonly unknown[] }
}

describe.skipIf(missing !== undefined)(title, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-helm-install-'))
  const said: string[] = []
  let server: RunningApiServer
  let isOver = false
  let standIn: Promise<void> = Promise.resolve()
  beforeAll(async () => {
    server = await startApiServer()
    const { api } = server
    await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
    await api.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: NAMESPACE } })
    standIn = runJobs()
  }, 120_000)
  afterAll(async () => {
    isOver = true
    await standIn
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const jobsPath = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`

  /** Until the end of the test. */
  async function runJobs(): Promise<void> {
    while (!isOver) {
      const { items = [] } = (await server.api.send('GET', jobsPath)).body as { items?: Job[] }
      for (const job of items.filter(({ status }) => status?.conditions === undefined))
        await runJob(job).catch((error: Error) => said.push(`${job.metadata.name}: ${error.message}\n`))
      await new Promise((done) => setTimeout(done, 100))
    }
  }

  async function runJob({ metadata, spec }: Job): Promise<void> {
    const pod = spec.template.spec
    const ended = await runProgram(server, NAMESPACE, pod.serviceAccountName, pod.containers[0] as Container)
    said.push(ended.err)
    const time = new Date(Date.now() - 1_000).toISOString().replace(/\.\d+/, '')
    const condition = (type: string): object => ({
      type,
      status: 'True',
      lastProbeTime: time,
      lastTransitionTime: time,
    })
    const done = {
      succeeded: 1,
      completionTime: time,
      conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
    }
    const failed = { failed: 1, conditions: [condition('FailureTarget'), condition('Failed')] }
    const body = { status: { startTime: time, ...(ended.status === 0 ? done : failed) } }
    const path = `${jobsPath}/${metadata.name}/status`
    const { status, message } = await server.api.send('PATCH', path, { body, type: 'application/merge-patch+json' })
    if (status !== 200 && status !== 404) throw new Error(message)
  }

  /** Output and status of a verb of helm for the release `voice`. */
  function helm(verb: string, values?: object, ...more: string[]): Promise<{ status: number | null; out: string }> {
    const file = join(folder, 'values.yaml')
    writeFileSync(file, stringify(values ?? {}))
    const chart = values === undefined ? [] : [CHART, '-f', file]
    const args = [
      verb,
      'voice',
      ...chart,
      '-n',
      NAMESPACE,
      '--kubeconfig',
      server.kubeconfig,
      '--timeout',
      '60s',
      ...more,
    ]
    const child = spawn('helm', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => {
        out += text.toString()
      })
    return new Promise((done) => child.on('close', (status) => done({ status, out })))
  }

  const get = async (path: string) =>
    (await server.api.send('GET', path)).body as never as KubeObject & { items: KubeObject[] }
  const secret = async (name: string) =>
    ((await get(`/api/v1/namespaces/${NAMESPACE}/secrets/${name}`)).data ?? {}) as Record<string, string>
  const names = async (group: string, plural: string) =>
    (await get(`${group}/namespaces/${NAMESPACE}/${plural}`)).items.map(({ metadata }) => metadata.name).sort()

  it('installs, its certificates made before anything that reads them', async () => {
    const installed = await helm('install', FIRST)
    expect(installed, `${installed.out}${said.join('')}`).toMatchObject({ status: 0 })
    expect(said.join('')).toContain('made the authority voice-tandem-rpc-ca')
    for (const part of ['edge', 'location', 'policy', 'records', 'console']) {
      const certificate = new X509Certificate(
        Buffer.from((await secret(`voice-tandem-rpc-${part}`))['tls.crt'] ?? '', 'base64'),
      )
      expect(certificate.checkHost(`voice-tandem-${part}.${NAMESPACE}.svc`)).toBeDefined()
    }
    expect(await names('/apis/apps/v1', 'deployments')).toEqual([
      'voice-tandem-edge',
      'voice-tandem-location',
      'voice-tandem-policy',
    ])
  }, 90_000)

  it('upgrades to other values; certificates stay; what replaces a deployment by another does not happen', async () => {
    const before = await secret('voice-tandem-rpc-policy')
    const { metadata } = await get(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/voice-tandem-edge`)
    expect(await helm('upgrade', LATER)).toMatchObject({ status: 0 })
    expect(said.at(-1)).toContain('is good')
    expect(await secret('voice-tandem-rpc-policy')).toEqual(before)
    const edge = await get(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/voice-tandem-edge`)
    expect(edge).toMatchObject({ metadata: { uid: (metadata as { uid?: string }).uid }, spec: { replicas: 4 } })
    expect(await names('/api/v1', 'services')).toContain('voice-tandem-edge-udp')
    expect(await names('/apis/monitoring.coreos.com/v1', 'prometheusrules')).toEqual(['voice-tandem'])
  }, 90_000)

  it('refuses an upgrade without a key ring, and changes nothing', async () => {
    const { status, out } = await helm('upgrade', {}, '--reset-values')
    expect(status).not.toBe(0)
    expect(out).toContain('No key ring is given: set secrets.existingSecret')
    const history = spawnSync(
      'helm',
      ['history', 'voice', '-n', NAMESPACE, '--kubeconfig', server.kubeconfig, '-o', 'json'],
      { encoding: 'utf8' },
    )
    expect(JSON.parse(history.stdout)).toMatchObject([{ status: 'superseded' }, { status: 'deployed' }])
  })

  it('goes back, and goes away, but for its certificates', async () => {
    expect(await helm('rollback', undefined, '1')).toMatchObject({ status: 0 })
    expect(await names('/api/v1', 'services')).not.toContain('voice-tandem-edge-udp')
    expect(await helm('uninstall')).toMatchObject({ status: 0 })
    expect(await names('/apis/apps/v1', 'deployments')).toEqual([])
    expect(await names('/api/v1', 'secrets')).toEqual(
      ['ca', 'console', 'edge', 'location', 'policy', 'records'].map((part) => `voice-tandem-rpc-${part}`),
    )
  }, 90_000)
})
