// SPDX-License-Identifier: MIT
// How a trunk stands, as a line.
import { policy } from '@tandem/rpc'
import { expect, it } from 'vitest'
import { rowOf } from './trunks.ts'

it('says how a trunk stands in one line', () => {
  const status = policy.TrunkStatus.fromPartial({
    trunk: 'carrier',
    calls: 12,
    maxCalls: 30,
    callsPerSecond: 5,
    hosts: [
      { host: 'a;udp', breaker: 'closed', probe: { status: 200, tookMs: 12, good: true } },
      { host: 'b;udp', breaker: 'open', leftMs: 20_000n, probe: { status: 0 } },
    ],
    registration: { state: 'registered', leftMs: 90_000n, detail: 'no answer' },
    attempts: 20,
    answered: 10,
    effective: 18,
    ended: 4,
    talkMs: 240_000n,
    rang: 2,
    pddMs: 501n,
  })
  expect(rowOf(status)).toEqual({
    trunk: 'carrier',
    calls: '12/30, 5/s',
    hosts: 'b;udp open 20s',
    probed: '200 12 ms, none',
    registration: 'registered 1m 30s (no answer)',
    attempts: 20,
    asr: '50%',
    ner: '90%',
    acd: '1m',
    pdd: '251 ms',
  })
})

it('leaves out what a trunk has none of', () => {
  const row = rowOf(policy.TrunkStatus.fromPartial({ trunk: 'pbx', hosts: [{ host: 'a;udp', breaker: 'closed' }] }))
  expect(row).toMatchObject({ calls: '0', hosts: 'ok', probed: '', registration: '', asr: '', acd: '', pdd: '' })
})
