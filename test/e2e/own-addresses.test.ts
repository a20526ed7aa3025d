// SPDX-License-Identifier: MIT
// Three edges with addresses of their own, each a process; the one that set a call up is killed. Its Route is in the caller's Route set, its
// address will never answer: the caller's phone turns to another edge (RFC 3263 section 4.3), which knows the token of any edge. Before
// and after the others have forgotten the dead one. SIPp calls SIPp.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runSipp, sippAvailable, startSipp, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { ChaosCluster, DOMAIN } from '../chaos/support/cluster.ts'
import { freeBlock } from './support/cluster.ts'
import { expectPlayed, newCallId } from './support/sipp.ts'

const HOST = '127.0.0.1'
const EDGES = [0, 1, 2]
const sipp = sippAvailable()
let cluster: ChaosCluster
let base = 0
const target = (edge: number): string => `${HOST}:${base + 100 * edge}`

beforeAll(async () => {
  base = await freeBlock()
  cluster = await ChaosCluster.start({
    edges: EDGES.map(() => ({ address: HOST, prefix: [] })),
    advertisedAddress: HOST,
    serviceAddress: HOST,
    basePort: base,
    store: 'memory',
    callees: 2,
    edge: { sharedAddress: false, warmUpCalls: 0 },
  })
})
afterAll(() => cluster?.stop())
beforeEach((context) => {
  if (!sipp.available) context.skip(sipp.reason)
})

const scenario = (name: string) => ({ xml: readFileSync(join(import.meta.dirname, `sipp/${name}.xml`), 'latin1') })

/** Calls at edge 0; ACK and all that follows go to edge 1. */
function callAndTurnAway() {
  const answered = '<recv response="200" rrs="true"/>'
  const values = { host: HOST, port: String(base + 100), protocol: '[transport]' }
  const assigned = Object.entries(values).map(([name, value]) => `<assignstr assign_to="${name}" value="${value}"/>`)
  const turn = `<nop><action>${assigned.join('')}<setdest host="[$host]" port="[$port]" protocol="[$protocol]"/></action></nop>`
  const { xml } = scenario('call-open-and-hang-up')
  expect(xml).toContain(answered)
  return { xml: xml.replace(answered, answered + turn) }
}

const keys = (values: Readonly<Record<string, string>>): string[] =>
  Object.entries({ domain: DOMAIN, ...values }).flatMap(([name, value]) => ['-key', name, value])

const recordsOf = (callId: string) => cluster.records().filter((line) => line.call_id === callId)

it.for([
  { when: 'while its lease still runs', callee: 'callee0', talkMs: 1_500 },
  { when: 'when it is forgotten', callee: 'callee1', talkMs: 9_000 },
])(
  'the edge that set the call up is killed: a BYE to another one, $when',
  {
    timeout: 60_000,
  },
  async ({ callee, talkMs }) => {
    const bob = await startSipp({ scenario: scenario('answer-by-via'), timeoutMs: 30_000 })
    const contact = `<sip:${callee}@${HOST}:${bob.port}>`
    const registered = { scenario: scenario('register-open'), target: target(2), args: keys({ user: callee, contact }) }
    expectPlayed(await runSipp(registered))
    const callId = newCallId('own-address')
    const args = [...keys({ user: 'caller', callee }), '-cid_str', callId.replace(/-1$/, '-%u'), '-d', String(talkMs)]
    const alice = await startSipp({ scenario: callAndTurnAway(), target: target(0), timeoutMs: 30_000, args })
    const answered = 'tandem_edge_calls_ended_total{result="answered"}'
    await waitUntil('the answer', async () => (await cluster.count(0, answered)) > 0, 5_000, 50)
    await cluster.killEdge(0)
    expectPlayed(await alice.result)
    expectPlayed(await bob.result)
    await waitUntil('the record', () => recordsOf(callId).length > 0, 10_000)
    expect(recordsOf(callId)).toHaveLength(1)
    const [record] = recordsOf(callId)
    expect(record).toMatchObject({ outcome: 'answered', ended_by: 'caller', final_status: 200 })
    expect(Math.abs((record?.duration_ms ?? 0) - talkMs)).toBeLessThan(500)
    await cluster.startEdge(0)
  },
)
