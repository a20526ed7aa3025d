// SPDX-License-Identifier: MIT
// Whether the money is right: what SIPp traced on both sides, the records file, and each account's balance, ledger and holds, held against each
// other. Nothing that the cluster counts of itself.
//
// A talk has no single length from outside: an answer is sent by the callee and seen by the caller, a BYE is sent, repeated while an edge is
// dead, and answered. A record has to lie within these, give or take a second. Calls whose BYE nobody answered have no end to compare with.
import type { AccountAudit, LedgerEntry } from '@tandem/store'
import type { Traces } from './phones.ts'
import { type Payer, priceOf } from './plan.ts'
import type { PricedLine } from './processes.ts'

/** One account when all is over. */
export interface Statement extends Pick<AccountAudit, 'balance' | 'ledgerSum' | 'held' | 'holdsSum'> {
  readonly account: string
  /** All entries, or none where there are more than were read. */
  readonly ledger: readonly Pick<LedgerEntry, 'key' | 'cause' | 'amount'>[]
  /** That the harness was told of. */
  readonly toppedUp: bigint
}

export interface Figures {
  readonly attempted: number
  readonly answered: number
  /** Final status, or 0 for none, → calls that were not answered. */
  readonly failures: Readonly<Record<string, number>>
  readonly records: number
  /** Of them; they stand in the place of others. */
  readonly corrections: number
  readonly recovered: number
  readonly unbilledCalls: number
  readonly unbilledMs: number
  readonly cutOff: number
  /** Of calls whose two ends are known: difference between the record and the phones. */
  readonly compared: number
  readonly withinTenthMs: number
  readonly furthestMs: number
  readonly charged: bigint
  /** What is wrong, a sentence each. */
  readonly wrong: readonly string[]
}

const TOLERANCE_MS = 1_000

class Seen {
  status = 0
  invitedMs = -1
  /** At the callee, the first time; at the caller. */
  answerSentMs = -1
  answeredMs = -1
  /** Whoever sent it, first. */
  byeMs = Number.POSITIVE_INFINITY
  byeAnsweredMs = -1
  wasHungUp = false
}

interface Line {
  readonly isCaller: boolean
  readonly atMs: number
  readonly isSent: boolean
  readonly method: string
  readonly status: number
}

function takeInvite(seen: Seen, { isCaller, atMs, isSent, status }: Line): void {
  if (isCaller && isSent && status === 0 && seen.invitedMs < 0) seen.invitedMs = atMs
  if (!isCaller && isSent && status === 200 && seen.answerSentMs < 0) seen.answerSentMs = atMs
  if (!isCaller || isSent || status < 200) return
  seen.status ||= status
  // A caller who has had a failure takes no answer any more. [RFC3261-17.1.1.2]
  if (seen.status === 200 && seen.answeredMs < 0) seen.answeredMs = atMs
}

/** A BYE that a phone gets was sent by the other one, or by the cluster: by then it has left. */
function takeBye(seen: Seen, { atMs, isSent, status }: Line, hasSentBye: boolean): void {
  if (status === 0) seen.byeMs = Math.min(seen.byeMs, atMs)
  const isEnd = isSent ? status === 200 : status === 200 || status === 481
  if (isEnd) seen.byeAnsweredMs = Math.max(seen.byeAnsweredMs, atMs)
  if (status === 0 && !isSent && !hasSentBye) seen.wasHungUp = true
}

function read(calls: Map<string, Seen>, trace: string, isCaller: boolean): void {
  for (const text of trace.split('\n')) {
    const [, , seconds, direction, callId, cseq, start] = text.split('\t')
    if (callId === undefined || start === undefined) continue
    const seen = calls.get(callId) ?? new Seen()
    calls.set(callId, seen)
    const status = start.startsWith('SIP/2.0 ') ? Number(start.slice(8, 11)) : 0
    const method = cseq?.slice(cseq.lastIndexOf(' ') + 1) ?? ''
    const line = { isCaller, atMs: Number(seconds) * 1_000, isSent: direction === 'S', method, status }
    if (method === 'INVITE') takeInvite(seen, line)
    else if (method === 'BYE') takeBye(seen, line, Number.isFinite(seen.byeMs))
  }
}

/** What the phones saw of each call that began. */
export function readTraces({ callers, callees }: Traces): Map<string, Seen> {
  const calls = new Map<string, Seen>()
  for (const trace of callers) read(calls, trace, true)
  for (const trace of callees) read(calls, trace, false)
  for (const [callId, seen] of calls) if (seen.invitedMs < 0) calls.delete(callId)
  return calls
}

export const answeredIn = (traces: Traces): string[] =>
  [...readTraces(traces)].filter(([, seen]) => seen.answeredMs >= 0).map(([callId]) => callId)

/** How far the record is outside of what the phones saw, 0 for within; undefined: they do not know. */
function awayMs(seen: Seen, durationMs: number): number | undefined {
  if (seen.answeredMs < 0 || seen.answerSentMs < 0 || seen.byeAnsweredMs < 0) return undefined
  const least = seen.byeMs - seen.answeredMs
  const most = seen.byeAnsweredMs - seen.answerSentMs
  return Math.max(0, least - durationMs, durationMs - most)
}

const micros = (price: string | null): bigint => BigInt((price ?? '0').replace('.', ''))
const calleeOf = (uri: string): string => /^sip:([^@]*)@/.exec(uri)?.[1] ?? ''

