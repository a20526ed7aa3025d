// SPDX-License-Identifier: MIT
// Calls of SIPp that the cluster ends by itself, each service a process of its own: both phones are killed in the middle of a call, or stopped
// (they are there, no ICMP says otherwise, and answer nothing), and found gone; a maximum duration is over. Timer F is 6.4 s here.
import { type RunningSipp, redisAvailable, sippAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { beforeEach, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import { startOpenCluster } from './support/open-cluster.ts'
import { beginSipp, expectPlayed, newCallId, playSipp } from './support/sipp.ts'

const LIVENESS_MS = 10_000
const FOREVER_MS = 200_000
const T1 = { TANDEM_EDGE_TIMERS_T1_MS: '100' }
const needed = [sippAvailable(), redisAvailable()]

beforeEach((context) => {
  for (const program of needed) if (!program.available) context.skip(program.reason)
})

interface Call {
  readonly callId: string
  readonly caller: RunningSipp
  readonly callee: RunningSipp
}

/** Of a stranger to `user1` of a domain; comes back when it is answered. */
async function call(cluster: Cluster, domain: string): Promise<Call> {
  const callee = await beginSipp({ scenario: 'answer', timeoutMs: FOREVER_MS })
  const contact = `<sip:user1@127.0.0.1:${callee.port}>`
  const keys = { domain, contact, callee: 'user1' }
  expectPlayed(await playSipp({ scenario: 'register-open', port: cluster.sipPort(1), user: 'user1', keys }))
  const callId = newCallId('lost')
  const port = cluster.sipPort(0)
  const run = { scenario: 'call-open-and-hang-up', port, keys, callId, pauseMs: FOREVER_MS, timeoutMs: FOREVER_MS }
  const answered = await cluster.metric(0, 'tandem_edge_calls_ended_total{result="answered"')
  const caller = await beginSipp(run)
  const isAnswered = async () => (await cluster.metric(0, 'tandem_edge_calls_ended_total{result="answered"')) > answered
  await waitUntil('the answer', isAnswered, 15_000)
  return { callId, caller, callee }
}

it('phones that were killed or say nothing are found gone: the record ends at the last sign of life, recovered; a maximum duration ends a call', {
  timeout: 240_000,
}, async () => {
  const redis = await startRedis()
  const cleanups: (() => unknown)[] = [() => redis.stop()]
  try {
    const open = { accounting: true, anonymous: 'allow', identity: 'off' }
    const cluster = await startOpenCluster(
      { 'lost.test': open, 'short.test': { ...open, maxDurationMs: 3_000 } },
      { processes: 'many', store: redis.url, env: { TANDEM_POLICY_LIVENESS_INTERVAL_MS: String(LIVENESS_MS), ...T1 } },
    )
    cleanups.push(() => cluster.stop())
    const lost = await call(cluster, 'lost.test')
    const silent = await call(cluster, 'lost.test')
    const short = await call(cluster, 'short.test')
    cleanups.push(
      ...[lost, silent, short].flatMap(({ caller, callee }) => [() => caller.stop(0), () => callee.stop(0)]),
    )
    for (const phone of [lost.caller, lost.callee]) phone.process.signal('SIGKILL')
    for (const phone of [silent.caller, silent.callee]) phone.process.signal('SIGSTOP')
    const ended = await cluster.record(short.callId, 30_000)
    expect(ended).toMatchObject({ outcome: 'answered', ended_by: 'system', state: 'complete' })
    expect(ended.duration_ms).toBeGreaterThanOrEqual(3_000)
    expect(ended.duration_ms).toBeLessThan(5_000)
    for (const { callId } of [lost, silent]) {
      const gone = await cluster.record(callId, 200_000)
      expect(gone).toMatchObject({ outcome: 'answered', ended_by: 'system', state: 'recovered' })
      expect(gone.duration_ms).toBeLessThan(LIVENESS_MS)
    }
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup()
  }
})
