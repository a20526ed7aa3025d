// SPDX-License-Identifier: MIT
//
// A call that rules against fraud select, on its way onto record. Order: what needs no count; the counters of source, trunk, prefix,
// subscriber and country, each alone; those of the account, in the step that holds its money; the record. A call that anything refuses is
// counted by nobody: who has counted it already takes it back. [STATE.md, Keys and slots]
import type { AccountEntry } from '@tandem/resources'
import type { policy, Result } from '@tandem/rpc'
import type { FraudBegun } from '@tandem/store'
import { routedNumber, withCost } from '../calls/call-cost.ts'
import { mintCall } from '../calls/mint-call.ts'
import { fraudCharge, withFraud } from '../charging/charge-terms.ts'
import type { Forwards } from '../charging/forwards.ts'
import { accountOf, type HeldCall, holdCall } from '../charging/hold-call.ts'
import { refuseCall } from '../charging/refuse-call.ts'
import type { PolicyContext } from '../context.ts'
import type { Failure } from '../store-health.ts'
import { type BegunSlot, beginSlots, cancelSlots, findingsOf } from './begin-call.ts'
import { type CallSubject, callOf, proofOf } from './call-facts.ts'
import { act, type Finding, levelOf, stops, verdictText } from './findings.ts'
import type { FraudCall, Proof } from './fraud-call.ts'
import { lastingTerms } from './fraud-terms.ts'
import { type Inspection, inspect } from './inspect.ts'
import type { Selected } from './rule-index.ts'

type Decision = Result<policy.DecideResponse>
type PlanResponse = policy.DecideResponse & {
  readonly verdict: { readonly $case: 'plan'; readonly value: policy.Plan }
}

interface Checking {
  readonly context: PolicyContext
  readonly request: policy.DecideRequest
  readonly response: PlanResponse
  readonly subject: CallSubject
  readonly call: FraudCall
  readonly proof: Proof
  readonly inspection: Inspection
  readonly findings: Finding[]
  readonly ref: string
  readonly forwards: Forwards
}

const isPlan = (response: policy.DecideResponse): response is PlanResponse => response.verdict?.$case === 'plan'
export interface SelectedCall {
  readonly call: FraudCall
  readonly selected: readonly Selected[]
}

/** undefined: no rule selects the call, it goes its way. */
export function selectedBy(context: PolicyContext, subject: CallSubject): SelectedCall | undefined {
  const call = callOf(context, subject)
  const selected = subject.judgement.state.fraud.select(call, context.fraud.ports, context.now())
  return selected.length === 0 ? undefined : { call, selected }
}

/** With what the rules have said of the call, for its record. */
export function withVerdict(response: policy.DecideResponse, findings: readonly Finding[]): policy.DecideResponse {
  const said = verdictText(findings)
  if (said === '') return response
  const before = response.facts?.fraudVerdict ?? ''
  const fraudVerdict = before === '' ? said : `${before} ${said}`
  const none = { tenant: '', direction: '', dialled: '', ingressTrunk: '', authMethod: '', traceId: '' }
  return { ...response, facts: { ...none, ...response.facts, fraudVerdict } }
}

const findingCall = ({ call, ref }: Checking, isOnRecord: boolean) => ({ ...call, ref: isOnRecord ? ref : '' })

/** The first level that refuses gives status and texts; a challenge alone asks. */
async function refuse(checking: Checking): Promise<Decision> {
  const { context, request, response, subject, findings, ref, proof } = checking
  const stopping = findings.filter((one) => stops(one.check, levelOf(one), proof))
  const worst = stopping.find((one) => levelOf(one)?.action !== 'challenge')
  const domain = subject.speaker?.domain
  if (worst === undefined && domain !== undefined && proof !== 'impossible') {
    await act(context, findings, findingCall(checking, false))
    context.counts.fraudChallenges++
    return subject.askAgain(subject.judgement, domain, proof === 'asked')
  }
  const level = levelOf(worst ?? (stopping[0] as Finding))
  context.counts.fraudRefusals++
  const value: policy.Reject = {
    status: level?.status ?? 403,
    reason: '',
    retryAfterS: 0,
    code: 'fraud',
    reasonText: level?.reason,
    warningText: level?.warning,
  }
  const rejected = withVerdict({ ...response, verdict: { $case: 'reject', value } }, findings)
  const decision = await mintCall(context, request, rejected, ref)
  await act(context, findings, findingCall(checking, true))
  return decision
}

/** By setting, the call ends with a store that does not say; or goes on without that count. */
const isClosed = ({ settings }: PolicyContext, failure: Failure | undefined): failure is Failure =>
  failure !== undefined && settings.fraud.withoutStore === 'refuse'

