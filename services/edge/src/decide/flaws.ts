// SPDX-License-Identifier: MIT
//
// What a decision must hold before an edge acts upon it: policy may be somebody else's service, of another version, or broken. Nothing in
// it may end a line of a message early, take the place of a header that is the edge's own, or be out of the bounds that
// proto/tandem/policy/v1 names. Texts are written as Latin-1: what is above U+00FF would turn into other characters, CR and LF among them.
//
// Leaves out what the edge looks at anyway where it uses it: Contacts of a redirection that break the grammar, too many targets, texts of
// Reason and Warning.
import type { policy } from '@tandem/rpc'
import { MAX_CALL_REF, parseUri } from '@tandem/sip'

const MAX_STEPS = 64
const MAX_TARGETS = 1_000
const MAX_EDITS = 64
const MAX_EXITS = 16
const MAX_NAME = 256
const MAX_VALUES = 8
const MAX_CONTACTS = 100
const MAX_CONTACTS_OF_AOR = 100
const MAX_RING_MS = 86_400_000

/** One line without CTL but tab. */
const LINE = /^[\t -~\xa0-\xff]{0,8192}$/
const SHORT_LINE = /^[ -~\xa0-\xff]{0,200}$/
const TOKEN = /^[\w!%'*+.`~-]{1,100}$/
const AOR = /^[!#-;=?-~]{1,500}$/
const SIP_URI = /^sips?:[!-~]{1,2000}$/i
const CALL_REF = /^[\w-]*$/
const CHALLENGE = /^[\w-]{1,32} [\t -~\xa0-\xff]{1,4096}$/

/** @returns what is wrong with it, for the log; '' for nothing */
export function flawOf({ verdict, callRef }: policy.DecideResponse): string {
  if (verdict === undefined) return 'no verdict that is known here'
  if (callRef !== '' && (callRef.length > MAX_CALL_REF || !CALL_REF.test(callRef))) return 'call_ref'
  switch (verdict.$case) {
    case 'plan':
      return flawOfPlan(verdict.value)
    case 'reject':
      return flawOfReject(verdict.value)
    case 'challenge':
      return flawOfChallenge(verdict.value)
    case 'admit':
      return flawOfAdmit(verdict.value)
    case 'watchRegistrations':
      return flawOfTerms(verdict.value)
    case 'redirect':
      return flawOfRedirect(verdict.value)
    case 'answer':
      return verdict.value.status === 200 || isFailure(verdict.value.status) ? '' : 'answer: status'
  }
}

function isFailure(status: number): boolean {
  return status >= 400 && status <= 699
}

function flawOfReject({ status, reason }: policy.Reject): string {
  if (!isFailure(status)) return 'reject: status'
  return SHORT_LINE.test(reason) ? '' : 'reject: reason'
}

function flawOfChallenge({ status, values }: policy.Challenge): string {
  if (status !== 401 && status !== 407) return 'challenge: status'
  if (values.length === 0 || values.length > MAX_VALUES) return 'challenge: number of values'
  return values.every((value) => CHALLENGE.test(value)) ? '' : 'challenge: value'
}

function flawOfAdmit(admit: policy.Admit): string {
  return admit.maxContacts > MAX_CONTACTS_OF_AOR ? 'admit: max_contacts' : flawOfTerms(admit)
}

function flawOfTerms({ aor, minExpiresS, maxExpiresS }: policy.WatchRegistrations): string {
  if (!AOR.test(aor)) return 'aor'
  return maxExpiresS !== 0 && minExpiresS > maxExpiresS ? 'min_expires_s above max_expires_s' : ''
}

function flawOfRedirect({ contacts, aor }: policy.Redirect): string {
  if (aor !== '' && !AOR.test(aor)) return 'redirect: aor'
  if (contacts.length > MAX_CONTACTS) return 'redirect: number of contacts'
  return contacts.every((contact) => LINE.test(contact)) ? '' : 'redirect: contact'
}

function flawOfPlan({ steps, edits }: policy.Plan): string {
  if (steps.length > MAX_STEPS) return 'plan: number of steps'
  let left = MAX_TARGETS
  let isSomewhere = false
  for (const { targets, ringMs, exits, waveSize } of steps) {
    left -= targets.length
    if (left < 0) return 'plan: number of targets'
    if (ringMs > MAX_RING_MS || rungOver(targets, ringMs, waveSize) > MAX_RING_MS) return 'plan: ring_ms'
    if (exits !== undefined && exits.exits.length > MAX_EXITS) return 'plan: number of exits'
    for (const target of targets) {
      const flaw = flawOfTarget(target)
      if (flaw !== '') return flaw
      isSomewhere ||= leadsSomewhere(target)
    }
  }
  // [RFC3261-16.5lm] no target at all is an answer: 480
  return isSomewhere || left === MAX_TARGETS ? flawOfEdits(edits) : 'plan: no target that can be read'
}

/** How long all waves of a step take; 0 where it has none. */
function rungOver({ length }: readonly policy.Target[], ringMs: number, waveSize = 0): number {
  return waveSize === 0 ? 0 : ringMs * Math.ceil(length / waveSize)
}

function flawOfTarget({ where, retarget, instanceId, nextHop = '', trunkLeg, edits }: policy.Target): string {
  if (where?.$case === 'aor' && !AOR.test(where.value)) return 'target: aor'
  if (!LINE.test(instanceId)) return 'target: instance_id'
  if (nextHop !== '' && !SIP_URI.test(nextHop)) return 'target: next_hop'
  if (trunkLeg !== undefined && !isLeg(trunkLeg)) return 'target: trunk_leg'
  if (edits !== undefined) {
    const flaw = flawOfEdits(edits.edits)
    if (flaw !== '') return flaw
  }
  if (retarget === undefined) return ''
  return SIP_URI.test(retarget.from) && TOKEN.test(retarget.reason) ? '' : 'target: retarget'
}

const isLeg = ({ trunk, host, firstResponseMs }: policy.TrunkLeg): boolean =>
  trunk !== '' && trunk.length <= MAX_NAME && host.length <= MAX_NAME && firstResponseMs <= MAX_RING_MS

/** A URI that can't be read is passed over as long as there are others. */
function leadsSomewhere({ where }: policy.Target): boolean {
  if (where === undefined) return false
  return where.$case === 'aor' || (SIP_URI.test(where.value) && parseUri(where.value) !== undefined)
}

function flawOfEdits(edits: readonly policy.HeaderEdit[]): string {
  if (edits.length > MAX_EDITS) return 'plan: number of edits'
  for (const { operation, name, value, match = '' } of edits) {
    if (!TOKEN.test(name)) return 'edit: name'
    if (!LINE.test(value) || !LINE.test(match)) return 'edit: value'
    if (operation === REWRITE && NOT_TO_ADD.has(name.toLowerCase())) return `edit: ${name} is not a plan's to rewrite`
    if (operation === ADD && NOT_TO_ADD.has(name.toLowerCase())) return `edit: ${name} is not a plan's to add`
  }
  return ''
}

/** HeaderEdit_Operation.ADD and REWRITE */
const ADD = 1
const REWRITE = 3
/** Headers that forwarding itself edits, or that a request has once. */
const NOT_TO_ADD: ReadonlySet<string> = new Set(
  'via v route record-route max-forwards max-breadth from f to t call-id i cseq contact m content-type c content-length l'.split(
    ' ',
  ),
)
