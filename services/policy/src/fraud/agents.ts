// SPDX-License-Identifier: MIT
//
// User-Agents of scanners: looked at before anything else, of requests of any method. Known texts and addresses cost nothing: most requests
// come from a phone that was here before.
import { done, type policy, type Result } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { addressOf } from '../decide/uri-parts.ts'
import { act, type Finding, levelOf, stops } from './findings.ts'
import type { RuleCheck } from './rule-checks.ts'
import type { RuleIndex } from './rule-index.ts'

const MAX_KNOWN = 10_000
const NONE: readonly RuleCheck[] = []

/** Checks that a text matches; kept for one revision. */
export class AgentTable {
  readonly #rules: RuleIndex
  readonly #known = new Map<string, readonly RuleCheck[]>()

  constructor(rules: RuleIndex) {
    this.#rules = rules
  }

  match(userAgent: string): readonly RuleCheck[] {
    if (userAgent === '' || this.#rules.agents.length === 0) return NONE
    const known = this.#known.get(userAgent)
    if (known !== undefined) return known
    const text = userAgent.toLowerCase()
    const checks = this.#rules.agents.flatMap((rule) =>
      rule.checks.filter(({ kind, patterns }) => kind === 'agent' && patterns.some((one) => text.includes(one))),
    )
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(userAgent, checks.length === 0 ? NONE : checks)
    return checks
  }
}

function rejection({ status = 403, reason, warning }: Partial<ReturnType<typeof levelOf> & object>) {
  const value: policy.Reject = {
    status,
    reason: '',
    retryAfterS: 0,
    code: 'fraud',
    reasonText: reason,
    warningText: warning,
  }
  return done<policy.DecideResponse>({ verdict: { $case: 'reject', value }, callRef: '', identity: '', account: '' })
}

/** undefined: nothing stops the request. A challenge asks nobody anything here: who is known by a scanner's name is refused. */
export function refuseAgent(
  context: PolicyContext,
  request: policy.DecideRequest,
): Result<policy.DecideResponse> | undefined {
  const { fraud, agents } = context.state
  const source = request.source?.address ?? ''
  const checks = agents.match(request.userAgent).filter(({ rule }) => fraud.selectsSource(rule, source))
  if (checks.length === 0) return undefined
  const findings = checks.map(
    (check): Finding => ({
      check,
      level: check.critical === undefined ? 'warning' : 'critical',
      value: 1n,
      subject: source,
      atMs: context.now(),
      detail: request.userAgent,
    }),
  )
  const caller = addressOf(request.from)
  void act(context, findings, { ref: '', account: '', source, caller, callee: request.requestUri })
  const worst = findings.find((one) => stops(one.check, levelOf(one), 'impossible'))
  if (worst === undefined) return undefined
  context.counts.fraudRefusals++
  return rejection(levelOf(worst) ?? {})
}
