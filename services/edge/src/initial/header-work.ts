// SPDX-License-Identifier: MIT
//
// The headers of a forwarded request that say who calls and who was called: P-Asserted-Identity, Privacy, Diversion, History-Info.
// The work itself is pure (packages/sip/src/proxy); here it gets the plan's facts and the edge's settings.
//
// In this order: `openHeaderWork` and `privacyRefusal` once the plan is known; for each branch, after `editForwardedRequest` and the
// plan's own edits and on the same scratch edits, `editBranchHeaders`. Responses are the stateful proxy's, by what is on the context.
// Invariant: a request that has none of these headers and whose target is the user who was called gets no edit.

import { policy } from '@tandem/rpc'
import {
  editIdentity,
  findHeader,
  HEADER,
  type IdentityFacts,
  openHistory,
  type ProxyContext,
  privacyFailure,
  type RequestHistory,
  type SipMessage,
  type VerifiedToken,
  withholdsIdentity,
} from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { addDiversion, diversionBytes } from './diversion.ts'

/** What is known of one branch. */
export interface BranchFacts {
  /** Who sent the request is within the trust domain: `Plan.sourceTrusted`. */
  readonly sourceTrusted: boolean
  /** `Target.trusted`. */
  readonly targetTrusted: boolean
  /** Canonical AoR of the target whose binding this is; '' for a target that is a URI. */
  readonly aor: string
  readonly retarget: policy.Retarget | undefined
  /** `rc=…` or `mp=…` of the Contact that a followed 3xx named (historyParamOf), '' for none; undefined: no 3xx was followed. */
  readonly redirected: string | undefined
}

/** A branch of which nobody said anything. */
export const NO_FACTS: BranchFacts = {
  sourceTrusted: false,
  targetTrusted: false,
  aor: '',
  retarget: undefined,
  redirected: undefined,
}

/**
 * A request inside a dialog, by its token: an untrusted side that knows the token can pass for the other only toward itself, for the
 * tag that proves the token also says which way the request goes.
 */
export function dialogFacts({ isInitiatorA, callerTrusted, calleeTrusted }: VerifiedToken): BranchFacts {
  const sourceTrusted = isInitiatorA ? callerTrusted : calleeTrusted
  const targetTrusted = isInitiatorA ? calleeTrusted : callerTrusted
  return sourceTrusted || targetTrusted ? { ...NO_FACTS, sourceTrusted, targetTrusted } : NO_FACTS
}

/** Notes on the context what its responses will need, and opens the request's history where one is asked for. */
export function openHeaderWork(core: EdgeCore, context: ProxyContext, sourceTrusted: boolean): void {
  const { request } = context
  const { identityToUntrusted } = core.config
  context.sourceTrusted = sourceTrusted
  context.tellsUntrusted = identityToUntrusted === 'keep'
  if (request !== undefined) context.history = historyOf(core, request)
}

/** The history of a request that is about to be sent on; undefined where nobody asked for one. */
export function historyOf({ config }: EdgeCore, request: SipMessage): RequestHistory | undefined {
  return openHistory(request, config.historyInfo, uriHost(config.advertisedAddress))
}

/** Reason phrase for the 500 that a request gets whose critical privacy can't be given on this plan [RFC3323-5]; '' when it can. */
export function privacyRefusal(context: ProxyContext, plan: policy.Plan): string {
  const { request, history } = context
  if (request === undefined || !request.has(HEADER.PRIVACY)) return ''
  if (plan.steps.every((step) => step.targets.every((target) => target.trusted))) return ''
  return untrustedRefusal(request, history)
}

/** The same of a request that goes to a target outside the trust domain. */
export function untrustedRefusal(request: SipMessage, history: RequestHistory | undefined): string {
  return privacyFailure(request, history !== undefined || findHeader(request, HEADER.HISTORY_INFO) < 0)
}

/**
 * Adds to `core.edits` what this branch's headers need.
 *
 * @param sent the request's history and the branch's id and Request-URI; undefined for a request without a history
 */
export function editBranchHeaders(core: EdgeCore, request: SipMessage, facts: BranchFacts, sent?: SentBranch): void {
  const { retarget, targetTrusted, aor, redirected } = facts
  let done = 0
  if (sent !== undefined) {
    const mappedFrom = retarget?.from ?? ''
    const { history, id: branchId, uri } = sent
    done = history.edit(request, core.edits, { branchId, uri, aor, mappedFrom, redirected, trusted: targetTrusted })
  }
  editIdentity(request, core.edits, identityFacts(core, facts), done)
  if (retarget !== undefined && core.config.diversion === 'onRetarget') addDiversion(request, core.edits, retarget)
}

/** By how many bytes the plan's header edits and `editBranchHeaders` can make a copy longer, at the most. */
export function addedHeaderBytes(
  core: EdgeCore,
  history: RequestHistory | undefined,
  headerEdits: readonly policy.HeaderEdit[],
  { retarget, aor }: BranchFacts,
  uri: string,
): number {
  let bytes = history === undefined ? 0 : history.mostAdded(uri, aor)
  for (const { operation, name, value } of headerEdits) {
    if (operation === policy.HeaderEdit_Operation.REMOVE) continue
    bytes += name.length + value.length + ': \r\n'.length
  }
  const diverts = retarget !== undefined && core.config.diversion === 'onRetarget'
  return diverts ? bytes + diversionBytes(retarget) : bytes
}

export interface SentBranch {
  readonly history: RequestHistory
  readonly id: string
  readonly uri: string
}

/** Whether a P-Asserted-Identity that the plan adds may reach this target [RFC3325-7]. */
export function mayTellIdentity(core: EdgeCore, request: SipMessage, facts: BranchFacts): boolean {
  return facts.targetTrusted || !withholdsIdentity(request, identityFacts(core, facts))
}

function identityFacts(core: EdgeCore, { sourceTrusted, targetTrusted }: BranchFacts): IdentityFacts {
  return { sourceTrusted, targetTrusted, tellsUntrusted: core.config.identityToUntrusted === 'keep' }
}

function uriHost(address: string): string {
  return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address
}
