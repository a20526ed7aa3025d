// SPDX-License-Identifier: MIT
// The clock of one node is an hour ahead: an edge, location and policy of their own beside right ones, on one Redis. Expiries come from the
// store's clock, so that bindings end when they should whoever wrote them and whoever looks. A nonce is dated by the node that made it, so
// that another node finds it stale and asks once more.
// Not tested here: the store's own clock, which is the clock.
import { type RunningRedis, redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { Phone, token } from './support/phone.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests with a clock that is wrong are skipped: ${server.reason}`)

const HOUR_MS = 3_600_000
const SECRETS = '[{"id":1,"secret":"for-this-test-and-no-other"}]'

describe.skipIf(!server.available)('the clock of a node is an hour ahead', () => {
  let redis: RunningRedis
  let right: Cluster
  let ahead: Cluster
  const cleanups: (() => unknown)[] = []
  beforeAll(async () => {
    redis = await startRedis()
    cleanups.push(() => redis.stop())
    right = await start('right', {})
    const clock = new URL('./support/clock-ahead.mjs', import.meta.url)
    ahead = await start('ahead', { NODE_OPTIONS: `--import ${clock}`, CLOCK_AHEAD_MS: String(HOUR_MS) })
  })
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })

  async function start(name: string, more: Record<string, string>): Promise<Cluster> {
    const bounds = { TANDEM_LOCATION_MIN_EXPIRES_MS: '1000', TANDEM_EDGE_ID: name }
    const env = { TANDEM_CLUSTER_SECRETS: SECRETS, ...bounds, ...more }
    const cluster = await Cluster.start({ store: redis.url, env })
    cleanups.push(() => cluster.stop())
    return cluster
  }

  async function open(user: string, cluster: Cluster): Promise<Phone> {
    const phone = await Phone.open({ user, port: cluster.sipPort(0) })
    cleanups.push(() => phone.close())
    return phone
  }

  it('is ahead indeed', async () => {
    const phone = await open('frank', ahead)
    const reply = await phone.register()
    expect(reply.status).toBe(200)
    const date = Date.parse(reply.header('Date'))
    expect(date - Date.now()).toBeGreaterThan(HOUR_MS - 60_000)
  })

  it.for([
    { by: 'the node that is ahead', wrote: () => ahead, reads: () => right },
    { by: 'a right node, looked up by the one ahead', wrote: () => right, reads: () => ahead },
  ])('a binding by $by lives as long as it was granted, for both', async ({ wrote, reads }) => {
    const user = wrote() === ahead ? 'alice' : 'bob'
    const phone = await open(user, wrote())
    const reply = await phone.register({ headers: [`Contact: ${phone.contact};expires=4`] })
    expect(reply.status).toBe(200)
    expect(reply.header('Contact')).toMatch(/expires=[34]\b/)
    const registeredMs = performance.now()
    const seen = async (cluster: Cluster): Promise<string> => {
      const asking = await Phone.open({ user, port: cluster.sipPort(0) })
      const answer = await asking.ask('REGISTER')
      asking.close()
      expect(answer.status).toBe(200)
      return answer.header('Contact')
    }
    for (const cluster of [wrote(), reads()]) expect(await seen(cluster)).toMatch(/expires=[1234]\b/)
    await waitUntil('it to end', async () => (await seen(reads())) === '', 8_000)
    expect(performance.now() - registeredMs).toBeGreaterThan(3_500)
    expect(await seen(wrote())).toBe('')
  })

  it('a call through either reaches a phone of the other', async () => {
    const callee = await open('dave', ahead)
    expect((await callee.register()).status).toBe(200)
    const caller = await open('carol', right)
    const callId = token()
    const to = '<sip:dave@example.test>'
    const asked = caller.ask('MESSAGE', { uri: 'sip:dave@example.test', to, callId, body: 'x' })
    const message = await callee.next('the MESSAGE', ({ method }) => method === 'MESSAGE')
    callee.reply(message, '200 OK')
    expect((await asked).status).toBe(200)
  })

  it('a nonce of the one is stale for the other: asked once more, and served', async () => {
    for (const [from, to] of [
      [ahead, right],
      [right, ahead],
    ] as const) {
      const phone = await open('erin', from)
      const callId = token()
      phone.send(phone.request('REGISTER', { callId }))
      const challenge = await phone.final('the challenge', callId, '1 REGISTER')
      const other = await open('erin', to)
      const credentials = phone.credentials(challenge, 'REGISTER', 'sip:example.test')
      other.send(other.request('REGISTER', { callId, cseq: 2, headers: [credentials] }))
      const again = await other.final('the second challenge', callId, '2 REGISTER')
      expect(again.status).toBe(401)
      expect(again.header('WWW-Authenticate')).toContain('stale=true')
      const answer = phone.credentials(again, 'REGISTER', 'sip:example.test')
      other.send(other.request('REGISTER', { callId, cseq: 3, headers: [answer] }))
      expect((await other.final('the answer', callId, '3 REGISTER')).status).toBe(200)
    }
  })
})
