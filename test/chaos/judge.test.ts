// SPDX-License-Identifier: MIT
// What the judge makes of traces and records: a call that went well, and every way in which one does not.
import { describe, expect, it } from 'vitest'
import type { RecordLine } from '../e2e/support/cluster.ts'
import { beyond, type Figures, historyOf, judge, PROMISED } from './support/judge.ts'

const line = (ms: number, direction: 'S' | 'R', cseq: string, start: string, callId = 'c1'): string =>
  `2026-01-01\t00:00:00.${String(ms).padStart(6, '0')}\t${1_000 + ms / 1_000}\t${direction}\t${callId}\tCSeq:${cseq}\t${start}`

const OK = 'SIP/2.0 200 OK'
const CALLER = {
  invite: line(0, 'S', '1 INVITE', 'INVITE sip:callee0@chaos.test SIP/2.0'),
  ringing: line(100, 'R', '1 INVITE', 'SIP/2.0 180 Ringing'),
  answer: line(250, 'R', '1 INVITE', OK),
  bye: line(500, 'S', '2 BYE', 'BYE sip:callee0@chaos.test SIP/2.0'),
  ended: line(510, 'R', '2 BYE', OK),
}
const CALLEE = {
  invite: line(50, 'R', '1 INVITE', 'INVITE sip:callee0@127.0.0.1 SIP/2.0'),
  answer: line(200, 'S', '1 INVITE', OK),
  ack: line(300, 'R', '1 ACK', 'ACK sip:callee0@127.0.0.1 SIP/2.0'),
  bye: line(505, 'R', '2 BYE', 'BYE sip:callee0@127.0.0.1 SIP/2.0'),
}
const record = (outcome: string): RecordLine => ({ call_id: 'c1', outcome }) as RecordLine

type Leg = Readonly<Record<string, string>>
const without = (leg: Leg, ...names: string[]): string =>
  Object.entries(leg)
    .filter(([name]) => !names.includes(name))
    .map(([, text]) => text)
    .join('\n')

const judged = (caller: string, callee: string, outcomes: readonly string[]): Figures =>
  judge([caller], [callee], outcomes.map(record))

describe('judge', () => {
  it('a call that went well breaks no bound', () => {
    const figures = judged(without(CALLER), without(CALLEE), ['answered'])
    expect(figures).toMatchObject({ attempted: 1, answered: 1, setupsFailed: 0, establishedLost: 0, withoutRecord: 0 })
    expect(figures.setupMs).toEqual({ median: 250, p99: 250, max: 250 })
    expect(figures.cases).toEqual([])
    expect(beyond(figures, PROMISED)).toEqual([])
  })

  const full = without(CALLER)
  const heard = without(CALLEE)
  const refused = `${without(CALLER, 'ringing', 'answer', 'bye', 'ended')}\n${line(9, 'R', '1 INVITE', 'SIP/2.0 503 Busy')}`
  const byeRefused = `${without(CALLER, 'ended')}\n${line(510, 'R', '2 BYE', 'SIP/2.0 481 No')}`
  it.for([
    {
      what: 'nothing came',
      caller: CALLER.invite,
      callee: '',
      outcomes: [],
      part: { failures: { 'no final response': 1 } },
    },
    { what: 'it was refused', caller: refused, callee: '', outcomes: [], part: { failures: { 503: 1 } } },
    {
      what: 'its BYE was not answered',
      caller: without(CALLER, 'ended'),
      callee: heard,
      outcomes: ['answered'],
      part: { losses: { 'no response to the BYE of the caller, received': 1 } },
    },
    {
      what: 'its BYE was refused',
      caller: byeRefused,
      callee: heard,
      outcomes: ['answered'],
      part: { losses: { '481 to the BYE of the caller': 1 } },
    },
    {
      what: 'its ACK was lost',
      caller: full,
      callee: without(CALLEE, 'ack'),
      outcomes: ['answered'],
      part: { losses: { 'no ACK at the callee': 1 } },
    },
    { what: 'no record', caller: full, callee: heard, outcomes: [], part: { withoutRecord: 1 } },
    { what: 'another record', caller: full, callee: heard, outcomes: ['cancelled'], part: { recordedUnanswered: 1 } },
    {
      what: 'two records',
      caller: full,
      callee: heard,
      outcomes: ['answered', 'answered'],
      part: { withTwoRecords: 1 },
    },
  ])('$what', ({ caller, callee, outcomes, part }) => {
    const figures = judged(caller, callee, outcomes)
    expect(figures).toMatchObject(part)
    expect(figures.cases).toHaveLength(1)
    expect(beyond(figures, PROMISED)).toHaveLength(1)
  })

  it('tells the history of one call', () => {
    expect(historyOf('c1', [full], [`${heard}\n${line(7, 'R', '1 BYE', OK, 'c2')}`])).toHaveLength(9)
  })

  it('no call at all is no success', () => {
    expect(beyond(judge([], [], []), PROMISED)).toEqual(['no call was attempted'])
  })
})
