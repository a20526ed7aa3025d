// SPDX-License-Identifier: MIT
// A rule against fraud seen from outside: a call that it stops, its event by `tandem fraud events`, looking back and
// following, and at a webhook with the right signature; `tandem fraud test` before and after. Over Redis, each service a
// process of its own.
// Not tested here: what rules measure (services/policy/src/fraud), webhooks that fail (services/records/src/fraud).
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { verifyWebhook } from '@tandem/service-kit'
import { type RunningRedis, redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { Phone, token } from './support/phone.ts'
import { runTandem } from './support/tandem.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SECRET = 'of-this-test-and-no-other'
const LONG_MS = 20_000

const RULES = `---
apiVersion: tandem/v1
kind: FraudRule
metadata: { name: calls }
spec:
  scope: subscriber
  measures:
    callsPerWindow:
      windowMs: 600000
      warning: { above: 1 }
      critical: { above: 2, action: reject, status: 603, reason: Too many calls }
---
apiVersion: tandem/v1
kind: NumberList
metadata: { name: irsf }
spec: { import: { file: irsf.csv } }
---
apiVersion: tandem/v1
kind: FraudRule
metadata: { name: irsf }
spec: { measures: { destinationList: { lists: [irsf], critical: { action: blockAccount } } } }
`

interface Got {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface EventLine {
  readonly id: string
  readonly rule: string
  readonly subject: string
  readonly level: string
  readonly value: number
  readonly action: string
}

const redisThere = redisAvailable()
let redis: RunningRedis
let cluster: Cluster
let receiver: Server
let config = ''
let env: Record<string, string>
const got: Got[] = []

/** The quick start with rules, and a list beside it. */
function writeConfig(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-fraud-'))
  const file = join(folder, 'cluster.yaml')
  writeFileSync(file, `${readFileSync(join(ROOT, 'examples/quickstart.yaml'), 'utf8')}\n${RULES}`)
  writeFileSync(join(folder, 'irsf.csv'), 'Country,Test Number\nSO,+252 6 1234567\nXG,8829\n')
  return file
}

async function receive(): Promise<string> {
  receiver = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += String(chunk)
    })
    request.on('end', () => {
      got.push({ headers: request.headers, body })
      // The first one is lost: the receiver fails after it has read it.
      response.writeHead(got.length === 1 ? 503 : 204).end()
    })
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  return `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/fraud`
}

beforeAll(async () => {
  if (!redisThere.available) return
  redis = await startRedis()
  config = writeConfig()
  const webhook = {
    TANDEM_RECORDS_FRAUD_WEBHOOK_URL: await receive(),
    TANDEM_RECORDS_FRAUD_WEBHOOK_SECRET_ENV: 'FRAUD_SECRET',
    TANDEM_RECORDS_FRAUD_WEBHOOK_RETRY_MIN_MS: '50',
    FRAUD_SECRET: SECRET,
  }
  cluster = await Cluster.start({ processes: 'many', store: redis.url, config, env: webhook })
  env = { TANDEM_POLICY_GRPC_PORT: String(cluster.basePort + 21) }
}, 90_000)
beforeEach(async (context) => {
  if (!redisThere.available) return context.skip(redisThere.reason)
  await waitUntil('both edges', async () => (await cluster.http(0, '/readyz')) === 200, LONG_MS)
})
afterAll(async () => {
  await cluster?.stop()
  await redis?.stop()
  receiver?.close()
})

const tandem = (...args: string[]) => runTandem([...args, '--config', config], env)

async function eventsOf(user: string): Promise<EventLine[]> {
  const ran = await tandem('fraud', 'events', '--since', '10m', '-o', 'json')
  expect(ran).toMatchObject({ status: 0, err: '' })
  return (JSON.parse(ran.out) as EventLine[]).filter(({ subject }) => subject.includes(user))
}

interface Found {
  readonly verdict: string
  readonly findings: readonly { readonly rule: string; readonly level: string; readonly value: number }[]
}

async function trial(user: string, to: string): Promise<Found> {
  const ran = await tandem('fraud', 'test', '--from', `sip:${user}@example.test`, '--to', to, '-o', 'json')
  expect(ran).toMatchObject({ status: 0, err: '' })
  return JSON.parse(ran.out) as Found
}

