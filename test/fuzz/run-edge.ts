// SPDX-License-Identifier: MIT
//
// node --conditions=@tandem/source test/fuzz/run-edge.ts <first seed> <count>
// Mutated messages through a whole edge in memory, with a callee that answers some of what reaches it, soundly or not. Prints one line of
// JSON; ends with 1 where the edge logs an error, takes too long or no longer serves a good message, and says which seeds it was.
import { buildResponse, headerValues } from '@tandem/test-kit'
import { sampleMemory } from '../support/heap.ts'
import { ACCOUNTED_DOMAIN, createMemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'
import { mutate } from './mutator.ts'
import { corporaPool, ownPool, usualMessages } from './pools.ts'

export interface EdgeFuzzOutcome {
  readonly sent: number
  /** What the edge sent, of its own or forwarded. */
  readonly received: number
  readonly slowestBatchMs: number
  /** After a collection, when all timers have run: after a first tenth, and at the end. */
  readonly heapBytes: readonly [number, number]
  /** What is left when all timers have run: server and client transactions, contexts, kept bytes. */
  readonly left: readonly number[]
  /** The edge's counts, for what the run has reached. */
  readonly counts: Readonly<Record<string, number>>
}

const BATCH = 50
const MOST_BATCH_MS = 5_000
/** 64*T1, and the time that a server transaction lingers. */
const ALL_TIMERS_MS = 400_000
/** Mostly what gets far. */
const usual = usualMessages()
const pool = [...ownPool().messages, ...(corporaPool()?.messages ?? []), ...usual, ...usual, ...usual, ...usual]

const [firstText = '1', countText = '1000'] = process.argv.slice(2)
const first = Number(firstText)
const count = Number(countText)

const cluster = await createMemoryCluster({ resources: ACCOUNTED_DOMAIN })
cluster.network.maxTrace = 0
const server = { address: '192.0.2.1', port: 5060 }
const alice = new MemoryPhone(cluster.network, 'alice', '192.0.2.20', 5060, server)
const bob = new MemoryPhone(cluster.network, 'bob', '192.0.2.30', 5060, server)
let received = 0
let answers = 0

/** Of each ten requests four get a sound 200, two a mutated 200, the rest none. */
bob.onRequest = (request) => {
  answers += 1
  if (request.startsWith('ACK ') || answers % 10 > 5) return
  const response = Buffer.from(buildResponse(request, 200, { toTag: `b${answers}`, contact: bob.contact }), 'latin1')
  const bytes = answers % 10 > 3 ? mutate([response], first + answers) : response
  bob.endpoint.send(bytes, 0, bytes.length, server.port, server.address)
}

/** A mutated ACK and BYE for each call that is answered, on the way that its Record-Route says. */
alice.onResponse = (response) => {
  if (!response.startsWith('SIP/2.0 200') || !response.includes('INVITE')) return
  const [to = '', from = '', callId = ''] = ['to', 'from', 'call-id'].map(
    (name) => headerValues(response, name)[0] ?? '',
  )
  const parts = { uri: 'sip:bob@192.0.2.30:5060', to, from, callId, headers: alice.routesOf(response, true), cseq: 2 }
  for (const method of ['ACK', 'BYE']) {
    answers += 1
    const good = Buffer.from(alice.request(method, parts), 'latin1')
    const bytes = answers % 3 === 0 ? good : mutate([good], first + answers)
    alice.endpoint.send(bytes, 0, bytes.length, server.port, server.address)
  }
}

function drainInboxes(): void {
  received += alice.inbox.length + bob.inbox.length
  alice.inbox.length = 0
  bob.inbox.length = 0
}

/** Without this nearly everything would be a retransmission of what came before. */
function withOwnBranch(bytes: Buffer, seed: number): Buffer {
  return Buffer.from(bytes.toString('latin1').replace('z9hG4bK', `z9hG4bK${seed}-`), 'latin1')
}

async function sendBatch(from: number, to: number): Promise<void> {
  for (let seed = from; seed < to; seed++) {
    const bytes = withOwnBranch(mutate(pool, seed), seed)
    alice.endpoint.send(bytes, 0, bytes.length, server.port, server.address)
  }
  await cluster.settle()
  await cluster.advance(1_000, 100)
  drainInboxes()
  if (cluster.problems.length > 0) throw new Error(`the edge logged: ${cluster.problems.join('\n')}`)
}

/** A good REGISTER and a good MESSAGE still do what they did. */
async function expectService(serial: number): Promise<void> {
  bob.send(bob.request('REGISTER', registerParts('*', ['Expires: 0'])))
  await cluster.settle()
  bob.send(bob.request('REGISTER', registerParts(bob.contact, [])))
  await cluster.settle()
  alice.send(alice.request('MESSAGE', { uri: 'sip:bob@tandem.test', callId: `good-${serial}` }))
  await cluster.settle()
  if (!bob.inbox.some((text) => text.includes(`Call-ID: good-${serial}\r\n`)))
    throw new Error('a good message got lost')
  drainInboxes()
}

function registerParts(contact: string, headers: string[]) {
  const address = '<sip:bob@tandem.test>'
  return { uri: 'sip:tandem.test', to: address, from: `${address};tag=r`, contact, headers }
}

async function heapWhenIdle(): Promise<number> {
  await cluster.advance(ALL_TIMERS_MS, 1_000)
  drainInboxes()
  return (await sampleMemory()).heapBytes
}

let slowestBatchMs = 0
let earlyHeap = 0
await expectService(first - 1)
for (let seed = first; seed < first + count; seed += BATCH) {
  const end = Math.min(seed + BATCH, first + count)
  const began = performance.now()
  try {
    await sendBatch(seed, end)
    await expectService(seed)
    slowestBatchMs = Math.max(slowestBatchMs, performance.now() - began)
    if (slowestBatchMs > MOST_BATCH_MS) throw new Error(`took ${slowestBatchMs} ms`)
  } catch (error) {
    console.error(`replay: node --conditions=@tandem/source test/fuzz/run-edge.ts ${seed} ${end - seed}`)
    throw error
  }
  if (earlyHeap === 0 && seed - first >= count / 10) earlyHeap = await heapWhenIdle()
}
const lateHeap = await heapWhenIdle()
const { layer, proxy } = cluster.edge.core
const left = [layer.serverCount, layer.clientCount, proxy.inProgress, layer.keptBytes]
const counts = { ...cluster.edge.core.counts }
const outcome: EdgeFuzzOutcome = {
  sent: count,
  received,
  slowestBatchMs,
  heapBytes: [earlyHeap, lateHeap],
  left,
  counts,
}
await cluster.close()
console.log(JSON.stringify(outcome))
