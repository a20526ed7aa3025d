// SPDX-License-Identifier: MIT
// A key ring is exchanged while calls go on (docs/operations/restarts.md): three steps, at each of which processes change one after the other. Calls of
// every step begin at one edge, reach a phone at the other, and end at any later step for which their key is in the ring.
// Not tested here: the file that is followed (packages/service-kit), secrets of resources (services/policy/src/resources/reseal.test.ts), nonces.
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'

const OLD = { id: 1, secret: 'in-memory-secret-of-tests-only' }
const NEW = { id: 2, secret: 'another-secret-of-tests-only' }

interface Dialog {
  readonly callId: string
  readonly from: string
  readonly to: string
  readonly uri: string
  readonly headers: string[]
}

let cluster: MemoryCluster
let alice: MemoryPhone
let bob: MemoryPhone

beforeEach(async () => {
  cluster = await createMemoryCluster({ edgeCount: 2 })
  const [first, second] = cluster.edges.map(({ endpoint: { address, port } }) => ({ address, port }))
  if (first === undefined || second === undefined) throw new Error('expected two edges')
  alice = new MemoryPhone(cluster.network, 'alice', '192.0.2.20', 5060, first)
  bob = new MemoryPhone(cluster.network, 'bob', '192.0.2.30', 5060, second)
  for (const phone of [alice, bob]) phone.register('tandem.test')
  await cluster.settle()
})

afterEach(async () => {
  expect(cluster.problems).toEqual([])
  await cluster.close()
})

/** One call that is up. */
async function begin(callId: string): Promise<Dialog> {
  const ends = { from: `<sip:alice@tandem.test>;tag=${callId}`, to: '<sip:bob@tandem.test>', callId }
  alice.send(alice.request('INVITE', { ...ends, uri: 'sip:bob@tandem.test', contact: alice.contact }))
  await cluster.settle()
  const invite = bob.last()
  expect(startLine(invite)).toMatch(/^INVITE /)
  bob.answer(invite, 180)
  return answered(ends, invite)
}

async function answered(ends: { from: string; callId: string }, invite: string): Promise<Dialog> {
  bob.answer(invite, 200)
  await cluster.settle()
  const ok = alice.last()
  expect(startLine(ok)).toBe('SIP/2.0 200 Test')
  const to = headerValues(ok, 'to')[0] ?? ''
  const dialog = { ...ends, to, uri: 'sip:bob@192.0.2.30:5060', headers: alice.routesOf(ok, true) }
  alice.send(alice.request('ACK', dialog))
  await cluster.settle()
  expect(startLine(bob.last())).toMatch(/^ACK /)
  return dialog
}

/** @returns the status line that the caller gets for BYE */
async function end(dialog: Dialog): Promise<string> {
  const asked = bob.inbox.length
  alice.send(alice.request('BYE', { ...dialog, cseq: 2 }))
  await cluster.settle()
  if (bob.inbox.length > asked) bob.answer(bob.last(), 200)
  await cluster.settle()
  return startLine(alice.last())
}

/** One process after the other, `meanwhile` after each. */
async function change(ring: (typeof OLD)[], meanwhile: (at: string) => Promise<void>): Promise<void> {
  const processes = [cluster.edges[1], cluster.policy, cluster.edges[0]]
  for (const [k, process] of processes.entries()) {
    process?.useKeyRing(ring)
    await cluster.settle()
    await meanwhile(`${ring.map(({ id }) => id).join('-')}-${k}`)
  }
}

test('calls begin and end at every moment of the three steps, those of before the first one too', async () => {
  const open = [await begin('before')]
  const call = async (at: string): Promise<void> => {
    open.push(await begin(`at-${at}`))
    expect(await end(await begin(`whole-${at}`))).toBe('SIP/2.0 200 Test')
  }
  await change([OLD, NEW], call)
  const before = open.splice(0, 2)
  await change([NEW, OLD], call)
  for (const dialog of [...before, ...open.splice(0, 2)]) expect(await end(dialog)).toBe('SIP/2.0 200 Test')
  // Of the old key's time nothing is left but those that are to end now.
  const late = await begin('late')
  for (const dialog of open.splice(0)) expect(await end(dialog)).toBe('SIP/2.0 200 Test')
  await change([NEW], call)
  for (const dialog of [late, ...open]) expect(await end(dialog)).toBe('SIP/2.0 200 Test')
})

test('a call in set-up goes on while the first key changes', async () => {
  const ends = { from: '<sip:alice@tandem.test>;tag=a', to: '<sip:bob@tandem.test>', callId: 'in-set-up' }
  alice.send(alice.request('INVITE', { ...ends, uri: 'sip:bob@tandem.test', contact: alice.contact }))
  await cluster.settle()
  const invite = bob.last()
  await change([OLD, NEW], async () => undefined)
  await change([NEW, OLD], async () => undefined)
  bob.answer(invite, 180)
  expect(await end(await answered(ends, invite))).toBe('SIP/2.0 200 Test')
})

test('a key that is taken out verifies no more: requests of its dialogs are refused', async () => {
  const dialog = await begin('of-the-old-key')
  for (const ring of [[OLD, NEW], [NEW, OLD], [NEW]]) await change(ring, async () => undefined)
  expect(await end(dialog)).toMatch(/^SIP\/2\.0 403 /)
})

test('edges say in their leases which ring they have, without its secrets', async () => {
  const rings = () => [...(cluster.edges[0]?.core.membership.edges() ?? [])].map(({ keyRing = '' }) => keyRing)
  const before = rings()
  expect(before).toEqual([expect.stringMatching(/^1:[0-9a-f]{8}$/), before[0]])
  cluster.edges[1]?.useKeyRing([NEW, OLD])
  await cluster.settle()
  expect(new Set(rings())).toEqual(new Set([before[0], expect.stringMatching(/^2:[0-9a-f]{8},1:[0-9a-f]{8}$/)]))
})