/** Follows the events in the background; what it has printed. */
function follow(): { readonly child: ChildProcess; readonly lines: () => EventLine[] } {
  const main = join(ROOT, 'cli/dist/main.js')
  const args = [main, 'fraud', 'events', '--follow', '-o', 'json', '--config', config]
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env } })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  return {
    child,
    lines: () =>
      out
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as EventLine),
  }
}

/** A user of the quick start that no earlier try has used. */
const USERS = ['alice', 'carol', 'dave', 'erin', 'frank']

describe('a rule against fraud', () => {
  it('stops a call; its events are listed, followed, and at the webhook, signed', async () => {
    const user = USERS.shift() as string
    const phone = await Phone.open({ user, port: cluster.sipPort(0) })
    const call = () =>
      phone.ask('INVITE', {
        uri: 'sip:bob@example.test',
        to: '<sip:bob@example.test>',
        callId: `call-${token()}`,
        headers: [`Contact: ${phone.contact}`],
      })
    const following = follow()
    try {
      expect((await trial(user, 'sip:bob@example.test')).verdict).toBe('pass')
      // Nobody is there; they count all the same.
      expect([(await call()).status, (await call()).status]).toEqual([480, 480])
      const before = await trial(user, 'sip:bob@example.test')
      expect(before).toMatchObject({ verdict: 'reject' })
      expect(before.findings).toContainEqual(expect.objectContaining({ rule: 'calls', level: 'critical', value: 3 }))
      const refused = await call()
      expect(refused.status).toBe(603)
      expect(refused.header('Reason')).toContain('Too many calls')

      await waitUntil('both events', async () => (await eventsOf(user)).length === 2, LONG_MS)
      const events = await eventsOf(user)
      expect(events.map(({ level, value, action }) => [level, value, action])).toEqual([
        ['warning', 2, 'event'],
        ['critical', 3, 'reject'],
      ])
      const ids = events.map(({ id }) => id)
      const followed = () => following.lines().filter(({ id }) => ids.includes(id))
      await waitUntil('the events that are followed', async () => followed().length === 2, LONG_MS)
      const sent = (id: string) => got.filter(({ body }) => (JSON.parse(body).events as EventLine[])[0]?.id === id)
      await waitUntil('the webhook', async () => ids.every((id) => sent(id).length > 0), LONG_MS)
      for (const [i, id] of ids.entries()) {
        for (const { headers, body } of sent(id)) {
          expect(headers['idempotency-key']).toBe(id)
          expect(verifyWebhook(String(headers['tandem-signature']), SECRET, body, Date.now() / 1_000)).toBe(true)
          expect(JSON.parse(body)).toEqual({ type: 'fraud_events', events: [events[i]] })
        }
      }
      const table = await tandem('fraud', 'events', '--rule', 'calls')
      expect(table.out).toMatch(
        new RegExp(`critical +calls +subscriber sip:${user}@example.test +callsPerWindow +3 +2`),
      )
    } finally {
      following.child.kill('SIGINT')
      phone.close()
    }
    const [status] = following.child.exitCode === null ? await once(following.child, 'exit') : [0]
    expect(status).toBe(0)
  }, 120_000)

  it('is tried for a number of a list from a file, and an age or a cluster that is none ends in a sentence', async () => {
    const listed = await trial('bob', 'tel:+252-6-1234567')
    expect(listed.verdict).toBe('blockAccount')
    const table = await tandem('fraud', 'test', '--from', 'sip:bob@example.test', '--to', '+88291', '--all')
    expect(table.out).toContain('number +88291 (XG)')
    expect(table.out).toContain('+8829 is on a list')
    expect(table.out).toContain('verdict: blockAccount')
    expect(await tandem('fraud', 'events', '--since', 'yesterday')).toMatchObject({
      status: 1,
      err: expect.stringContaining('yesterday is no age'),
    })
    expect(await tandem('fraud', 'test', '--from', 'sip:bob@example.test')).toMatchObject({ status: 2 })
    const lost = await runTandem(['fraud', 'events', '--config', config], { TANDEM_POLICY_GRPC_PORT: '1' })
    expect(lost).toMatchObject({ status: 1, err: expect.stringContaining('does not answer') })
  }, 90_000)
})
