// SPDX-License-Identifier: MIT
//
// `tandem fraud events`: what rules against fraud have found, looking back and as it comes.
// `tandem fraud test`: which rules a call would meet, and why; it counts nothing.
import { setTimeout as sleep } from 'node:timers/promises'
import { toFraudLine } from '@tandem/records'
import type { policy, records } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { type Row, render } from '../output.ts'
import { callPolicy } from './targets.ts'

const COLUMNS = ['time', 'level', 'rule', 'subject', 'measure', 'value', 'above', 'action', 'from', 'to', 'call_ref']
const FINDING_COLUMNS = ['rule', 'subject', 'measure', 'value', 'warning', 'critical', 'level', 'action', 'why']
const POLL_MS = 500
const PAGE = 1_000

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s`, `15m`, `1h`, `7d` → ms. Throws `CommandFailed`. */
export function parseAge(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const unitMs = UNIT_MS[unit]
  if (count === undefined || unitMs === undefined) {
    throw new CommandFailed(`${text} is no age: expected a number with s, m, h or d, such as 15m.`)
  }
  return Number(count) * unitMs
}

export interface FraudEventFlags {
  readonly since: string
  readonly account: string
  readonly rule: string
  readonly limit: number
  readonly follow: boolean
}

export const eventRow = (event: records.FraudEvent): Row => ({
  time: new Date(Number(event.unixMs)).toISOString(),
  level: event.level,
  rule: event.rule,
  subject: `${event.scope} ${event.subject}`,
  measure: event.measure,
  value: String(event.value),
  above: String(event.threshold),
  action: event.dryRun ? `${event.action} (dry run)` : event.action,
  from: event.caller,
  to: event.callee,
  call_ref: event.callRef,
})

/** The newest events, oldest first; with `follow` also those that come, until `signal`. */
export async function fraudEvents(
  config: Config,
  flags: FraudEventFlags,
  format: Format,
  print: (text: string) => void,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const { account, rule, limit } = flags
  const asked = { cursor: '', sinceMs: BigInt(parseAge(flags.since)), account, rule, limit }
  const found = await callPolicy(config, 'listFraudEvents', asked)
  if (!flags.follow) {
    print(render(format, found.events.map(toFraudLine), COLUMNS, found.events.map(eventRow)))
    return
  }
  await follow(config, found, asked, format, print, signal)
}

/** One line for an event: a table of which only the end is to come can't be laid out. */
function lineOf(event: records.FraudEvent, format: Format): string {
  if (format !== 'table') return JSON.stringify(toFraudLine(event))
  const row = eventRow(event)
  return render('table', [], COLUMNS, [row]).split('\n').slice(1).join('\n')
}

async function follow(
  config: Config,
  first: policy.ListFraudEventsResponse,
  asked: policy.ListFraudEventsRequest,
  format: Format,
  print: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let found = first
  while (!signal.aborted) {
    for (const event of found.events) print(lineOf(event, format))
    if (found.events.length < PAGE) await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    found = await callPolicy(config, 'listFraudEvents', { ...asked, cursor: found.cursor, limit: PAGE })
  }
}

export interface FraudTestFlags {
  readonly from: string
  readonly to: string
  readonly account: string
  readonly source: string
  readonly userAgent: string
  readonly at: string
  readonly all: boolean
}

/** ISO 8601 → ms since 1970, 0 for ''. Throws `CommandFailed`. */
function parseTime(text: string): bigint {
  if (text === '') return 0n
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new CommandFailed(`${text} is no time: expected one such as 2026-12-24T22:00:00+01:00.`)
  return BigInt(time)
}

const findingRow = (found: policy.FraudFinding): Row => ({
  rule: found.rule,
  subject: found.subject === '' ? '-' : `${found.scope} ${found.subject}`,
  measure: found.measure,
  value: found.measure === '' ? '' : String(found.value),
  warning: found.warningAbove === undefined ? '' : `> ${found.warningAbove}`,
  critical: found.criticalAbove === undefined ? '' : `> ${found.criticalAbove}`,
  level: found.level,
  action: found.dryRun && found.action !== '' ? `${found.action} (dry run)` : found.action,
  why: found.why,
})

/** Rules that do not look at the call are left out of tables unless `all`. */
export async function fraudTest(config: Config, flags: FraudTestFlags, format: Format): Promise<string> {
  const { from, to, account, source, userAgent } = flags
  const asked = { from, to, account, source, userAgent, unixMs: parseTime(flags.at) }
  const answer = await callPolicy(config, 'tryFraudRules', asked)
  const { findings, verdict, subscriber, number, numberCountry, sourceCountry } = answer
  const shown = flags.all ? findings : findings.filter(({ measure }) => measure !== '')
  const text = render(format, answer, FINDING_COLUMNS, shown.map(findingRow))
  if (format !== 'table') return text
  const about = [
    `account ${answer.account || '-'}`,
    `subscriber ${subscriber || '-'}`,
    `number ${number || '-'}${numberCountry === '' ? '' : ` (${numberCountry})`}`,
    `source ${source || '-'}${sourceCountry === '' ? '' : ` (${sourceCountry})`}`,
  ]
  const others = findings.length - shown.length
  const rest = others === 0 ? '' : `\n${others} more rules do not look at this call (--all shows why)`
  return `${about.join(', ')}\n\n${text}${rest}\n\nverdict: ${verdict}`
}
