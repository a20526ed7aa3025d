// SPDX-License-Identifier: MIT
// Rules against fraud seen from phones: the eleventh call of an hour is refused, a number of an IRSF list is, a call that lasts too long is ended on both
// sides. Over Redis. Each try has callers of its own, so that a second one begins at zero.
// Not tested here: each measure (services/policy/src/fraud, test/fraud), events and webhooks (fraud-events.test.ts).
import { appendFileSync, copyFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type RunningRedis, redisAvailable, sippAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { forget } from './support/phone.ts'
import { beginSipp, expectPlayed, lastStatus, newCallId, playSipp, registerSipp } from './support/sipp.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const missing = [sippAvailable(), redisAvailable()].find(({ available }) => !available)
const TRIES = 4
const LIMIT = 10
const LONGEST_MS = 3_000

const tries = Array.from({ length: TRIES }, (_, i) => i)
const names = (kind: string): string => tries.map((i) => `${kind}${i}@example.test`).join(', ')

const subscriber = (name: string): string => `---
apiVersion: tandem/v1
kind: Subscriber
metadata: { name: ${name}, domain: example.test }
spec: { account: demo, credentials: { password: ${name}-secret } }
`

const RESOURCES = `${tries.flatMap((i) => [`often${i}`, `far${i}`, `long${i}`].map(subscriber)).join('')}---
apiVersion: tandem/v1
kind: Subscriber
metadata: { name: satellite, domain: example.test }
spec: { usernames: ['+88213001'], account: demo, credentials: { password: satellite-secret } }
---
apiVersion: tandem/v1
kind: NumberList
metadata: { name: irsf }
spec: { prefixes: ['+882'] }
---
apiVersion: tandem/v1
kind: FraudRule
metadata: { name: often }
spec:
  scope: subscriber
  select: { subscribers: [${names('often')}] }
  measures:
    callsPerWindow: { windowMs: 3600000, critical: { above: ${LIMIT}, action: reject, status: 603 } }
---
apiVersion: tandem/v1
kind: FraudRule
metadata: { name: far }
spec:
  scope: subscriber
  select: { subscribers: [${names('far')}] }
  measures: { destinationList: { lists: [irsf], critical: { action: reject } } }
---
apiVersion: tandem/v1
kind: FraudRule
metadata: { name: long }
spec:
  scope: subscriber
  select: { subscribers: [${names('long')}] }
  measures: { singleDuration: { critical: { above: ${LONGEST_MS}, action: endCalls } } }
`

let redis: RunningRedis
let cluster: Cluster
let attempt = -1

function writeConfig(): string {
  const file = join(mkdtempSync(join(tmpdir(), 'tandem-fraud-')), 'cluster.yaml')
  copyFileSync(join(ROOT, 'examples/quickstart.yaml'), file)
  appendFileSync(file, RESOURCES)
  return file
}

beforeAll(async () => {
  if (missing !== undefined) return
  redis = await startRedis()
  cluster = await Cluster.start({ processes: 'single', store: redis.url, config: writeConfig() })
}, 60_000)
beforeEach(async (context) => {
  if (missing !== undefined && !missing.available) return context.skip(missing.reason)
  attempt = Math.min(attempt + 1, TRIES - 1)
  await waitUntil('both edges', async () => (await cluster.http(0, '/readyz')) === 200, 20_000)
})
afterAll(async () => {
  await cluster?.stop()
  await redis?.stop()
})

/** A call that is refused by whatever refuses it first. */
async function refusedCall(user: string, callee: string, edge: number): Promise<{ status: number; callId: string }> {
  const callId = newCallId('fraud')
  const keys = { callee }
  const played = await playSipp({ scenario: 'call-and-be-refused', user, port: cluster.sipPort(edge), keys, callId })
  expectPlayed(played)
  return { status: lastStatus(played), callId }
}

describe('rules against fraud', () => {
  it('let ten calls of an hour through either edge, and refuse the eleventh; it has its record, with the rule', async () => {
    await forget('bob', cluster.sipPort(0))
    const statuses: number[] = []
    let last = ''
    for (let i = 0; i <= LIMIT; i++) {
      const { status, callId } = await refusedCall(`often${attempt}`, 'bob', i % 2)
      statuses.push(status)
      last = callId
    }
    expect(statuses).toEqual([...Array<number>(LIMIT).fill(480), 603])
    const record = await cluster.record(last, 10_000)
    expect(record).toMatchObject({ final_status: 603, outcome: 'rejected' })
    expect(JSON.stringify(record)).toContain('critical:often:callsPerWindow:reject')
  }, 120_000)

  it('refuse a number of an IRSF list, and no other', async () => {
    expect((await refusedCall(`far${attempt}`, '+88213001', 0)).status).toBe(403)
    await forget('bob', cluster.sipPort(0))
    expect((await refusedCall(`far${attempt}`, 'bob', 0)).status).toBe(480)
  }, 60_000)

  it('end a call that lasts too long, on both sides, and say so in its record', async () => {
    const callee = await beginSipp({ scenario: 'answer', timeoutMs: 60_000 })
    await registerSipp('bob', cluster.sipPort(1), callee.port)
    const callId = newCallId('long')
    const user = `long${attempt}`
    const run = { scenario: 'call-and-be-hung-up', user, port: cluster.sipPort(0), callId, timeoutMs: 40_000 }
    expectPlayed(await playSipp({ ...run, keys: { callee: 'bob' } }))
    expectPlayed(await callee.result)
    const record = await cluster.record(callId, 20_000)
    expect(record).toMatchObject({ ended_by: 'system', outcome: 'answered' })
    expect(JSON.stringify(record)).toContain('Stopped by a rule against fraud')
    expect(record.duration_ms).toBeGreaterThan(LONGEST_MS - 500)
    expect(record.duration_ms).toBeLessThan(LONGEST_MS + 3_000)
  }, 120_000)
})
