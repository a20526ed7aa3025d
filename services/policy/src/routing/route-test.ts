// SPDX-License-Identifier: MIT
//
// What would become of a call: the decision's own judgement, planning, lists, rates and rules, without asking for credentials and
// without holding or counting anything. The caller is taken to be who `from` says. Live state (breakers, bounds, balance) is that of now, also where the
// call is tried at another time. Leaves out rules that only look at what an edge sees: user agents, and sources but a trunk's.
import type { AccountEntry, FoundRate, OutTrunk, PlanVerdict, UserEntry } from '@tandem/resources'
import { firstQuantum, parsePhoneNumber, routeEmergency, verdictFrom } from '@tandem/resources'
import { done, policy, type Result } from '@tandem/rpc'
import { buyLines } from '../charging/buy-rates.ts'
import { dearestOf } from '../charging/charge-terms.ts'
import { findRates, forwardRates } from '../charging/find-rates.ts'
import { rateText } from '../charging/settle.ts'
import type { PolicyContext } from '../context.ts'
import { verdictFor } from '../decide/decide.ts'
import { type ForwardedLegs, forwardedLegs, NO_LEGS } from '../decide/forwarded-legs.ts'
import { userOf } from '../decide/identity.ts'
import { askingDomain, type Judgement, judge } from '../decide/judgement.ts'
import { provenBy } from '../decide/proven.ts'
import { withoutUnpaid } from '../decide/unpaid-legs.ts'
import { splitUri } from '../decide/uri-parts.ts'
import { NOBODY, toResponse } from '../decide/verdicts.ts'
import { POLICY_ERRORS, type PolicyErrorCode, refusal } from '../errors.ts'
import { tryFraudRules } from '../fraud-feed/try-rules.ts'
import { readGroups } from '../groups/group-facts.ts'
import { unlessBlocked } from './blocked.ts'
import { emergencyOf } from './emergency.ts'
import { dialledNumberOf, normalNumber, outCall, planFacts } from './number-call.ts'

