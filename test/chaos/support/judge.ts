// SPDX-License-Identifier: MIT
// What became of each call, from what SIPp traced on both sides and from the records file; nothing that the cluster says of itself.
// A call is established when its caller has a 2xx. It is lost where its ACK never reaches the callee, or its BYE gets no 2xx.
import type { RecordLine } from '../../e2e/support/cluster.ts'

export interface Figures {
  readonly attempted: number
  readonly answered: number
  readonly setupsFailed: number
  /** Final status, or `no final response`, → calls. */
  readonly failures: Readonly<Record<string, number>>
  readonly establishedLost: number
  /** How they were lost → calls. */
  readonly losses: Readonly<Record<string, number>>
  readonly withoutRecord: number
  /** With a record that knows of no answer. */
  readonly recordedUnanswered: number
  readonly withTwoRecords: number
  /** From INVITE to 2xx at the caller, ringing included. */
  readonly setupMs: { readonly median: number; readonly p99: number; readonly max: number }
  /** What is not as it should be, call by call. */
  readonly cases: readonly Case[]
}

export interface Case {
  readonly callId: string
  readonly what: string
}

export interface Bounds {
  readonly establishedLost: number
  readonly withoutRecord: number
  readonly withTwoRecords: number
  /** Of all calls. */
  readonly setupsFailedShare: number
}

/** [DESIGN §4] What the project promises over UDP. */
export const PROMISED: Bounds = { establishedLost: 0, withoutRecord: 0, withTwoRecords: 0, setupsFailedShare: 0.001 }

const NO_FINAL = 'no final response'

class Call {
  invitedMs = -1
  answeredMs = -1
  finalStatus = 0
  provisional = 0
  invitesAtCallee = 0
  answerAtCallee = false
  ackAtCallee = false
  byeStatus = 0
  byeSentBy = ''
  byeReceived = false
}

type Side = 'caller' | 'callee'

interface Line {
  readonly atMs: number
  readonly isSent: boolean
  readonly method: string
  /** 0 for a request. */
  readonly status: number
}

function take(call: Call, side: Side, { atMs, isSent, method, status }: Line): void {
  if (method === 'INVITE') takeInvite(call, side, atMs, isSent, status)
  else if (method === 'ACK' && side === 'callee' && !isSent) call.ackAtCallee = true
  else if (method === 'BYE' && isSent && status === 0) call.byeSentBy = side
  else if (method === 'BYE' && status === 0) call.byeReceived = true
  else if (method === 'BYE' && !isSent && status >= 200) call.byeStatus ||= status
}

function takeInvite(call: Call, side: Side, atMs: number, isSent: boolean, status: number): void {
  if (side === 'callee') {
    if (!isSent && status === 0) call.invitesAtCallee += 1
    if (isSent && status === 200) call.answerAtCallee = true
  } else if (isSent && status === 0) {
    if (call.invitedMs < 0) call.invitedMs = atMs
  } else if (!isSent) {
    if (status < 200) call.provisional = Math.max(call.provisional, status)
    else call.finalStatus ||= status
    if (status >= 200 && status < 300 && call.answeredMs < 0) call.answeredMs = atMs
  }
}

/** The lines of SIPp's short trace into calls by Call-ID. */
function readTrace(calls: Map<string, Call>, side: Side, trace: string): void {
  for (const text of trace.split('\n')) {
    const [, , seconds, direction, callId, cseq, start] = text.split('\t')
    if (callId === undefined || start === undefined) continue
    const call = calls.get(callId) ?? new Call()
    calls.set(callId, call)
    take(call, side, {
      atMs: Number(seconds) * 1_000,
      isSent: direction === 'S',
      method: cseq?.slice(cseq.lastIndexOf(' ') + 1) ?? '',
      status: start.startsWith('SIP/2.0 ') ? Number(start.slice(8, 11)) : 0,
    })
  }
}

function lossOf(call: Call): string | undefined {
  if (!call.ackAtCallee) return 'no ACK at the callee'
  if (call.byeSentBy === '') return 'no BYE was sent'
  if (call.byeStatus === 0)
    return `no response to the BYE of the ${call.byeSentBy}, ${call.byeReceived ? '' : 'not '}received`
  return call.byeStatus >= 300 ? `${call.byeStatus} to the BYE of the ${call.byeSentBy}` : undefined
}

/** How far a set-up without a final response came. */
function stageOf(call: Call): string {
  const caller = call.provisional === 0 ? 'nothing' : String(call.provisional)
  const callee = call.answerAtCallee ? 'had answered' : call.invitesAtCallee > 0 ? 'had the INVITE' : 'knew nothing'
  return `the caller had ${caller}, the callee ${callee}`
}

