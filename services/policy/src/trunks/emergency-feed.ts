// SPDX-License-Identifier: MIT
//
// Plans for emergency numbers, for when an edge can ask nobody: one for each number of each number plan that has a way for it. Every edge that
// opens a stream gets them, all get them when the resources change, and all get them again now and then, so that nothing depends on one push. They are
// plans for anybody: without the caller's own number, without record, and without a question to the trunk's bounds.
import { type DomainEntry, type OutCall, PLAIN_MODE, routeEmergency } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { UNPROVEN_EDITS } from '../decide/identity.ts'
import { NOBODY, toResponse } from '../decide/verdicts.ts'

const REPEAT_MS = 60_000
/** Of one push; number plans and their emergency numbers are few. */
const MAX_PLANS = 1_000
const MAX_DOMAINS = 1_000

/** How trunks fare does not count, and nobody takes a turn. */
const NO_FACTS = { trunk: () => undefined, turn: () => 0 }
const PLAN = { kind: 'plan', status: 0, code: '', mode: PLAIN_MODE, contacts: [], aor: '', reasons: [] } as const
const STRANGER: OutCall['caller'] = { aor: '', domain: '', labels: {}, trunk: '', number: '' }

/** Domains of one number plan: its settings, and every name that they are called by. */
interface Users {
  readonly domain: DomainEntry
  readonly names: string[]
}

function usersOf({ state }: PolicyContext): Map<string, Users> {
  const all = new Map<string, Users>()
  for (const [host, domain] of state.index.domains) {
    if (domain.numberPlanName === '') continue
    const users = all.get(domain.numberPlanName) ?? { domain, names: [] }
    all.set(domain.numberPlanName, users)
    if (users.names.length < MAX_DOMAINS) users.names.push(host)
  }
  return all
}

function planFor(context: PolicyContext, way: Parameters<typeof routeEmergency>[1]): policy.Plan | undefined {
  const call = { number: way.number, dialled: way.number, caller: STRANGER, shown: '', ownsShown: false, draw: 0 }
  const routed = routeEmergency(context.state.index, way, { ...call, nowMs: context.now() }, NO_FACTS)
  if (routed.refused !== undefined) return undefined
  const additions = { edits: UNPROVEN_EDITS, accounting: false, sourceTrusted: false }
  const { verdict } = toResponse({ ...PLAN, steps: routed.steps }, NOBODY, additions)
  return verdict?.$case === 'plan' ? verdict.value : undefined
}

/** As dialled: with the digits for an outside line, where the domain has any, and without. */
const dialled = (number: string, { numberPlan }: DomainEntry): string[] =>
  numberPlan?.outsideLine ? [number, `${numberPlan.outsideLine}${number}`] : [number]

/** Of all domains. */
export function emergencyPlans(context: PolicyContext): policy.EmergencyPlan[] {
  const plans: policy.EmergencyPlan[] = []
  for (const [name, { domain, names }] of usersOf(context)) {
    const way = context.state.index.routing.emergency.get(name)
    for (const number of way?.numbers ?? []) {
      const plan = way && planFor(context, { way, number })
      if (plan === undefined || plans.length >= MAX_PLANS) continue
      plans.push({ domains: names, numbers: dialled(number, domain), plan })
    }
  }
  return plans
}

export class EmergencyFeed {
  readonly #context: PolicyContext
  #plans: policy.EmergencyPlan[] | undefined
  /** There were some: edges are told that there are none. */
  #hadSome = false
  #timer: NodeJS.Timeout | undefined

  constructor(context: PolicyContext) {
    this.#context = context
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tellAll(), REPEAT_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** The resources are others now. */
  changed(): void {
    this.#plans = undefined
    this.#tellAll()
  }

  /** To an edge that has a stream here from now on. */
  greet(peer: string): void {
    const push = this.#push()
    if (push !== undefined) this.#context.pushes.sendTo(peer, push)
  }

  #tellAll(): void {
    const push = this.#push()
    if (push !== undefined) this.#context.pushes.send(push)
  }

  /** undefined: there is nothing to tell. */
  #push(): policy.Push | undefined {
    this.#plans ??= emergencyPlans(this.#context)
    this.#hadSome ||= this.#plans.length > 0
    return this.#hadSome ? { event: { $case: 'emergencyPlans', value: { plans: this.#plans } } } : undefined
  }
}
