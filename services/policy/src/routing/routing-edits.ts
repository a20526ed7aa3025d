// SPDX-License-Identifier: MIT
//
// Edits of header policies for the whole of a plan: that of the caller's domain, or that of the trunk by which a call comes, whose
// caller's number is put into the cluster's form where the trunk is believed.
import type { OutTrunk } from '@tandem/resources'
import { policy } from '@tandem/rpc'
import type { Judgement } from '../decide/judgement.ts'
import type { Proven } from '../decide/proven.ts'
import { addressOf, splitUri } from '../decide/uri-parts.ts'
import { type PlanAdditions, toEdit } from '../decide/verdicts.ts'
import { inboundTrunk, shownBy } from './number-call.ts'

const { ADD, REMOVE } = policy.HeaderEdit_Operation

/** From stays as it is; what is asserted gets the form in which everybody here writes numbers. */
function normalIdentity(judgement: Judgement): policy.HeaderEdit[] {
  const [asserted] = judgement.request.assertedIdentities
  if (!judgement.trusted || asserted === undefined) return []
  const { host, user, telephone } = splitUri(addressOf(asserted))
  const number = shownBy(judgement.state.index, judgement, undefined)
  if (!number.startsWith('+') || number === (telephone || user)) return []
  const value = host === '' ? `<tel:${number}>` : `<sip:${number}@${host};user=phone>`
  return [
    { operation: REMOVE, name: 'P-Asserted-Identity', value: '' },
    { operation: ADD, name: 'P-Asserted-Identity', value },
  ]
}

function ofTrunk(judgement: Judgement, trunk: OutTrunk): policy.HeaderEdit[] {
  return [...normalIdentity(judgement), ...trunk.inboundEdits.map(toEdit)]
}

/** Nothing is made where there is nothing to add. */
export function withRoutingEdits(
  judgement: Judgement,
  proven: Proven | undefined,
  additions: PlanAdditions,
): PlanAdditions {
  const { trunks, domainEdits } = judgement.state.index.routing
  if (trunks.size === 0 && domainEdits.size === 0) return additions
  const own = proven === undefined ? undefined : domainEdits.get(proven.user.domain.name)
  const trunk = proven === undefined ? trunks.get(inboundTrunk(judgement)) : undefined
  const edits = own?.map(toEdit) ?? (trunk && ofTrunk(judgement, trunk))
  return edits === undefined || edits.length === 0 ? additions : { ...additions, edits: [...additions.edits, ...edits] }
}