/** A telephone number with what people put between its digits; a user's name keeps its hyphens. */
const NUMBER_AS_WRITTEN = /^[+*#\d\s()./-]+$/

/** A number or user alone is of the caller's domain. */
function uriOf(text: string, host: string): string {
  const bare = text.trim().replace(/^<(.*)>$/, '$1')
  if (/^(sips?|tel):/i.test(bare)) return bare
  if (bare.includes('@')) return `sip:${bare}`
  return `sip:${NUMBER_AS_WRITTEN.test(bare) ? bare.replace(/[\s()./-]/g, '') : bare}@${host}`
}

function requestOf(asked: policy.RouteTestRequest, from: string, requestUri: string): policy.DecideRequest {
  const wholeFrom = `<${from}>`
  return policy.DecideRequest.fromPartial({
    transactionKey: `route-test ${asked.from} ${asked.to} ${asked.unixMs}`,
    method: 'INVITE',
    requestUri,
    from: wholeFrom,
    to: `<${requestUri}>`,
  })
}

/** As if its sender had been known, by whatever. */
function trialOf(context: PolicyContext, asked: policy.RouteTestRequest, trunk: OutTrunk | undefined, nowMs: number) {
  const { index } = context.state
  const local = index.domains.keys().next().value ?? ''
  const from = uriOf(asked.from, local)
  const host = splitUri(from).host
  const ours = index.homes.has(host.toLowerCase()) || trunk === undefined ? host : local
  const requestUri = uriOf(asked.to, ours || local)
  const judgement = judge(context, context.state, requestOf(asked, from, requestUri), splitUri(requestUri))
  const user = trunk === undefined ? userOf(index, judgement.from) : undefined
  const known = user?.kind === 'Subscriber' ? provenBy('digest', user) : undefined
  return {
    ...judgement,
    trial: { nowMs },
    trunk,
    known,
    trusted: trunk?.trusted ?? judgement.trusted,
  } satisfies Judgement
}

function planOf(judgement: Judgement, user: UserEntry | undefined): PlanVerdict & { readonly emergency?: boolean } {
  const { context, state } = judgement
  const found = emergencyOf(judgement)
  if (found === undefined) return unlessBlocked(judgement, verdictFor(judgement, user), user)
  const call = outCall(judgement, user, found.number, judgement.trial?.nowMs)
  const routed = routeEmergency(state.index, found, call, planFacts(context, true))
  return { ...verdictFrom(routed, found.number), emergency: true }
}

const priceOf = (currency: string, { prefix, rate }: Pick<FoundRate, 'prefix' | 'rate'>): policy.RoutePrice => ({
  currency,
  connectFee: rate.connectFee,
  perMinute: rate.perMinute,
  rate: rateText(rate),
  prefix,
})

interface Priced {
  readonly judgement: Judgement
  readonly plan: policy.Plan
  readonly account: AccountEntry | undefined
  /** That is called, canonical; '' for none. */
  readonly number: string
  readonly unixMs: number
  /** For which others pay. */
  readonly legs: ForwardedLegs
}

const aboutOf = ({ judgement, number, unixMs, legs }: Priced) => ({
  unixMs,
  revision: judgement.state.index.revision,
  number,
  legs,
})

/** Who sends the call on there, and what he pays. */
function payerOf({ legs, unixMs }: Priced, target: policy.Target): Pick<policy.RouteTarget, 'payer' | 'payerPrice'> {
  const leg = legs.get(target)
  if (leg === undefined) return { payer: '', payerPrice: undefined }
  const { account } = leg
  const [line] = account.ratePlan === undefined ? [] : forwardRates(account, new Map([[target, leg]]), unixMs).lines
  return { payer: account.name, payerPrice: line && priceOf(account.currency, line) }
}

function targetsOf(priced: Priced): policy.RouteTarget[] {
  const { judgement, plan, account, number, unixMs, legs } = priced
  const { index } = judgement.state
  const bought = buyLines(index, plan, number, unixMs, legs)
  return plan.steps.flatMap(({ targets, ringMs }, step) =>
    targets.map((one): policy.RouteTarget => {
      const target = one.where?.value ?? ''
      const alone = { ...plan, steps: [{ ...(plan.steps[step] as policy.Step), targets: [one] }] }
      const [sell] =
        (account?.ratePlan && findRates(account, alone, judgement.request.requestUri, aboutOf(priced)))?.lines ?? []
      const buy = bought.find(({ targets: places }) => places.includes(target))
      return {
        step,
        target,
        trunk: one.trunk ?? '',
        ringMs,
        price: sell && priceOf(account?.currency ?? '', sell),
        cost: buy && priceOf(buy.currency, { prefix: '', rate: buy.rate }),
        ...payerOf(priced, one),
      }
    }),
  )
}

const refused = (code: PolicyErrorCode, account?: AccountEntry): policy.RouteRefusal => {
  const { sipStatus, meaning } = POLICY_ERRORS[code]
  const own = code === 'credit_exhausted' ? account?.refusals.credit.status : undefined
  return { status: own ?? sipStatus, code, text: meaning }
}

/** What the account would say now. */
async function accountRefusals(priced: Priced): Promise<policy.RouteRefusal[]> {
  const { judgement, plan, account } = priced
  if (account === undefined) return []
  if (account.blocked) return [refused('account_blocked')]
  if (!account.metered) return []
  const terms = findRates(account, plan, judgement.request.requestUri, aboutOf(priced))
  if (terms === undefined) return [refused('no_rate')]
  const { accounts, health, tuning } = judgement.context
  const state = await accounts.read(account.name, 0)
  if (!health.see(state)) return [refused('store_away')]
  const { balance, held, holds, blockedUntilMs, nowMs } = state.value
  const found: policy.RouteRefusal[] = []
  if (blockedUntilMs > nowMs) found.push(refused('account_blocked'))
  if (account.maxCalls !== undefined && holds >= account.maxCalls) found.push(refused('too_many_calls'))
  const dearest = dearestOf(terms.lines, tuning.quantumMs)
  const least = dearest === undefined ? 0n : firstQuantum(dearest.rate, 0)
  const { creditLimit } = account
  if (creditLimit !== undefined && balance - held + creditLimit < least)
    found.push(refused('credit_exhausted', account))
  return found
}

/** Whether an account could hold the first increment of what it sends on; '' or why not. */
async function objectionOf(priced: Priced, account: AccountEntry): Promise<string> {
  const { judgement, legs, unixMs } = priced
  if (account.blocked) return 'is blocked'
  const own = new Map([...legs].filter((leg) => leg[1].account === account))
  const { lines, unrated } = forwardRates(account, own, unixMs)
  if (unrated.length > 0) return 'has no rate for it'
  const { creditLimit } = account
  const dearest = dearestOf(lines, 0)
  if (creditLimit === undefined || dearest === undefined) return ''
  const state = await judgement.context.accounts.read(account.name, 0)
  if (!judgement.context.health.see(state)) return 'can not be asked'
  const { balance, held } = state.value
  return balance - held + creditLimit < firstQuantum(dearest.rate, 0) ? 'has no money for it' : ''
}

/** Of accounts that pay for what they send on. */
async function payerReasons(priced: Priced): Promise<policy.RouteReason[]> {
  const reasons: policy.RouteReason[] = []
  for (const account of new Set([...priced.legs.values()].map((leg) => leg.account))) {
    const why = await objectionOf(priced, account)
    const text = `pays for what is sent on${why === '' ? '' : `, but ${why} now: its targets would be left out`}`
    reasons.push({ resource: `Account/${account.name}`, text, depth: 0 })
  }
  return reasons
}

async function fraudRefusals(judgement: Judgement, asked: policy.RouteTestRequest): Promise<policy.RouteRefusal[]> {
  const { context, request, state } = judgement
  if (state.fraud.isEmpty) return []
  const call = {
    from: asked.from,
    to: request.requestUri,
    account: '',
    source: '',
    userAgent: '',
    unixMs: asked.unixMs,
  }
  const tried = await tryFraudRules(context, call)
  if (tried.outcome !== 'done' || tried.value.verdict === 'pass') return []
  const { verdict, findings } = tried.value
  const rule = findings.find(({ action, dryRun }) => action === verdict && !dryRun)?.rule ?? ''
  return [{ status: POLICY_ERRORS.fraud.sipStatus, code: 'fraud', text: `FraudRule/${rule} would act: ${verdict}` }]
}

/** Who would be asked for credentials first, and is not ours to have any. */
function askedFirst(judgement: Judgement): policy.RouteRefusal[] {
  const asking = askingDomain(judgement)
  if (asking === undefined) return []
  return [
    {
      status: 407,
      code: 'challenge',
      text: `Domain/${asking.name} asks for credentials, which nobody of this name has`,
    },
  ]
}

async function refusalsOf(priced: Priced | undefined, judgement: Judgement, asked: policy.RouteTestRequest) {
  const first = askedFirst(judgement)
  return priced === undefined
    ? first
    : [...first, ...(await fraudRefusals(judgement, asked)), ...(await accountRefusals(priced))]
}

function dialledOf(judgement: Judgement, user: UserEntry | undefined, verdict: PlanVerdict): string {
  const dialled = dialledNumberOf(judgement)
  if (verdict.number !== undefined) return verdict.number
  if (dialled !== '') return normalNumber(judgement.state.index, judgement, dialled, user)
  return `${judgement.uri.user}@${judgement.uri.host}`
}

export async function routeTest(
  context: PolicyContext,
  asked: policy.RouteTestRequest,
): Promise<Result<policy.RouteTestResponse>> {
  const { index } = context.state
  const trunk = asked.trunk === '' ? undefined : index.routing.trunks.get(asked.trunk)
  if (asked.trunk !== '' && trunk === undefined) return refusal('unknown_trunk')
  const unixMs = asked.unixMs === 0n ? context.now() : Number(asked.unixMs)
  const first = trialOf(context, asked, trunk, unixMs)
  const user = first.known?.user
  const guess = planOf(first, user)
  const groups = first.wants && (await readGroups(context, first.wants))
  const judgement: Judgement = groups === undefined ? first : { ...first, wants: undefined, groups }
  const planned = groups === undefined ? guess : planOf(judgement, user)
  const { metersAccounts } = context.state
  const verdict = metersAccounts ? withoutUnpaid(planned, index.accounts) : planned
  const response = toResponse(verdict, NOBODY, { edits: [], accounting: true, sourceTrusted: false })
  const plan = response.verdict?.$case === 'plan' ? response.verdict.value : undefined
  const isEmergency = planned.emergency === true
  const legs = metersAccounts && !isEmergency ? forwardedLegs(index, verdict, response) : NO_LEGS
  const account = isEmergency ? undefined : index.accounts.get(user?.account ?? '')
  const dialled = dialledOf(judgement, user, verdict)
  const number = parsePhoneNumber(dialled)?.number ?? ''
  const priced = plan && { judgement, plan, account, number, unixMs, legs }
  return done({
    caller: user?.aor ?? '',
    account: user?.account ?? '',
    dialled,
    verdict: verdict.kind,
    status: verdict.status,
    code: verdict.code,
    reasons: [
      ...verdict.reasons.map(({ resource, text, depth = 0 }) => ({ resource, text, depth })),
      ...(priced === undefined ? [] : await payerReasons(priced)),
    ],
    targets: priced === undefined ? [] : targetsOf(priced),
    refusals: isEmergency ? [] : await refusalsOf(priced, judgement, asked),
    contacts: [...verdict.contacts],
    revision: index.revision,
  })
}
