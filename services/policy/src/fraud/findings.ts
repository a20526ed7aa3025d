// SPDX-License-Identifier: MIT
//
// What becomes of a level that was reached: a count, a word in the verdict of the record, a log line, an event, a block, the end of
// calls. In dry run only count, verdict and event.
import { randomBytes } from 'node:crypto'
import type { FraudAction } from '@tandem/resources'
import type { FraudEvent, FraudSlot } from '@tandem/store'
import { requestHangUp } from '../calls/hang-up.ts'
import type { PolicyContext } from '../context.ts'
import type { FraudCall, Proof } from './fraud-call.ts'
import type { FraudLevel, RuleCheck } from './rule-checks.ts'

export const FRAUD_REASON = 'SIP;cause=403;text="Stopped by a rule against fraud"'
/** Calls of one subject that one finding ends. */
const MAX_ENDED = 1_000
const MAX_VERDICT_CHARS = 250
const MAX_TEXT_CHARS = 256

export interface Finding {
  readonly check: RuleCheck
  readonly level: 'warning' | 'critical'
  readonly value: bigint
  readonly subject: string
  /** Store clock where it is known, else this node's. */
  readonly atMs: number
  readonly detail: string
}

/** '' where it is not known. */
export type FindingCall = Pick<FraudCall, 'account' | 'source' | 'caller' | 'callee'> & { readonly ref: string }

const REFUSING: ReadonlySet<FraudAction> = new Set(['reject', 'blockAccount', 'endCalls'])

/** Whether a call does not begin at this level. */
export function stops({ rule }: RuleCheck, level: FraudLevel | undefined, proof: Proof): boolean {
  if (level === undefined || rule.dryRun) return false
  return REFUSING.has(level.action) || (level.action === 'challenge' && proof !== 'fresh')
}

export const levelOf = ({ check, level }: Finding): FraudLevel | undefined =>
  level === 'critical' ? check.critical : check.warning

const actionOf = (finding: Finding): string => (finding.check.rule.dryRun ? 'dry' : (levelOf(finding)?.action ?? 'log'))

/** `critical:night-calls:offHours:reject`, several with a space between them; for the record. */
export function verdictText(findings: readonly Finding[]): string {
  let text = ''
  for (const finding of findings) {
    const { check, level } = finding
    const one = `${level}:${check.rule.name}:${check.measure}:${actionOf(finding)}`
    if (text.length + one.length >= MAX_VERDICT_CHARS) break
    text += text === '' ? one : ` ${one}`
  }
  return text
}

const cut = (text: string): string => (text.length <= MAX_TEXT_CHARS ? text : text.slice(0, MAX_TEXT_CHARS))

/** The same for every repeat of a finding about a call. */
const idOf = (finding: Finding, ref: string): string =>
  ref === ''
    ? randomBytes(12).toString('base64url')
    : `${ref}/${finding.check.counter}/${finding.check.measure}/${finding.level}`

function eventOf(finding: Finding, call: FindingCall, left: number): FraudEvent {
  const { check, level, value, subject, atMs, detail } = finding
  const { rule, measure } = check
  const more = left === 0 ? '' : `${left} more before`
  return {
    id: idOf(finding, call.ref),
    at: atMs,
    rule: rule.name,
    scope: rule.scope,
    subject,
    measure,
    level,
    value,
    threshold: levelOf(finding)?.above ?? 0n,
    action: levelOf(finding)?.action ?? 'log',
    dryRun: rule.dryRun,
    ref: call.ref,
    account: call.account,
    source: call.source,
    caller: cut(call.caller),
    callee: cut(call.callee),
    detail: cut([detail, more].filter((text) => text !== '').join('; ')),
  }
}

function tell({ fraud, logger }: PolicyContext, finding: Finding, call: FindingCall): void {
  const { check, level, value, subject } = finding
  const { rule, measure } = check
  const left = fraud.admit({ rule: rule.name, measure, level, subject }, rule.eventEveryMs)
  if (left === undefined) return
  const event = eventOf(finding, call, left)
  const { id, ref, scope, threshold, action, dryRun } = event
  const fields = { code: 'fraud', event: id, callRef: ref, rule: rule.name, measure, level, scope, subject }
  const values = { value: String(value), threshold: String(threshold), action, dryRun, leftOut: left }
  logger[level === 'critical' ? 'warn' : 'info']({ ...fields, ...values }, 'a rule against fraud has found something')
  if (action !== 'log') fraud.ports.emit(event)
}

/** Calls of the subject that run, but for this one, which does not begin. */
async function endCalls(context: PolicyContext, slot: FraudSlot, tracker: string, ref: string): Promise<void> {
  const { fraud, health, counts } = context
  const running = await fraud.store?.live(slot, tracker, MAX_ENDED)
  if (running === undefined || !health.see(running)) return
  for (const other of running.value) {
    if (other === ref) continue
    counts.fraudCallsEnded++
    await requestHangUp(context, other, FRAUD_REASON)
  }
}

async function blockAccount(context: PolicyContext, account: string, { blockMs }: FraudLevel, rule: string) {
  if (account === '') return
  const blocked = await context.accounts.block(account, blockMs, rule)
  if (context.health.see(blocked)) context.counts.accountsBlocked++
}

/** @param slotOf where the calls of the finding's subject are tracked */
async function carryOut(context: PolicyContext, finding: Finding, call: FindingCall, slot: FraudSlot): Promise<void> {
  const level = levelOf(finding)
  const { rule } = finding.check
  if (level === undefined || rule.dryRun) return
  if (level.action === 'blockAccount') await blockAccount(context, call.account, level, rule.name)
  if (level.action === 'endCalls' && rule.tracker !== '') await endCalls(context, slot, rule.tracker, call.ref)
}

/** Counts and tells at once; blocks and ends are done when this resolves. Never throws for the store. */
export async function act(context: PolicyContext, findings: readonly Finding[], call: FindingCall): Promise<void> {
  for (const finding of findings) {
    const { check, level, subject } = finding
    context.counts.fraudFindings++
    context.fraud.count(check, level, actionOf(finding))
    tell(context, finding, call)
    await carryOut(context, finding, call, { scope: check.rule.scope, subject })
  }
}
