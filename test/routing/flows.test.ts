// SPDX-License-Identifier: MIT
//
// Flows of calls through a whole cluster in memory: forwarding when busy, one after another, by day and by night, and who is told of it.
// Not here: ring times (the edge's tests of plans), which plans there are (packages/resources/src/flow).
import type { ResourceSource } from '@tandem/resources'
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, expect, test } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'

const resource = (kind: string, name: string, spec: object = {}): ResourceSource => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: kind === 'Domain' || kind === 'Schedule' ? { name } : { name, domain: 'tandem.test' },
  spec,
})
const DOMAIN = resource('Domain', 'tandem.test', {
  anonymous: 'allow',
  alsoBindAddress: true,
  authentication: 'none',
  identity: 'off',
})

let cluster: MemoryCluster
afterEach(async () => {
  expect(cluster.problems).toEqual([])
  await cluster.close()
})

const phone = (user: string, host: string) =>
  new MemoryPhone(cluster.network, user, host, 5060, { address: '192.0.2.1', port: 5060 })
const isInvite = (text: string) => startLine(text).startsWith('INVITE ')

/** Calls `who`; bob answers with `bob`, carol with 200. */
async function call(who: string, bob: number, resources: readonly ResourceSource[]) {
  const people = [resource('Subscriber', 'bob'), resource('Subscriber', 'carol')]
  cluster = await createMemoryCluster({ resources: [DOMAIN, ...people, ...resources] })
  const caller = phone('alice', '192.0.2.20')
  const called = [phone('bob', '192.0.2.30'), phone('carol', '192.0.2.40')] as const
  for (const [i, one] of called.entries()) {
    one.register('tandem.test')
    await cluster.settle()
    one.onRequest = (text) => one.answer(text, isInvite(text) && i === 0 ? bob : 200)
  }
  const ends = { from: '<sip:alice@tandem.test>;tag=a', to: `<sip:${who}@tandem.test>`, callId: 'c1', cseq: 1 }
  caller.send(caller.request('INVITE', { ...ends, uri: `sip:${who}@tandem.test`, contact: caller.contact }))
  await cluster.settle()
  const [invitesOfBob = [], invitesOfCarol = []] = called.map(({ inbox }) => inbox.filter(isInvite))
  return { status: startLine(caller.last()), invitesOfBob, invitesOfCarol }
}

test('[RFC5806-4] a call is forwarded from who is busy, and who is called then is told', async () => {
  const desk = resource('Subscriber', 'desk', { usernames: ['desk'], forwarding: { always: { huntGroup: 'team' } } })
  const team = resource('HuntGroup', 'team', {
    members: ['bob'],
    ringMs: 10_000,
    overflow: { busy: { subscriber: 'carol' } },
  })
  const { status, invitesOfBob, invitesOfCarol } = await call('desk', 486, [desk, team])
  expect(status).toContain('200')
  expect(invitesOfBob).toHaveLength(1)
  expect(invitesOfCarol).toHaveLength(1)
  expect(headerValues(invitesOfCarol[0] as string, 'diversion').join()).toContain('user-busy')
})

test('one extension after another', async () => {
  const team = resource('HuntGroup', 'team', { strategy: 'sequential', members: ['bob', 'carol'], ringMs: 10_000 })
  const { status, invitesOfBob, invitesOfCarol } = await call('team', 480, [team])
  expect(status).toContain('200')
  expect([invitesOfBob.length, invitesOfCarol.length]).toEqual([1, 1])
})

test.each([
  ['by day', { from: '00:00', to: '24:00' }, [1, 0]],
  ['by night', undefined, [0, 1]],
] as const)('an extension rings one %s', async (_, hours, expected) => {
  const weekly = hours === undefined ? [] : [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], ...hours }]
  const office = resource('Schedule', 'office', { timeZone: 'UTC', weekly, dates: [{ date: '2001-01-01' }] })
  const flow = resource('CallFlow', '100', {
    branches: [{ schedule: 'office', to: { subscriber: 'bob' } }],
    default: { to: { subscriber: 'carol' } },
  })
  const { status, invitesOfBob, invitesOfCarol } = await call('100', 200, [office, flow])
  expect(status).toContain('200')
  expect([invitesOfBob.length, invitesOfCarol.length]).toEqual(expected)
})
