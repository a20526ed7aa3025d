// SPDX-License-Identifier: MIT
//
// Plans for calls to emergency numbers, as policy told them for when nobody can be asked (proto/tandem/policy/v1, EmergencyPlans;
// services/policy/src/trunks/emergency-feed.ts). The last push counts, whichever policy node it is of; an edge that has heard none since it
// began has none.
//
// A plan is for callers whose From names one of its domains, or who call one of them and hide who they are [RFC3323-4.1.1.3]: nobody proves
// who he is here, and better one call too many. Nothing of it is on record, and no trunk is asked. Invariant: each plan is as sound as a decision (flaws.ts). Bounds: MAX_PLANS, MAX_NUMBERS.
import type { policy } from '@tandem/rpc'
import { METHOD, parseUri, type SipMessage } from '@tandem/sip'
import { flawOf } from './flaws.ts'

const MAX_PLANS = 1_000
const MAX_NUMBERS = 10_000
const MAX_NUMBER = 32

interface Way {
  /** In lower case; none: anybody. */
  readonly domains: ReadonlySet<string>
  readonly decision: policy.DecideResponse
}

export class EmergencyPlans {
  readonly #onNumbers: (numbers: ReadonlySet<string>) => void
  #ways = new Map<string, Way[]>()

  /** @param onNumbers told all numbers at each push */
  constructor(onNumbers: (numbers: ReadonlySet<string>) => void) {
    this.#onNumbers = onNumbers
  }

  /** Numbers that have a plan. */
  get size(): number {
    return this.#ways.size
  }

  /** Replaces all. @returns plans that can't be carried out, and are left out */
  take({ plans }: policy.EmergencyPlans): number {
    const ways = new Map<string, Way[]>()
    let flawed = Math.max(0, plans.length - MAX_PLANS)
    for (const { domains, numbers, plan } of plans.slice(0, MAX_PLANS)) {
      const decision = plan && decisionOf(plan)
      if (decision === undefined || flawOf(decision) !== '') flawed += 1
      else addWay(ways, numbers, { domains: new Set(domains.map((name) => name.toLowerCase())), decision })
    }
    this.#ways = ways
    this.#onNumbers(new Set(ways.keys()))
    return flawed
  }

  /** For an INVITE to one of the numbers by somebody of a domain that has a way for it. */
  find(msg: SipMessage): policy.DecideResponse | undefined {
    if (this.#ways.size === 0 || msg.method !== METHOD.INVITE) return undefined
    const ways = this.#ways.get(dialledNumber(msg))
    if (ways === undefined) return undefined
    const home = homeOf(msg)
    return ways.find(({ domains }) => domains.size === 0 || domains.has(home))?.decision
  }
}

function addWay(ways: Map<string, Way[]>, numbers: readonly string[], way: Way): void {
  for (const number of numbers) {
    const known = ways.get(number)
    if (known !== undefined) known.push(way)
    else if (ways.size < MAX_NUMBERS && number.length <= MAX_NUMBER) ways.set(number, [way])
  }
}

/** The domain that the caller names. */
function homeOf(msg: SipMessage): string {
  const host = parseUri(msg.text(msg.fromUriStart, msg.fromUriEnd))?.host.toLowerCase() ?? ''
  return host === 'anonymous.invalid' ? msg.text(msg.uriHostStart, msg.uriHostEnd).toLowerCase() : host
}

/** User part without its parameters and visual separators; '' where it is longer than any number. [RFC3966-5.1.1] */
function dialledNumber({ buf, uriUserStart, uriUserEnd }: SipMessage): string {
  if (uriUserStart < 0 || uriUserEnd - uriUserStart > 4 * MAX_NUMBER) return ''
  const [number = ''] = buf.latin1Slice(uriUserStart, uriUserEnd).split(/[:;]/, 1)
  return number.replace(/[-.()]/g, '')
}

/** Without what needs somebody who can be asked. */
function decisionOf(plan: policy.Plan): policy.DecideResponse {
  const value = { ...plan, accounting: false, stateless: false }
  return { verdict: { $case: 'plan', value }, callRef: '', identity: '', account: '' }
}
