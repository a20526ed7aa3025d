// SPDX-License-Identifier: MIT
//
// An API server of Kubernetes for tests: etcd and kube-apiserver on loopback, with RBAC, service accounts and the definitions of what the chart
// uses of others. No controllers and no nodes: objects are validated, admitted and stored, and nothing acts on them.
// `npm run kube-apiserver` builds one; TANDEM_KUBE_APISERVER or the PATH may name another.
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { findProgram, freePorts, type ManagedProcess, startProcess, waitUntil } from '@tandem/test-kit'
import { parseAllDocuments } from 'yaml'
import { KubeApi, type KubeObject } from './client.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const CACHE = join(ROOT, '.cache', 'kube')
const THEIRS = join(CACHE, 'definitions')
const START_MS = 60_000
const ADMIN = 'token-of-the-admin-of-this-test'

const BINARY = [process.env.TANDEM_KUBE_APISERVER ?? '', join(CACHE, 'kube-apiserver')].find(
  (file) => file !== '' && existsSync(file),
)

/** Why there is none; undefined where one can be started. */
export function apiServerMissing(): string | undefined {
  if (BINARY === undefined && !findProgram(['kube-apiserver'], '').available)
    return 'there is no kube-apiserver: `npm run kube-apiserver` builds one, TANDEM_KUBE_APISERVER names one'
  const etcd = findProgram(['etcd'], 'etcd-server')
  return etcd.available ? undefined : etcd.reason
}

/** Whose definitions of Certificate, PodMonitor and so on are used. */
export const DEFINITIONS_ARE_THEIRS = existsSync(THEIRS)

export interface RunningApiServer {
  readonly api: KubeApi
  /** For programs that take a kubeconfig, as an administrator. */
  readonly kubeconfig: string
  /** The server's certificate, for NODE_EXTRA_CA_CERTS. */
  readonly caFile: string
  stop(): Promise<void>
}

export async function startApiServer(): Promise<RunningApiServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-kube-'))
  const processes: ManagedProcess[] = []
  const stop = async (): Promise<void> => {
    for (const one of processes.reverse()) await one.stop(3_000)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const [client, peer, port] = (await freePorts(3)) as [number, number, number]
    processes.push(await startEtcd(folder, client, peer))
    processes.push(await startServer(folder, client, port))
    const caFile = join(folder, 'certs', 'apiserver.crt')
    await waitUntil('the certificate', () => existsSync(caFile), START_MS)
    const api = new KubeApi(`https://127.0.0.1:${port}`, readFileSync(caFile, 'utf8'), ADMIN)
    await waitUntil('/readyz', () => api.isReady(), START_MS)
    await install(api)
    return { api, caFile, kubeconfig: kubeconfig(folder, api.base, caFile), stop }
  } catch (error) {
    const said = processes.map((one) => one.output().slice(-2_000)).join('\n')
    await stop()
    throw new Error(`no API server: ${(error as Error).message}\n${said}`)
  }
}

function startEtcd(folder: string, client: number, peer: number): Promise<ManagedProcess> {
  const [clients, peers] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
  const listen = ['--listen-client-urls', clients, '--advertise-client-urls', clients, '--listen-peer-urls', peers]
  const alone = ['--initial-advertise-peer-urls', peers, '--initial-cluster', `default=${peers}`]
  return startProcess({ command: 'etcd', args: ['--data-dir', join(folder, 'etcd'), ...listen, ...alone] })
}

function startServer(folder: string, etcd: number, port: number): Promise<ManagedProcess> {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const [key, tokens] = [join(folder, 'accounts.key'), join(folder, 'tokens.csv')]
  writeFileSync(key, privateKey, { mode: 0o600 })
  writeFileSync(tokens, `${ADMIN},admin,1,system:masters\n`, { mode: 0o600 })
  const flags = {
    'etcd-servers': `http://127.0.0.1:${etcd}`,
    'bind-address': '127.0.0.1',
    'secure-port': port,
    'cert-dir': join(folder, 'certs'),
    'service-cluster-ip-range': '10.96.0.0/16',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': key,
    'service-account-signing-key-file': key,
    'token-auth-file': tokens,
    'authorization-mode': 'RBAC',
  }
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  return startProcess({ command: BINARY ?? 'kube-apiserver', args })
}

async function install(api: KubeApi): Promise<void> {
  const files = DEFINITIONS_ARE_THEIRS
    ? globSync('*.yaml', { cwd: THEIRS }).map((name) => join(THEIRS, name))
    : [join(import.meta.dirname, 'definitions.yaml')]
  const texts = files.flatMap((file) => parseAllDocuments(readFileSync(file, 'utf8')))
  const kinds = await Promise.all(
    texts.map(async (text) => {
      const found = text.toJS() as KubeObject
      // cert-manager's are a chart's template in their labels.
      const definition = { ...found, metadata: { name: found.metadata.name } }
      const { status, message } = await api.apply(definition, { validation: 'Ignore' })
      if (status >= 300) throw new Error(`${definition.metadata.name}: ${message}`)
      return definition.metadata.name
    }),
  )
  await waitUntil('the definitions', () => api.areEstablished(kinds), START_MS)
}

function kubeconfig(folder: string, server: string, caFile: string): string {
  const file = join(folder, 'kubeconfig')
  const named = (key: string, value: object): object => ({ [`${key}s`]: [{ name: 'test', [key]: value }] })
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    ...named('cluster', { server, 'certificate-authority': caFile }),
    ...named('user', { token: ADMIN }),
    ...named('context', { cluster: 'test', user: 'test' }),
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  return file
}
