// SPDX-License-Identifier: MIT
//
// Recursion on a 3xx (RFC 3261 section 16.5, section 16.7 step 4): which of its Contacts are followed, and which stay in it.
//
// Followed: sip and sips URIs that have not been tried for this request, by RFC 3263, in the order of q. Not followed, and left for
// the caller: other schemes; sip where sips was called; users of the domain that was called and addresses of the cluster,
// because only policy may say who reaches whom there, and it says so when the caller asks for them; what no place was left for.

import {
  type Contact,
  compareUris,
  encodeNameAddr,
  encodeUri,
  historyParamOf,
  type Param,
  parseContacts,
  parseUri,
  quote,
  type SipMessage,
  URI_SCHEME,
  type Uri,
} from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { requestUriOf } from './request-uri-of.ts'
import { Candidate } from './targets.ts'

export interface Followed {
  readonly uri: string
  readonly qMilli: number
  /** For History-Info. */
  readonly redirected: string
}

export interface Redirection {
  /** Highest q first, equal q in the order of the response. */
  readonly followed: readonly Followed[]
  /** `Contact: …\r\n` lines of those that stay. */
  readonly left: string
}

/** Hosts whose users only policy gives away: the one that was called, and the one of the target. */
export function domainsOf(request: SipMessage, aor: string): string[] {
  const called = request.uriHostStart < 0 ? '' : request.text(request.uriHostStart, request.uriHostEnd).toLowerCase()
  return [called, aor.slice(aor.indexOf('@') + 1).toLowerCase()]
}

/**
 * @param tried URIs that this request has been sent to, the one that came among them
 * @param domains hosts in lower case that policy answers for
 * @param room how many may be followed at most
 * @returns undefined where nothing is followed: the response counts as it is
 */
export function readRedirection(
  core: EdgeCore,
  request: SipMessage,
  response: SipMessage,
  tried: readonly string[],
  domains: readonly string[],
  room: number,
): Redirection | undefined {
  const contacts = parseContacts(response)?.contacts ?? []
  const known = tried.map(parseUri)
  const followed: Followed[] = []
  let left = ''
  for (const contact of contacts) {
    const uri = withoutHeaders(contact.uri)
    if (!mayFollow(core, request, uri, domains)) left += contactLine(contact)
    else if (!isAmong(known, uri)) {
      if (followed.length >= room) left += contactLine(contact)
      else {
        known.push(uri)
        followed.push({
          uri: requestUriOf(contact.uriText),
          qMilli: contact.qMilli < 0 ? 1000 : contact.qMilli,
          redirected: historyParamOf(contact.params),
        })
      }
    }
  }
  if (followed.length === 0) return undefined
  followed.sort((a, b) => b.qMilli - a.qMilli)
  return { followed, left }
}

function withoutHeaders(uri: Uri): Uri {
  return parseUri(requestUriOf(encodeUri(uri))) ?? uri
}

/** [RFC3261-16.5] Equal by section 19.1.4: tried once is tried for good. */
function isAmong(known: readonly (Uri | undefined)[], uri: Uri): boolean {
  return known.some((one) => one !== undefined && compareUris(one, uri))
}

function mayFollow(core: EdgeCore, request: SipMessage, uri: Uri, domains: readonly string[]): boolean {
  if (uri.scheme !== 'sips' && (uri.scheme !== 'sip' || request.uriScheme === URI_SCHEME.SIPS)) return false
  const host = uri.host.toLowerCase().replace(/\.$/, '')
  return !domains.includes(host) && !core.routeOwner.isOwnAddress(host.replace(/^\[|\]$/g, ''), uri.port)
}

function contactLine({ display, uriText, params }: Contact): string {
  return `Contact: ${encodeNameAddr(display, uriText)}${params.map(paramText).join('')}\r\n`
}

function paramText({ name, value, flag }: Param): string {
  if (flag) return `;${name}`
  return `;${name}=${TOKEN.test(value) ? value : quote(value)}`
}

const TOKEN = /^[\w.!%*+`'~-]+$/

/**
 * Ways to contacts that are followed, in the place of who named them; those that nothing leads to are left out.
 *
 * @param followed at least one
 * @param onFound called once, before this returns where all is known at once
 */
export function findWays(
  core: EdgeCore,
  redirecting: Candidate,
  followed: readonly Followed[],
  onFound: (candidates: Candidate[]) => void,
): void {
  const found: (Candidate | undefined)[] = []
  const target = { ...redirecting.target, trusted: false }
  let asked = followed.length
  for (const [at, { uri, qMilli, redirected }] of followed.entries()) {
    core.hops.toUri(uri, false, (hop) => {
      asked -= 1
      if (hop !== undefined) {
        const candidate = new Candidate(hop, target, qMilli, '', redirected)
        candidate.wave = redirecting.wave
        found[at] = candidate
      }
      if (asked === 0) onFound(found.filter((one) => one !== undefined))
    })
  }
}