async function holdChecked(checking: Checking, account: AccountEntry): Promise<HeldCall> {
  const { context, ref, request, inspection, forwards } = checking
  const called = { requestUri: request.requestUri, number: routedNumber(checking.response) }
  const checks = inspection.account?.checks
  const { held, response } = await holdCall(context, account, ref, called, checking.response, { checks, forwards })
  const begun = held.result === 'failed' ? undefined : held.fraud
  if (begun !== undefined && inspection.account !== undefined) {
    checking.findings.push(...findingsOf(inspection.account, begun))
  }
  return { held, response }
}

/** Money and counts go back: of a call that another edge has brought here before, or that is not on record. */
async function giveBack(checking: Checking, slots: readonly BegunSlot[], account: AccountEntry | undefined) {
  const { context, ref } = checking
  await cancelSlots(context, slots, ref)
  if (account === undefined) return
  context.health.see(await context.accounts.settle({ account: account.name, ref, price: 0n }))
}

async function record(
  checking: Checking,
  slots: readonly BegunSlot[],
  about: {
    readonly account: AccountEntry | undefined
    readonly charge: string
    readonly response: policy.DecideResponse
  },
): Promise<Decision> {
  const { context, request, inspection, findings, ref, forwards } = checking
  const { response } = about
  const all = inspection.account === undefined ? inspection.own : [...inspection.own, inspection.account]
  const lasting = lastingTerms(all)
  const charged = about.charge || (withCost(context, response, forwards).charge ?? '')
  const charge = charged === '' ? fraudCharge(lasting) : withFraud(charged, lasting)
  const planned = withVerdict({ ...response, ...(charge !== '' && { charge }) }, findings)
  const decision = await mintCall(context, request, planned, ref)
  const isOurs = decision.outcome === 'done' && decision.value.callRef === ref
  // An unknown outcome may have put the call on record: then its end gives back what it holds, else its lease.
  if (!isOurs && decision.outcome !== 'unknown') await giveBack(checking, slots, about.account)
  if (isOurs && findings.length > 0) await act(context, findings, findingCall(checking, true))
  return decision
}

const slotOf = ({ inspection }: Checking, begun: FraudBegun | undefined): BegunSlot[] =>
  begun === undefined || inspection.account === undefined ? [] : [{ at: inspection.account, begun }]

async function withAccount(checking: Checking, own: readonly BegunSlot[], account: AccountEntry): Promise<Decision> {
  const { context, request, findings, ref } = checking
  const { held, response } = await holdChecked(checking, account)
  if (held.result === 'held') {
    return record(checking, [...own, ...slotOf(checking, held.fraud)], { account, charge: held.charge, response })
  }
  await cancelSlots(context, own, ref)
  if (held.result === 'failed') {
    context.health.see(held.failure)
    return context.health.toResult(held.failure)
  }
  if (held.code === 'fraud') return refuse(checking)
  const decision = await mintCall(context, request, withVerdict(refuseCall(context, response, held), findings), ref)
  await act(context, findings, findingCall(checking, true))
  return decision
}

async function run(checking: Checking): Promise<Decision> {
  const { context, response, inspection, ref, findings } = checking
  findings.push(...inspection.findings)
  if (inspection.stopped) return refuse(checking)
  const begun = beginSlots(context, inspection.own, ref)
  const own = begun instanceof Promise ? await begun : begun
  for (const { at, begun } of own.slots) findings.push(...findingsOf(at, begun))
  if (own.stopped || isClosed(context, own.failure)) {
    await cancelSlots(context, own.slots, ref)
    return own.stopped ? refuse(checking) : context.health.toResult(own.failure as Failure)
  }
  const isCounted = inspection.account !== undefined || checking.forwards.own !== undefined
  const account = accountOf(context, response, isCounted)
  return account === undefined
    ? record(checking, own.slots, { account, charge: '', response })
    : withAccount(checking, own.slots, account)
}

export function checkedCall(
  context: PolicyContext,
  request: policy.DecideRequest,
  response: policy.DecideResponse,
  subject: CallSubject,
  { call, selected, ref, forwards }: SelectedCall & { readonly ref: string; readonly forwards: Forwards },
): Decision | Promise<Decision> {
  if (!isPlan(response)) return mintCall(context, request, response, ref)
  const proof = proofOf(subject)
  const inspection = inspect(context, selected, call, proof)
  return run({ context, request, response, subject, call, proof, inspection, findings: [], ref, forwards })
}