function judgePrice(line: PricedLine): string | undefined {
  const price = micros(line.price)
  const isAnswered = line.outcome === 'answered'
  const full = isAnswered ? priceOf(calleeOf(line.to_uri), line.duration_ms) : 0n
  if (price === full) return undefined
  const isShort = isAnswered && line.unbilled_ms > 0 && price < full
  return isShort
    ? undefined
    : `${line.call_id}: ${line.duration_ms} ms cost ${price}, expected ${full} (${line.outcome})`
}

function judgeStatement(one: Statement, payer: Payer, spent: bigint): string[] {
  const { account, balance, ledgerSum, held, holdsSum, ledger, toppedUp } = one
  const wrong: string[] = []
  if (balance !== ledgerSum) wrong.push(`${account}: balance ${balance}, ledger ${ledgerSum}`)
  if (held !== 0n || holdsSum !== 0n) wrong.push(`${account}: ${held} is held, the holds are ${holdsSum}`)
  if (payer.floor !== undefined && balance < payer.floor)
    wrong.push(`${account}: balance ${balance} is below ${payer.floor}`)
  if (balance !== toppedUp - spent)
    wrong.push(`${account}: balance ${balance}, topped up ${toppedUp}, records say ${spent}`)
  const keys = ledger.map(({ key }) => key)
  const twice = keys.filter((key, index) => keys.indexOf(key) !== index)
  if (twice.length > 0) wrong.push(`${account}: twice in the ledger: ${twice.join(', ')}`)
  return wrong
}

function judgeIds(lines: readonly PricedLine[]): string[] {
  const ids = new Map<string, number>()
  for (const { cdr_id: id } of lines) ids.set(id, (ids.get(id) ?? 0) + 1)
  return [...ids].filter(([, count]) => count > 1).map(([id, count]) => `record ${id} is there ${count} times`)
}

/** Records by call, and what is wrong with how many there are. */
function judgeRecords(calls: ReadonlyMap<string, Seen>, records: readonly PricedLine[]): string[] {
  const byCall = new Map<string, PricedLine[]>()
  for (const line of records) byCall.set(line.call_id, [...(byCall.get(line.call_id) ?? []), line])
  const wrong: string[] = []
  for (const [callId, seen] of calls) {
    const answered = (byCall.get(callId) ?? []).filter(({ outcome }) => outcome === 'answered')
    if (seen.answeredMs >= 0 && answered.length !== 1)
      wrong.push(`${callId}: answered, ${answered.length} records say so`)
    if (answered.length > 1) wrong.push(`${callId}: ${answered.length} records of its answer`)
    if (seen.answerSentMs < 0 && answered.length > 0) wrong.push(`${callId}: no phone answered, a record says so`)
  }
  for (const callId of byCall.keys()) if (!calls.has(callId)) wrong.push(`${callId}: a record of no call`)
  return wrong
}

/** Each call's last word: a correction stands in the place of what came before it. */
function standing(lines: readonly PricedLine[]): PricedLine[] {
  const last = new Map<string, PricedLine>()
  for (const line of lines) {
    const isLater = line.corrects !== '' || !last.has(line.call_ref)
    if (isLater) last.set(line.call_ref, line)
  }
  return [...last.values()]
}

function tally(values: readonly number[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

export function judge(
  traces: Traces,
  lines: readonly PricedLine[],
  statements: readonly Statement[],
  payers: readonly Payer[],
): Figures {
  const calls = readTraces(traces)
  const records = standing(lines)
  const wrong = [...judgeIds(lines), ...judgeRecords(calls, records)]
  const spent = new Map<string, bigint>()
  const away: number[] = []
  for (const line of records) {
    spent.set(line.account, (spent.get(line.account) ?? 0n) + micros(line.price))
    const price = judgePrice(line)
    if (price !== undefined) wrong.push(price)
    const seen = calls.get(line.call_id)
    const ms = seen && line.outcome === 'answered' ? awayMs(seen, line.duration_ms) : undefined
    if (ms !== undefined) away.push(ms)
    if (ms !== undefined && ms > TOLERANCE_MS)
      wrong.push(
        `${line.call_id}: ${line.duration_ms} ms (${line.state}, ended by ${line.ended_by}) are ${Math.round(ms)} ms off`,
      )
  }
  const charged = [...spent.values()].reduce((sum, amount) => sum + amount, 0n)
  for (const one of statements) {
    const payer = payers.find(({ name }) => name === one.account)
    if (payer !== undefined) wrong.push(...judgeStatement(one, payer, spent.get(one.account) ?? 0n))
  }
  const seen = [...calls.values()]
  return {
    attempted: calls.size,
    answered: seen.filter(({ answeredMs }) => answeredMs >= 0).length,
    failures: tally(seen.filter(({ answeredMs }) => answeredMs < 0).map(({ status }) => status)),
    records: lines.length,
    corrections: lines.filter(({ corrects }) => corrects !== '').length,
    recovered: records.filter(({ state }) => state === 'recovered').length,
    unbilledCalls: records.filter(({ unbilled_ms: ms }) => ms > 0).length,
    unbilledMs: records.reduce((sum, { unbilled_ms: ms }) => sum + ms, 0),
    cutOff: records.filter(({ ended_by: by, outcome }) => by === 'system' && outcome === 'answered').length,
    compared: away.length,
    withinTenthMs: away.filter((ms) => ms <= 100).length,
    furthestMs: Math.round(Math.max(0, ...away)),
    charged,
    wrong,
  }
}
