// SPDX-License-Identifier: MIT
// Guessing passwords from outside: raw REGISTERs from an address of their own, at two edges and two policy nodes over Redis, each a process of
// its own. Who guesses gets nothing any more at either edge, another address works; a person sees the ban, lifts it, makes one; it outlives
// a policy node that is killed.
// Not tested here: counting, pairs and users, the store away (services/policy/src/bans), what passes at an edge (services/edge/src/admission).
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import {
  type ManagedProcess,
  type RunningRedis,
  redisAvailable,
  startProcess,
  startRedis,
  waitUntil,
} from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { Cluster, freeBlock } from './support/cluster.ts'
import { Phone, token } from './support/phone.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const MAIN = join(ROOT, 'cli/dist/main.js')
const QUICK_START = join(ROOT, 'examples/quickstart.yaml')
const redisThere = redisAvailable()
const REALM = 'example.test'
const md5 = (text: string): string => createHash('md5').update(text).digest('hex')

let redis: RunningRedis
let cluster: Cluster
let second: ManagedProcess | undefined
let settings: Record<string, string> = {}
const attackers: Attacker[] = []

/** Sends REGISTERs from 127.x.y.z, each with the digest of a password, right or wrong. */
class Attacker {
  readonly address: string
  readonly #socket: Socket
  #answers: string[] = []

  private constructor(address: string, socket: Socket) {
    this.address = address
    this.#socket = socket
    socket.on('message', (bytes) => this.#answers.push(bytes.toString('latin1')))
  }

  static async at(address: string): Promise<Attacker> {
    const socket = createSocket('udp4')
    socket.bind(0, address)
    await once(socket, 'listening')
    const attacker = new Attacker(address, socket)
    attackers.push(attacker)
    return attacker
  }

  close(): void {
    this.#socket.close()
  }

  /** The status that comes back, 0 where nothing comes. */
  async register(port: number, user: string, password: string): Promise<number> {
    const asked = await this.#ask(port, user, '')
    const nonce = /nonce="([^"]+)"[^\r]*algorithm=MD5/.exec(asked)?.[1]
    if (nonce === undefined) return statusOf(asked)
    const uri = `sip:${REALM}`
    const ha1 = md5(`${user}:${REALM}:${password}`)
    const response = md5(`${ha1}:${nonce}:00000001:c0:auth:${md5(`REGISTER:${uri}`)}`)
    const digest = `Authorization: Digest username="${user}", realm="${REALM}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c0"\r\n`
    return statusOf(await this.#ask(port, user, digest))
  }

  async #ask(port: number, user: string, digest: string): Promise<string> {
    const branch = `z9hG4bK${token()}`
    const { port: own } = this.#socket.address()
    const text = [
      `REGISTER sip:${REALM} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.address}:${own};branch=${branch};rport`,
      'Max-Forwards: 70',
      `From: <sip:${user}@${REALM}>;tag=${token()}`,
      `To: <sip:${user}@${REALM}>`,
      `Call-ID: ${token()}`,
      'CSeq: 1 REGISTER',
      `Contact: <sip:${user}@${this.address}:${own}>`,
      `${digest}Content-Length: 0`,
      '\r\n',
    ].join('\r\n')
    const find = () => this.#answers.find((answer) => answer.includes(branch))
    for (let tries = 0; tries < 4; tries++) {
      this.#socket.send(text, port, '127.0.0.1')
      await waitUntil('an answer', () => find() !== undefined, 700, 10).catch(() => undefined)
      if (find() !== undefined) break
    }
    const answer = find() ?? ''
    this.#answers = []
    return answer
  }
}

const statusOf = (answer: string): number => Number(/^SIP\/2\.0 (\d{3})/.exec(answer)?.[1] ?? 0)

/** Where the second policy node listens: between the ports of the cluster's parts. */
const secondPort = () => cluster.basePort + 31

