// SPDX-License-Identifier: MIT
//
// What the chart's pods run, with the very arguments of the golden manifests, against a cluster of processes: `helm test`'s call, and the apply Job
// with more than a ConfigMap holds, its folders as a kubelet mounts them. Names of Services lead to this machine, ports and folders to this
// test's. Leaves out the containers: their user, read-only root and limits.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { issueCertificate } from '@tandem/transport'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { Cluster } from './support/cluster.ts'
import { runTandem } from './support/tandem.ts'

const GOLDEN = resolve(import.meta.dirname, '../deploy/golden/split.yaml')
const CONFIG_MAP_BYTES = 900_000

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: { readonly template?: { readonly spec: Pod } } & Partial<Pod>
}
interface Pod {
  readonly containers: readonly {
    readonly args: readonly string[]
    readonly volumeMounts?: readonly { readonly mountPath: string }[]
  }[]
}

const MANIFESTS = parseAllDocuments(readFileSync(GOLDEN, 'utf8')).map((one) => one.toJS() as Manifest | null)

/** The only container of a Pod or Job. */
function containerOf(kind: string, name: string) {
  const found = MANIFESTS.find((one) => one?.kind === kind && one.metadata.name === name)
  const [container] = (found?.spec.template?.spec ?? found?.spec)?.containers ?? []
  if (container === undefined) throw new Error(`${GOLDEN} has no ${kind} ${name}`)
  return container
}

/** As a kubelet mounts a ConfigMap or Secret: links to links, so that a change is one rename. */
function mount(folder: string, files: Readonly<Record<string, string>>): void {
  const data = join(folder, '..2026_01_01_00_00_00.1')
  mkdirSync(data, { recursive: true })
  symlinkSync('..2026_01_01_00_00_00.1', join(folder, '..data'))
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(data, name), text)
    symlinkSync(join('..data', name), join(folder, name))
  }
}

/** Documents of about this many bytes: subscribers of one domain each. */
function manyDocuments(prefix: string, bytes: number): string {
  const texts: string[] = []
  const one = (at: number) => `apiVersion: tandem/v1
kind: Subscriber
metadata: { name: ${prefix}${at}, domain: example.test }
spec: { credentials: { password: "${prefix}-${at}-secret" }, account: demo }
# ${'a word of who it is '.repeat(120)}
`
  for (let size = 0; size < bytes; size += (texts.at(-1)?.length ?? 0) + 4) texts.push(one(texts.length))
  return texts.join('---\n')
}

describe('commands of the chart', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-chart-'))
  const root = join(folder, 'root')
  let cluster: Cluster
  const token = 'tandem_for-this-test-and-no-other-0123456789'
  beforeAll(async () => {
    const issuer = { ...issueCertificate({ commonName: 'authority', isAuthority: true }), commonName: 'authority' }
    const { cert, key } = issueCertificate({ commonName: 'console', dns: ['voice-tandem-console'], issuer })
    const files = { 'tls.crt': cert, 'tls.key': key, hash: createHash('sha256').update(token).digest('hex') }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    mount(join(root, 'etc/tandem-api'), { 'ca.crt': issuer.cert })
    mount(join(root, 'etc/tandem-token'), { token })
    // Node asks the resolver of the operating system: these names lead here.
    const resolver = `import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
for (const api of [dns, dns.promises]) {
  const before = api.lookup
  api.lookup = (name, ...more) => before(name.startsWith('voice-tandem-') ? '127.0.0.1' : name, ...more)
}
syncBuiltinESMExports()\n`
    writeFileSync(join(folder, 'names.mjs'), resolver)
    const tokens = [{ name: 'helm', role: 'admin', hash: { file: join(folder, 'hash') } }]
    cluster = await Cluster.start({
      env: {
        TANDEM_CONSOLE_TLS_CERT_FILE: join(folder, 'tls.crt'),
        TANDEM_CONSOLE_TLS_KEY_FILE: join(folder, 'tls.key'),
        TANDEM_CONSOLE_TOKENS: JSON.stringify(tokens),
      },
    })
  })
  afterAll(async () => {
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** The arguments with this test's ports and folders. */
  const here = (args: readonly string[]): string[] =>
    args.map((argument) =>
      argument
        .replace(/(--server=\S+):5060$/, `$1:${cluster.sipPort(0)}`)
        .replace(/(--api=\S+):8080$/, `$1:${cluster.basePort + 25}`)
        .replace(/=(\/(?:etc|resources)\/)/, `=${root}$1`),
    )
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    runTandem(here(args), { NODE_OPTIONS: `--import=${pathToFileURL(join(folder, 'names.mjs')).href}`, ...env })

  it('helm test: the pod registers two phones, calls and hangs up', async () => {
    const { args } = containerOf('Pod', 'voice-tandem-test')
    expect(args).toContain('--server=voice-tandem-edge-udp:5060')
    const passwords = {
      TANDEM_CHECK_CALLER_PASSWORD: 'alice-secret',
      TANDEM_CHECK_CALLEE_PASSWORD: 'bob-secret',
    }
    const called = await run(args, passwords)
    expect(called, called.err).toMatchObject({ status: 0 })
    const wrong = await run(args, { ...passwords, TANDEM_CHECK_CALLER_PASSWORD: 'wrong' })
    expect(wrong).toMatchObject({ status: 1, err: expect.stringMatching(/REGISTER of alice@example.test/) })
  })

  it('the apply Job: more than 1 MiB from two ConfigMaps and an image, as one revision; again, and nothing changes', async () => {
    const { args, volumeMounts = [] } = containerOf('Job', 'voice-tandem-apply')
    const folders = volumeMounts.map(({ mountPath }) => mountPath).filter((path) => dirname(path) === '/resources')
    expect(folders).toEqual(['/resources/big-a', '/resources/big-b', '/resources/image'])
    for (const path of folders) mount(join(root, path), { 'set.yaml': manyDocuments(path.slice(-1), CONFIG_MAP_BYTES) })
    const first = await run(args)
    expect(first, first.err).toMatchObject({ status: 0, out: expect.stringMatching(/\d{3,} added, .*: revision \d+/) })
    const second = await run(args)
    expect(second, second.err).toMatchObject({
      status: 0,
      out: expect.not.stringMatching(/[1-9]\d* (?:added|changed)/),
    })
  })

  it('the apply Job fails, and says why, with a token that is none', async () => {
    const { args } = containerOf('Job', 'voice-tandem-apply')
    writeFileSync(join(folder, 'other'), 'tandem_not-a-token')
    const other = args.map((one) => (one.startsWith('--token-file=') ? `--token-file=${join(folder, 'other')}` : one))
    expect(await run(other)).toMatchObject({ status: 1, err: expect.stringMatching(/token/) })
  })
})
