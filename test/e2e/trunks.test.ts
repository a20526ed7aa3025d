// SPDX-License-Identifier: MIT
// A trunk to a carrier that others wrote: Kamailio as registrar and gateway with digest (support/carrier.cfg), SIPp behind it as the rest of the
// world. The cluster registers there; a number comes in by that registration; a call out passes its challenge; when the carrier
// stops, calls go by another trunk, and by the first again when it is back.
// Not tested here: registration step by step (test/trunks), trunks by address (routing.test.ts), bounds of the store (packages/store).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  findProgram,
  type ManagedProcess,
  type RunningSipp,
  sippAvailable,
  startProcess,
  waitUntil,
} from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { Cluster, freeBlock } from './support/cluster.ts'
import { beginSipp, expectPlayed, newCallId, playSipp, registerSipp } from './support/sipp.ts'
import { runTandem } from './support/tandem.ts'

const QUICK_START = resolve(import.meta.dirname, '../../examples/quickstart.yaml')
const CARRIER_CONFIG = join(import.meta.dirname, 'support/carrier.cfg')
const [CARRIER, WORLD, BACKUP] = ['127.0.0.21', '127.0.0.22', '127.0.0.23']
const PASSWORD = 'trunk-secret'

const resourcesAt = (port: number): string[] => [
  'kind: NumberPlan\nmetadata: { name: germany }\nspec: { country: "+49" }\n',
  `kind: Trunk
metadata: { name: carrier }
spec:
  hosts: [{ host: ${CARRIER}, port: ${port} }]
  credentials: { username: acme, password: ${PASSWORD} }
  registration: { registrar: "sip:${CARRIER}:${port}", user: "4930", domain: carrier.test, expiresMs: 60000 }
  probe: { intervalMs: 5000, timeoutMs: 500, failures: 1 }
  breaker: { openMs: 5000 }
  numbersIn: { form: e164WithoutPlus }
`,
  `kind: Trunk\nmetadata: { name: backup }\nspec: { hosts: [{ host: ${BACKUP}, port: ${port} }] }\n`,
  'kind: TrunkGroup\nmetadata: { name: out }\nspec: { trunks: [carrier, backup] }\n',
  'kind: Route\nmetadata: { name: out }\nspec: { prefix: "*", trunkGroup: out }\n',
  'kind: Number\nmetadata: { name: desk }\nspec: { number: "+4989555", domain: example.test, to: { subscriber: bob } }\n',
]

const needed = [sippAvailable(), findProgram(['kamailio'], 'kamailio')]
const missing = needed.find(({ available }) => !available)
const folder = mkdtempSync(join(tmpdir(), 'tandem-trunks-'))
const running: RunningSipp[] = []
let cluster: Cluster
let kamailio: ManagedProcess
let port = 0
let config = ''

function writeConfig(): string {
  const text = readFileSync(QUICK_START, 'utf8').replace('accounting: true', 'accounting: true\n  numberPlan: germany')
  expect(text).toContain('numberPlan')
  const file = join(folder, 'cluster.yaml')
  writeFileSync(file, [text, ...resourcesAt(port).map((part) => `apiVersion: tandem/v1\n${part}`)].join('\n---\n'))
  return file
}

function startCarrier(): Promise<ManagedProcess> {
  const defined = [`PSTN="${WORLD}"`, `PORT="${port}"`].flatMap((one) => ['-A', one])
  const args = [
    '-f',
    CARRIER_CONFIG,
    '-DD',
    '-E',
    '-m',
    '32',
    '-M',
    '4',
    '-l',
    `udp:${CARRIER}:${port}`,
    '-Y',
    folder,
    ...defined,
  ]
  return startProcess({ command: 'kamailio', args, cwd: folder })
}

beforeAll(async () => {
  if (missing !== undefined) return
  const basePort = await freeBlock()
  port = basePort + 40
  config = writeConfig()
  kamailio = await startCarrier()
  cluster = await Cluster.start({ processes: 'many', config, basePort })
}, 60_000)
beforeEach((context) => {
  if (missing?.available === false) context.skip(missing.reason)
})
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop(0)
})
afterAll(async () => {
  await cluster?.stop()
  await kamailio?.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function answering(address: string): Promise<RunningSipp> {
  const one = await beginSipp({ scenario: 'answer', address, localPort: port, timeoutMs: 60_000 })
  running.push(one)
  return one
}

interface Attempt {
  readonly trunk: string
  readonly status: number
}

/** Alice calls, talks for a moment and hangs up; trunk and status of each attempt on record. */
async function tried(callee: string): Promise<string[]> {
  const callId = newCallId('trunks')
  const caller = { port: cluster.sipPort(0), user: 'alice', callId, keys: { callee } }
  expectPlayed(await playSipp({ scenario: 'call-and-hang-up', ...caller }))
  const record = (await cluster.record(callId, 15_000)) as unknown as {
    readonly attempts: readonly Attempt[]
  }
  return record.attempts.map(({ trunk, status }) => `${trunk} ${status}`)
}

interface Status {
  readonly registration?: { readonly state: string }
  readonly hosts: readonly { readonly breaker: string }[]
}

async function status(): Promise<Status> {
  const env = { TANDEM_POLICY_GRPC_PORT: String(cluster.basePort + 21) }
  const { out, err } = await runTandem(['trunks', 'carrier', '-o', 'json', '--config', config], env)
  const [one] = JSON.parse(out || '[]') as Status[]
  if (one === undefined) throw new Error(err)
  return one
}

it('[RFC3261-10.2] registers at Kamailio, with digest', async () => {
  await waitUntil('the registration', async () => (await status()).registration?.state === 'registered', 20_000, 200)
})

it('a number that the carrier has is called there and reaches its extension', async () => {
  const bob = await beginSipp({ scenario: 'answer' })
  running.push(bob)
  await registerSipp('bob', cluster.sipPort(1), bob.port)
  const keys = { callee: '4989555', domain: 'carrier.test' }
  expectPlayed(await playSipp({ scenario: 'call-open-and-hang-up', port, address: CARRIER, from: WORLD, keys }))
  const { messages } = await bob.result
  expect(messages).toMatch(/^INVITE sip:bob@/m)
})

it("[RFC3261-22.3] a call out passes Kamailio's challenge; what every process prints has no password", async () => {
  const world = await answering(WORLD)
  expect(await tried('030123')).toEqual(['carrier 407', 'carrier 200'])
  const { messages } = await world.result
  expect(messages).toMatch(/^INVITE sip:\+4930123@/m)
  expect(messages).not.toMatch(/^Proxy-Authorization/m)
  expect(cluster.process.output()).not.toContain(PASSWORD)
})

it('a carrier that has stopped is found out by probes and left alone, until it is back', {
  timeout: 90_000,
}, async () => {
  kamailio.signal('SIGKILL')
  await kamailio.stop(0)
  await waitUntil('the breaker to open', async () => (await status()).hosts[0]?.breaker !== 'closed', 20_000, 200)
  await answering(BACKUP)
  expect((await tried('030124')).at(-1)).toBe('backup 200')
  kamailio = await startCarrier()
  await waitUntil('the breaker to close', async () => (await status()).hosts[0]?.breaker === 'closed', 30_000, 200)
  const world = await answering(WORLD)
  expect((await tried('030125')).at(-1)).toBe('carrier 200')
  expectPlayed(await world.result)
})
