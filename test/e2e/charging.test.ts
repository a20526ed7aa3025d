// SPDX-License-Identifier: MIT
// Money from outside: a prepaid account that is topped up by command, a call that ends at the paid second with 402 on both sides, a record
// with its price, a caller without money. Over Redis, each service a process of its own.
// Not tested here: the rules of charging one by one (services/policy/src/charging), deaths of nodes (test/chaos).
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type RunningRedis, redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { Phone, token } from './support/phone.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const redisThere = redisAvailable()
let redis: RunningRedis
let cluster: Cluster
let config = ''

/** The quick start, prepaid. */
function writeConfig(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-charging-'))
  const text = readFileSync(join(ROOT, 'examples/quickstart.yaml'), 'utf8')
  expect(text).toContain('billing: postpaid')
  const file = join(folder, 'cluster.yaml')
  writeFileSync(file, text.replace('billing: postpaid', 'billing: prepaid'))
  return file
}

beforeAll(async () => {
  if (!redisThere.available) return
  redis = await startRedis()
  config = writeConfig()
  cluster = await Cluster.start({ processes: 'many', store: redis.url, config })
}, 60_000)
beforeEach(async (context) => {
  if (!redisThere.available) return context.skip(redisThere.reason)
  await waitUntil('both edges', async () => (await cluster.http(0, '/readyz')) === 200, 20_000)
})
afterAll(async () => {
  await cluster?.stop()
  await redis?.stop()
})

/** The command as a person runs it. */
function tandem(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const env = { ...process.env, TANDEM_POLICY_GRPC_PORT: String(cluster.basePort + 21) }
  const command = [join(ROOT, 'cli/dist/main.js'), ...args, '--config', config]
  return new Promise((done) => {
    execFile(process.execPath, command, { env, cwd: ROOT, timeout: 15_000 }, (error, out, err) => {
      done({ status: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
  })
}

interface Balance {
  readonly balance: number
  readonly held: number
  readonly ledgerSum: number
  readonly ledger: readonly { readonly cause: string; readonly amount: number }[]
}

async function balanceOf(): Promise<Balance> {
  const told = await tandem('balance', 'demo', '--ledger', '-o', 'json')
  expect(told).toMatchObject({ status: 0, err: '' })
  return JSON.parse(told.out) as Balance
}

describe('a prepaid account', () => {
  it('without money gets 402 and its reason; topped up once by key, it calls to the paid second, and its ledger adds up', async () => {
    const alice = await Phone.open({ user: 'alice', port: cluster.sipPort(0) })
    const bob = await Phone.open({ user: 'bob', port: cluster.sipPort(1) })
    expect((await bob.register()).status).toBe(200)
    const invite = () =>
      alice.ask('INVITE', {
        uri: bob.aor,
        to: `<${bob.aor}>`,
        callId: `call-${token()}`,
        headers: [`Contact: ${alice.contact}`],
      })
    const refused = await invite()
    expect(refused.status).toBe(402)
    expect(refused.header('Reason')).toBe('SIP;cause=402;text="Credit used up"')
    // 0.02 to be connected, and three seconds at a cent a minute.
    for (const isRepeated of ['false', 'true']) {
      const told = await tandem('topup', 'demo', '0.0205', '--key', 'payment-1', '-o', 'json')
      expect(JSON.parse(told.out)).toMatchObject({ balance: '0.0205', repeated: isRepeated })
    }
    const calling = invite()
    const incoming = await bob.next('the INVITE', (message) => message.method === 'INVITE')
    expect((await balanceOf()).held).toBeGreaterThan(0)
    bob.reply(incoming, '200 OK', [`Contact: ${bob.contact}`])
    const answer = await calling
    expect(answer.status).toBe(200)
    const answeredMs = performance.now()
    const headers = answer
      .all('Record-Route')
      .reverse()
      .map((value) => `Route: ${value}`)
    const uri = /<(.*)>/.exec(answer.header('Contact'))?.[1] ?? ''
    const callId = answer.header('Call-ID')
    const cseq = Number(answer.header('CSeq').split(' ')[0])
    alice.send(alice.request('ACK', { uri, to: answer.header('To'), callId, headers, cseq }))
    for (const phone of [alice, bob]) {
      const bye = await phone.next('the BYE', (message) => message.method === 'BYE')
      expect(bye.header('Reason')).toBe('SIP;cause=402;text="Credit used up"')
      phone.reply(bye, '200 OK')
    }
    const talkMs = performance.now() - answeredMs
    expect(talkMs).toBeGreaterThan(2_500)
    expect(talkMs).toBeLessThan(5_500)
    const record = await cluster.record(callId, 10_000)
    expect(record).toMatchObject({ account: 'demo', currency: 'EUR', rate_plan: 'demo', price: '0.020500' })
    const state = await balanceOf()
    expect(state).toMatchObject({ balance: 0, held: 0, ledgerSum: 0 })
    expect(state.ledger.map(({ cause, amount }) => [cause, amount])).toEqual([
      ['call', -20_500],
      ['topup', 20_500],
    ])
    const { out } = await tandem('doctor', '-o', 'json')
    expect(out).toContain('1 balances are the sums of their ledgers')
  }, 60_000)

  it('that is none is said to be none, and an amount that is none costs nothing', async () => {
    expect(await tandem('balance', 'nobody')).toMatchObject({
      status: 1,
      err: expect.stringContaining('unknown_account'),
    })
    expect(await tandem('topup', 'demo', '-5', '--key', 'x')).toMatchObject({ status: expect.any(Number), out: '' })
    expect(await tandem('topup', 'demo', '1')).toMatchObject({ status: 2 })
  })
})