function setupTimes(calls: readonly Call[]): Figures['setupMs'] {
  const times = calls.filter(({ answeredMs }) => answeredMs >= 0).map((call) => call.answeredMs - call.invitedMs)
  times.sort((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0)
  return { median: at(0.5), p99: at(0.99), max: at(1) }
}

/** Call-ID → outcomes of its records. */
function recordsByCall(records: readonly RecordLine[]): Map<string, string[]> {
  const outcomes = new Map<string, string[]>()
  for (const { call_id: callId, outcome } of records) {
    outcomes.set(callId, [...(outcomes.get(callId) ?? []), outcome])
  }
  return outcomes
}

/** The calls that callers have begun. */
function readTraces(callers: readonly string[], callees: readonly string[]): Map<string, Call> {
  const calls = new Map<string, Call>()
  for (const trace of callers) readTrace(calls, 'caller', trace)
  for (const trace of callees) readTrace(calls, 'callee', trace)
  for (const [callId, call] of calls) if (call.invitedMs < 0) calls.delete(callId)
  return calls
}

/** Every line of both sides about one call, in the order of their times; the callee's are indented. */
export function historyOf(callId: string, callers: readonly string[], callees: readonly string[]): string[] {
  const linesOf = (traces: readonly string[], indent: string): string[] =>
    traces
      .flatMap((trace) => trace.split('\n').filter((line) => line.split('\t')[4] === callId))
      .map((line) => {
        const [, time, , direction, , cseq, start] = line.split('\t')
        return `${time} ${indent}${direction} ${cseq} | ${start}`
      })
  return [...linesOf(callers, ''), ...linesOf(callees, '      ')].sort()
}

/** Call-IDs that were answered, for who waits for their records. */
export function answeredCalls(callers: readonly string[]): string[] {
  return [...readTraces(callers, [])].filter(([, call]) => call.answeredMs >= 0).map(([callId]) => callId)
}

/** What is wrong with one call. */
interface Verdict {
  readonly failure?: string
  readonly loss?: string
  readonly withoutRecord: boolean
  readonly recordedUnanswered: boolean
  readonly twice: boolean
}

function verdictOf(call: Call, outcomes: readonly string[]): Verdict {
  const twice = outcomes.length > 1
  const isAnswered = call.answeredMs >= 0
  const withoutRecord = isAnswered && outcomes.length === 0
  const recordedUnanswered = isAnswered && outcomes.length > 0 && !outcomes.includes('answered')
  const records = { withoutRecord, recordedUnanswered, twice }
  if (!isAnswered) return { failure: call.finalStatus === 0 ? NO_FINAL : String(call.finalStatus), ...records }
  const loss = lossOf(call)
  return loss === undefined ? records : { loss, ...records }
}

function wordsOf(call: Call, verdict: Verdict, outcomes: readonly string[]): string[] {
  const { failure, loss, withoutRecord, recordedUnanswered, twice } = verdict
  const words: string[] = []
  if (failure !== undefined) words.push(`set-up failed, ${failure}: ${stageOf(call)}`)
  if (loss !== undefined) words.push(`lost: ${loss}`)
  if (withoutRecord) words.push('answered, without a record')
  if (recordedUnanswered) words.push(`answered, recorded as ${outcomes.join(', ')}`)
  if (twice) words.push(`${outcomes.length} records`)
  return words
}

/** How many have each value; those without one are left out. */
function tally(values: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) if (value !== undefined) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

export function judge(callers: readonly string[], callees: readonly string[], records: readonly RecordLine[]): Figures {
  const calls = readTraces(callers, callees)
  const outcomes = recordsByCall(records)
  const verdicts: Verdict[] = []
  const cases: Case[] = []
  for (const [callId, call] of calls) {
    const kept = outcomes.get(callId) ?? []
    const verdict = verdictOf(call, kept)
    verdicts.push(verdict)
    for (const what of wordsOf(call, verdict, kept)) cases.push({ callId, what })
  }
  const failures = tally(verdicts.map(({ failure }) => failure))
  const losses = tally(verdicts.map(({ loss }) => loss))
  return {
    attempted: calls.size,
    answered: calls.size - sum(failures),
    setupsFailed: sum(failures),
    failures,
    establishedLost: sum(losses),
    losses,
    withoutRecord: verdicts.filter(({ withoutRecord }) => withoutRecord).length,
    recordedUnanswered: verdicts.filter(({ recordedUnanswered }) => recordedUnanswered).length,
    withTwoRecords: verdicts.filter(({ twice }) => twice).length,
    setupMs: setupTimes([...calls.values()]),
    cases,
  }
}

/** A sentence for each bound that is broken. */
export function beyond(figures: Figures, bounds: Bounds): string[] {
  const { attempted, setupsFailed, establishedLost, withTwoRecords } = figures
  const withoutRecord = figures.withoutRecord + figures.recordedUnanswered
  const most = Math.floor(attempted * bounds.setupsFailedShare)
  const rows: [string, number, number][] = [
    ['established calls lost', establishedLost, bounds.establishedLost],
    ['answered calls without the record of it', withoutRecord, bounds.withoutRecord],
    ['calls with two records', withTwoRecords, bounds.withTwoRecords],
    [`set-ups of ${attempted} failed`, setupsFailed, most],
  ]
  const broken = rows
    .filter(([, count, bound]) => count > bound)
    .map(([what, n, bound]) => `${n} ${what}, at most ${bound}`)
  return attempted === 0 ? ['no call was attempted', ...broken] : broken
}
