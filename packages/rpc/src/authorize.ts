// SPDX-License-Identifier: MIT
//
// Decide in the words of Authorize, for services that have only the small call: the flat question made from the whole one, and what a
// small answer means. Pure; texts that can't be read become '', and the edge checks whatever comes back as it does any decision.
import { createHash } from 'node:crypto'
import type * as policy from './gen/tandem/policy/v1/policy.ts'
import type { SimplerCall } from './service.ts'

const MAX_URIS = 64
/** Characters of a call's reference: 96 bits, base64url. */
const REF_LENGTH = 16

export const AUTHORIZE: SimplerCall<
  policy.DecideRequest,
  policy.AuthorizeRequest,
  policy.AuthorizeResponse,
  policy.DecideResponse
> = { name: 'authorize', toRequest: authorizeRequestOf, fromResponse: decisionOf }

/** The flat form of what an edge asks. */
export function authorizeRequestOf(request: policy.DecideRequest): policy.AuthorizeRequest {
  const { transactionKey, edgeId, method, requestUri, callId, userAgent, event, source } = request
  const [uri, from, to] = [placeOf(requestUri), placeOf(request.from), placeOf(request.to)]
  const mine = request.credentials.find(({ proxy }) => !proxy) ?? request.credentials[0]
  return {
    transactionKey,
    edgeId,
    method,
    requestUri,
    requestUser: uri.user,
    requestHost: uri.host,
    fromUser: from.user,
    fromHost: from.host,
    toUser: to.user,
    toHost: to.host,
    callId,
    transport: source?.transport ?? '',
    sourceAddress: source?.address ?? '',
    sourcePort: source?.port ?? 0,
    authorization: mine?.value ?? '',
    userAgent,
    event,
  }
}

/** The decision that a small answer stands for. */
export function decisionOf(
  { verdict }: policy.AuthorizeResponse,
  request: policy.DecideRequest,
): policy.DecideResponse {
  const decision = { callRef: '', identity: '', account: '' }
  if (verdict?.$case !== 'allow') return { ...decision, verdict }
  const { report, identity, account } = verdict.value
  const isReported = report && request.method === 'INVITE'
  const callRef = isReported ? referenceOf(request.transactionKey) : ''
  return { verdict: allowed(verdict.value, request, isReported), callRef, identity, account }
}

function allowed(
  allow: policy.Allow,
  request: policy.DecideRequest,
  accounting: boolean,
): policy.DecideResponse['verdict'] {
  const { method, requestUri, to, event } = request
  if (method === 'REGISTER') {
    const aor = allow.users[0] ?? aorOf(to)
    const cluster = { minExpiresS: 0, maxExpiresS: 0, defaultExpiresS: 0, maxContacts: 0 }
    return { $case: 'admit', value: { ...cluster, aor, replaceOldest: false, serviceRoute: false } }
  }
  const names = allow.users.length > 0 || allow.uris.length > 0
  if (method === 'OPTIONS' && !names && placeOf(requestUri).user === '')
    return { $case: 'answer', value: { status: 200 } }
  if (method === 'SUBSCRIBE' && event === 'reg') {
    const aor = allow.users[0] ?? aorOf(requestUri)
    return { $case: 'watchRegistrations', value: { aor, minExpiresS: 0, maxExpiresS: 0, defaultExpiresS: 0 } }
  }
  return { $case: 'plan', value: planOf(names ? allow : { ...allow, users: [aorOf(requestUri)] }, accounting) }
}

function planOf({ users, uris, ringMs }: policy.Allow, accounting: boolean): policy.Plan {
  const step = (targets: policy.Target[]): policy.Step => ({ targets, ringMs, retryStatuses: [], forking: 0 })
  const atOnce = users.length === 0 ? [] : [step(users.map((aor) => targetOf({ $case: 'aor', value: aor })))]
  const inTurn = uris.slice(0, MAX_URIS).map((uri) => step([targetOf({ $case: 'uri', value: uri })]))
  return {
    steps: [...atOnce, ...inTurn],
    edits: [],
    maxDurationS: 0,
    accounting,
    stateless: false,
    maxRecursions: 0,
    sourceTrusted: false,
  }
}

function targetOf(where: NonNullable<policy.Target['where']>): policy.Target {
  return { where, instanceId: '', registrationHash: 0, trusted: false, retarget: undefined, qMilli: 0 }
}

/** The same from every edge. */
function referenceOf(transactionKey: string): string {
  return createHash('sha256').update(transactionKey).digest('base64url').slice(0, REF_LENGTH)
}

/** User with password, host, port. */
const SIP_URI = /^sips?:(?:([^@]*)@)?(\[[^\]]*\]|[^:;?>\s]+)(:\d+)?/i

interface Place {
  readonly user: string
  readonly host: string
  /** ':5060', '' for none. */
  readonly port: string
}

/** Of a URI, or of the value of a From or To. */
function placeOf(text: string): Place {
  const opened = text.indexOf('<', text.startsWith('"') ? closingQuote(text) : 0)
  const [, user = '', host = '', port = ''] = SIP_URI.exec(opened < 0 ? text.trim() : text.slice(opened + 1)) ?? []
  return { user: user.replace(/:.*$/s, ''), host: host.toLowerCase(), port }
}

/** Of a display name in quotes, behind which the URI begins. */
function closingQuote(text: string): number {
  for (let i = 1; i < text.length; i += text[i] === '\\' ? 2 : 1) if (text[i] === '"') return i
  return text.length
}

/** The address-of-record of a URI; '' where it names no user. */
function aorOf(text: string): string {
  const { user, host, port } = placeOf(text)
  return user === '' ? '' : `sip:${user}@${host}${port}`
}
