// SPDX-License-Identifier: MIT
//
// The headers of a forwarded request that say who calls and who was called: P-Asserted-Identity, Privacy, Diversion, History-Info.
// The work itself is pure (packages/sip/src/proxy); here it gets the plan's facts and the edge's settings.
//
// Invariant: called after `editForwardedRequest` and after the plan's own edits, on the same scratch edits. A request that has none
// of these headers and whose target is the user who was called gets no edit.

import type { policy } from '@tandem/rpc'
import { editIdentity, type IdentityFacts, type SipMessage, withholdsIdentity } from '@tandem/sip'
import type { EdgeCore } from './core.ts'
import { addDiversion } from './diversion.ts'

/** What the plan says of one branch. */
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

/** A branch of which nobody said anything: in-dialog requests. */
export const NO_FACTS: BranchFacts = {
  sourceTrusted: false,
  targetTrusted: false,
  aor: '',
  retarget: undefined,
  redirected: undefined,
}

/** Adds to `core.edits` what this branch's headers need. */
export function editBranchHeaders(core: EdgeCore, request: SipMessage, facts: BranchFacts): void {
  editIdentity(request, core.edits, identityFacts(core, facts))
  const { retarget } = facts
  if (retarget !== undefined && core.config.diversion === 'onRetarget') addDiversion(request, core.edits, retarget)
}

/** Whether a P-Asserted-Identity that the plan adds may reach this target. */
export function mayTellIdentity(core: EdgeCore, request: SipMessage, facts: BranchFacts): boolean {
  return facts.targetTrusted || !withholdsIdentity(request, identityFacts(core, facts))
}

function identityFacts(core: EdgeCore, { sourceTrusted, targetTrusted }: BranchFacts): IdentityFacts {
  return { sourceTrusted, targetTrusted, tellsUntrusted: core.config.identityToUntrusted === 'keep' }
}