async function launchSecond(): Promise<void> {
  const env = {
    ...settings,
    TANDEM_POLICY_GRPC_PORT: String(secondPort()),
    TANDEM_POLICY_HTTP_PORT: String(secondPort() + 1),
    TANDEM_EDGE_BASE_PORT: String(cluster.basePort),
  }
  const args = [MAIN, 'run', 'policy', '--config', QUICK_START, '--store', redis.url]
  second = await startProcess({ command: process.execPath, args, cwd: ROOT, env })
  const isReady = () =>
    fetch(`http://127.0.0.1:${secondPort() + 1}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
      ({ status }) => status === 200,
      () => false,
    )
  await waitUntil('the second policy node', isReady, 30_000, 100)
}

/** The command as a person runs it, at one policy node. */
function tandem(port: number, ...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const env = { ...process.env, TANDEM_POLICY_ADDRESS: `127.0.0.1:${port}` }
  return new Promise((done) => {
    execFile(process.execPath, [MAIN, ...args, '--config', QUICK_START], { env, cwd: ROOT }, (error, out, err) => {
      done({ status: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
  })
}

const firstPort = () => cluster.basePort + 21

async function bansAt(port: number): Promise<{ kind: string; source: string; cause: string }[]> {
  const told = await tandem(port, 'bans', '-o', 'json')
  expect(told).toMatchObject({ status: 0, err: '' })
  return JSON.parse(told.out) as { kind: string; source: string; cause: string }[]
}

/** Edges are told within a poll of the policy nodes. */
async function untilSilent(attacker: Attacker): Promise<void> {
  for (const edge of [0, 1]) {
    const isSilent = async () => (await attacker.register(cluster.sipPort(edge), 'alice', 'x')) === 0
    await waitUntil(`edge ${edge} to give nothing`, isSilent, 20_000, 50)
  }
}

async function registersElsewhere(): Promise<number[]> {
  const statuses: number[] = []
  for (const edge of [0, 1]) {
    const phone = await Phone.open({ user: 'bob', port: cluster.sipPort(edge) })
    statuses.push((await phone.register()).status)
    phone.close()
  }
  return statuses
}

beforeAll(async () => {
  if (!redisThere.available) return
  redis = await startRedis()
  settings = {
    TANDEM_CLUSTER_SECRETS: JSON.stringify([{ id: 1, secret: 'a secret for tests only' }]),
    TANDEM_POLICY_BANS_ALLOW: '[]',
    TANDEM_POLICY_BANS_PAIR_FAILURES: '4',
    TANDEM_POLICY_BANS_SOURCE_FAILURES: '6',
    TANDEM_POLICY_BANS_FIRST_MS: '600000',
  }
  const basePort = await freeBlock()
  const address = [basePort + 21, basePort + 31].map((port) => `127.0.0.1:${port}`).join(',')
  settings = { ...settings, TANDEM_POLICY_ADDRESS: address }
  cluster = await Cluster.start({ processes: 'many', store: redis.url, basePort, env: settings })
  await launchSecond()
}, 120_000)
beforeEach((context) => {
  if (!redisThere.available) context.skip(redisThere.reason)
})
afterEach(() => {
  for (const attacker of attackers.splice(0)) attacker.close()
})
afterAll(async () => {
  await second?.stop()
  await cluster?.stop()
  await redis?.stop()
})

/** Another address for each try of a test. */
let hosts = Math.floor(Math.random() * 200) + 20
const nextAttacker = () => Attacker.at(`127.0.77.${hosts++}`)

it('who guesses gets nothing at either edge, others work; lifted, the right password works again', async () => {
  const attacker = await nextAttacker()
  for (const user of ['alice', 'bob', 'nobody']) {
    for (let i = 0; i < 2; i++) {
      const status = await attacker.register(cluster.sipPort(i), user, `guess-${i}`)
      expect([401, 0]).toContain(status)
    }
  }
  await untilSilent(attacker)
  expect(await registersElsewhere()).toEqual([200, 200])
  for (const port of [firstPort(), secondPort()]) {
    expect(await bansAt(port)).toContainEqual(expect.objectContaining({ kind: 'source', source: attacker.address }))
  }
  expect(await tandem(secondPort(), 'bans', 'lift', attacker.address)).toMatchObject({ status: 0 })
  for (const edge of [0, 1]) {
    const isBack = async () => (await attacker.register(cluster.sipPort(edge), 'alice', 'alice-secret')) === 200
    await waitUntil(`edge ${edge} to take it again`, isBack, 20_000, 50)
  }
  expect((await tandem(firstPort(), 'bans', 'lift', attacker.address)).status).toBe(1)
}, 120_000)

it('a ban by a person outlives a policy node that is killed, and an edge hears of it', async () => {
  const attacker = await nextAttacker()
  expect(await tandem(secondPort(), 'bans', 'add', attacker.address, '--for', '1h')).toMatchObject({ status: 0 })
  await untilSilent(attacker)
  second?.signal('SIGKILL')
  await second?.ended
  await untilSilent(attacker)
  await launchSecond()
  const mine = expect.objectContaining({ kind: 'source', source: attacker.address, cause: 'admin' })
  for (const port of [firstPort(), secondPort()]) expect(await bansAt(port)).toContainEqual(mine)
  expect(await registersElsewhere()).toEqual([200, 200])
  expect(await tandem(firstPort(), 'bans', 'lift', attacker.address)).toMatchObject({ status: 0 })
}, 120_000)
