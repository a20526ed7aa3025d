// SPDX-License-Identifier: MIT
//
// Trunks → steps, one for each host, tried one after another. Which ones are left out, and why, stands in the reasons.
// Race: live state is as policy knew it at the time; what changed since, TrunkAttempt refuses when the trunk's turn comes.

import type { PlanEdit, PlanReason, PlanStep, PlanTarget } from '../plan-verdict.ts'
import { formatAmount } from '../rating/price.ts'
import { callerEdits, callerNumber, escapeUser } from './caller-id.ts'
import { formatNumber } from './number-format.ts'
import type { OutCall, Refused, Routed, RoutingFacts } from './routed.ts'
import type { OutHost, OutTrunk } from './trunk-entry.ts'
import { costOf, type OutGroup, orderedHosts, orderedTrunks } from './trunk-order.ts'

/** Of a call without any trunk that may be tried now. */
export const NO_TRUNK: Refused = Object.freeze({
  status: 503,
  code: 'no_trunk',
  reason: '',
})

interface Attempts {
  readonly call: OutCall
  readonly facts: RoutingFacts
  /** Of the route, before those of the trunk. */
  readonly edits: readonly PlanEdit[]
  readonly steps: PlanStep[]
  readonly reasons: PlanReason[]
  readonly depth: number
  readonly maxAttempts: number
}

const note = ({ reasons, depth, facts }: Attempts, resource: string, text: string, deeper = 0): void => {
  if (facts.silent !== true) reasons.push({ resource, text, depth: depth + deeper })
}

/** What all hosts of a trunk have in common. */
interface Leg {
  readonly trunk: OutTrunk
  /** That it is told of the caller; '' for none. */
  readonly number: string
  /** User part of the Request-URI. */
  readonly user: string
  readonly edits: readonly PlanEdit[]
  readonly trials: ReadonlySet<string> | undefined
}

function targetOf({ call }: Attempts, leg: Leg, host: OutHost): PlanTarget {
  const { trunk, number, user, trials } = leg
  const own = callerEdits(number, trunk, host, call.hides === true)
  const edits = own.length === 0 ? leg.edits : leg.edits.length === 0 ? own : [...leg.edits, ...own]
  return {
    aor: '',
    uri: `sip:${user}@${host.place}`,
    instanceId: '',
    registrationHash: 0,
    trusted: trunk.trusted,
    retarget: undefined,
    number: call.number,
    payer: call.payer,
    edits,
    nextHop: trunk.nextHop,
    trunkLeg: {
      trunk: trunk.name,
      host: host.key,
      firstResponseMs: trunk.firstResponseMs,
      asks: call.emergency !== true && (trunk.asks || trials?.has(host.key) === true),
      tells: true,
      answersChallenges: trunk.answersChallenges,
    },
  }
}

/** Why a trunk is not tried; '' where it is. */
function objection({ call, facts }: Attempts, trunk: OutTrunk, number: string): string {
  if (!trunk.enabled) return 'left out: it is switched off'
  if (trunk.callerId?.required === true && number === '') return 'left out: the caller has no number to show'
  if (call.emergency === true) return ''
  const state = facts.trunk(trunk.name)
  if (state?.full === true) return 'left out: it has as many calls as it may'
  return state?.open === true ? 'left out: it has failed too often lately' : ''
}

function lossOf(trunk: OutTrunk, call: OutCall): string {
  const { sellPerMinute } = call
  const cost = costOf(trunk, call)
  if (sellPerMinute === undefined || cost === undefined) return ''
  if (trunk.buyPlan?.currency !== sellPerMinute.currency || cost <= sellPerMinute.perMinute) return ''
  return `left out: a minute costs ${formatAmount(cost)}, more than the caller pays`
}

const costText = (trunk: OutTrunk, call: OutCall): string => {
  const cost = costOf(trunk, call)
  return cost === undefined ? '' : `, ${formatAmount(cost)} ${trunk.buyPlan?.currency} a minute`
}

const shownText = (trunk: OutTrunk, number: string): string =>
  trunk.callerId === undefined ? '' : `, shows ${number || 'no number'} in ${trunk.callerId.headers.join(', ')}`

/** One trunk's hosts. */
function addTrunk(at: Attempts, trunk: OutTrunk): void {
  const { call, facts, steps } = at
  const number = callerNumber(trunk, call)
  const why = objection(at, trunk, number)
  if (why !== '') {
    note(at, trunk.key, why)
    return
  }
  const isTold = facts.silent !== true
  if (isTold) note(at, trunk.key, `tries its hosts${costText(trunk, call)}${shownText(trunk, number)}`)
  const state = facts.trunk(trunk.name)
  const openHosts = call.emergency === true ? undefined : state?.openHosts
  const user = escapeUser(formatNumber(call.number, call.dialled, trunk.numbersOut, trunk.numberPlan))
  const edits = at.edits.length === 0 ? trunk.edits : [...at.edits, ...trunk.edits]
  const leg: Leg = { trunk, number, user, edits, trials: state?.trialHosts }
  for (const host of orderedHosts(trunk.hosts, call.draw)) {
    if (openHosts?.has(host.key) === true) {
      note(at, trunk.key, `${host.key} is left out: it has failed too often lately`, 1)
      continue
    }
    if (steps.length >= at.maxAttempts) {
      note(at, trunk.key, `${host.key} is left out: ${at.maxAttempts} attempts are enough`, 1)
      continue
    }
    const target = targetOf(at, leg, host)
    if (isTold) note(at, trunk.key, target.uri, 1)
    steps.push({
      targets: [target],
      ringMs: trunk.ringMs,
      retryStatuses: trunk.retryStatuses,
      forking: 'parallel',
    })
  }
}

const ORDERS = {
  priority: 'as they are written',
  weight: 'by lot',
  leastCost: 'the cheapest first',
  quality: 'the best first',
  roundRobin: 'in turn',
} as const

export interface StepOptions {
  readonly call: OutCall
  readonly facts: RoutingFacts
  readonly edits: readonly PlanEdit[]
  readonly depth: number
}

function routed({ steps, reasons, depth }: Attempts): Routed {
  if (steps.length > 0) return { steps, reasons, refused: undefined }
  reasons.push({ resource: '', text: 'no trunk may be tried now', depth })
  return { steps, reasons, refused: NO_TRUNK }
}

export function groupSteps(group: OutGroup, options: StepOptions): Routed {
  const { depth } = options
  const at: Attempts = { ...options, steps: [], reasons: [], depth: depth + 1, maxAttempts: group.maxAttempts }
  at.reasons.push({ resource: group.key, text: `tries its trunks, ${ORDERS[group.order]}`, depth })
  for (const { trunk } of orderedTrunks(group, options.call, options.facts)) {
    const loss = group.neverAtALoss && options.call.emergency !== true ? lossOf(trunk, options.call) : ''
    if (loss === '') addTrunk(at, trunk)
    else note(at, trunk.key, loss)
  }
  return routed(at)
}

const MAX_HOSTS = 32

/** Of one trunk alone. */
export function trunkSteps(trunk: OutTrunk, options: StepOptions): Routed {
  const at: Attempts = { ...options, steps: [], reasons: [], maxAttempts: MAX_HOSTS }
  addTrunk(at, trunk)
  return routed(at)
}
