// SPDX-License-Identifier: MIT
//
// Measures of rules against fraud from phones in memory: each lets so many calls through and refuses the next one with 603.
// Not here: what needs talk, prices or two countries (services/policy/src/fraud), real phones (test/e2e/fraud.test.ts).
import type { ResourceSource } from '@tandem/resources'
import { startLine } from '@tandem/test-kit'
import { afterEach, expect, test } from 'vitest'
import { ACCOUNTED_DOMAIN, createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'

const HOUR = 3_600_000

const resource = (kind: string, name: string, spec: object): ResourceSource => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: { name },
  spec,
})

let cluster: MemoryCluster
afterEach(async () => {
  expect(cluster.problems).toEqual([])
  await cluster.close()
})

async function open(measures: object): Promise<MemoryPhone> {
  const rule = resource('FraudRule', 'rule', { scope: 'source', measures })
  const list = resource('NumberList', 'listed', { prefixes: ['+882'] })
  const never = resource('Schedule', 'never', {
    timeZone: 'UTC',
    weekly: [{ days: ['mon'], from: '00:00', to: '00:01' }],
    dates: [{ date: '1970-01-01', hours: [] }],
  })
  cluster = await createMemoryCluster({ resources: [...ACCOUNTED_DOMAIN, list, never, rule] })
  return new MemoryPhone(cluster.network, 'alice', '192.0.2.20', 5060, { address: '192.0.2.1', port: 5060 })
}

const statusOf = (text: string): number => Number(startLine(text).split(' ')[1])

let calls = 0
async function statusOfCall(alice: MemoryPhone, user = 'bob'): Promise<number> {
  calls++
  const ends = {
    from: `<sip:alice@tandem.test>;tag=a${calls}`,
    to: `<sip:${user}@tandem.test>`,
    callId: `c${calls}`,
    cseq: 1,
  }
  alice.send(alice.request('INVITE', { ...ends, uri: `sip:${user}@tandem.test`, contact: alice.contact }))
  await cluster.settle()
  return statusOf(alice.last())
}

const REFUSE = { action: 'reject', status: 603 }

test('callsPerWindow', async () => {
  const alice = await open({ callsPerWindow: { windowMs: HOUR, critical: { above: 2, ...REFUSE } } })
  expect([await statusOfCall(alice), await statusOfCall(alice), await statusOfCall(alice)]).toEqual([480, 480, 603])
})

test('concurrentCalls: a call that failed makes room', async () => {
  const alice = await open({ concurrentCalls: { critical: { above: 1, ...REFUSE } } })
  expect([await statusOfCall(alice), await statusOfCall(alice)]).toEqual([480, 480])
})

test('sequentialCallsToOneNumber', async () => {
  const alice = await open({ sequentialCallsToOneNumber: { critical: { above: 1, ...REFUSE } } })
  expect([await statusOfCall(alice), await statusOfCall(alice, 'alice'), await statusOfCall(alice, 'alice')]).toEqual([
    480, 480, 603,
  ])
})

test('distinctDestinations', async () => {
  const alice = await open({ distinctDestinations: { windowMs: HOUR, critical: { above: 1, ...REFUSE } } })
  expect([await statusOfCall(alice), await statusOfCall(alice), await statusOfCall(alice, 'alice')]).toEqual([
    480, 480, 603,
  ])
})

test('offHours', async () => {
  const alice = await open({ offHours: { schedule: 'never', critical: REFUSE } })
  expect(await statusOfCall(alice)).toBe(603)
})
