// SPDX-License-Identifier: MIT
//
// Plans that an edge makes by itself while policy gives none: to whoever of ours is registered under the Request-URI, and to the
// emergency services. The first leads nowhere else: only bindings that somebody registered are tried, no 3xx is followed, and the caller,
// whom nobody has authenticated, asserts no identity.
import { policy } from '@tandem/rpc'
import { canonicalAor, METHOD, parseUri, type SipMessage } from '@tandem/sip'

/** A target of whose bindings only those count that were registered: a contact that an operator has set may be anywhere. */
export interface RegisteredTarget extends policy.Target {
  readonly registeredOnly: true
}

export function isRegisteredOnly(target: policy.Target): boolean {
  return (target as Partial<RegisteredTarget>).registeredOnly === true
}

const { REMOVE } = policy.HeaderEdit_Operation
const STRANGER: readonly policy.HeaderEdit[] = [
  'P-Asserted-Identity',
  'P-Preferred-Identity',
  'Proxy-Authorization',
].map((name) => ({ operation: REMOVE, name, value: '' }))

/** To the user of the Request-URI; undefined for what is not for a user, or is for the cluster itself. */
export function planWithin(request: SipMessage, event: string): policy.DecideResponse | undefined {
  if (request.method === METHOD.REGISTER || event === 'reg') return undefined
  const aor = calledAor(request)
  if (aor === undefined) return undefined
  const target: RegisteredTarget = { ...targetOf({ $case: 'aor', value: aor }), registeredOnly: true }
  return decisionOf([target])
}

/** @param uris tried in order; none: wherever the cluster has the number */
export function planForEmergency(request: SipMessage, uris: readonly string[]): policy.DecideResponse | undefined {
  if (uris.length > 0) return decisionOf(uris.map((uri) => targetOf({ $case: 'uri', value: uri })))
  const aor = calledAor(request)
  return aor === undefined ? undefined : decisionOf([targetOf({ $case: 'aor', value: aor })])
}

function calledAor(request: SipMessage): string | undefined {
  const uri = parseUri(request.text(request.uriStart, request.uriEnd))
  if (uri === undefined || uri.user === '' || !uri.scheme.startsWith('sip')) return undefined
  return canonicalAor(uri)
}

function decisionOf(targets: readonly policy.Target[]): policy.DecideResponse {
  const value: policy.Plan = {
    steps: targets.map((target) => ({ targets: [target], ringMs: 0, retryStatuses: [], forking: 0 })),
    edits: [...STRANGER],
    maxDurationS: 0,
    accounting: false,
    stateless: false,
    maxRecursions: 0,
    sourceTrusted: false,
  }
  return { verdict: { $case: 'plan', value }, callRef: '', identity: '', account: '' }
}

function targetOf(where: NonNullable<policy.Target['where']>): policy.Target {
  return { where, instanceId: '', registrationHash: 0, trusted: false, retarget: undefined, qMilli: 0 }
}
