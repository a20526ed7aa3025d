// SPDX-License-Identifier: MIT
//
// One request on its way through a decision: what its URIs name, where it leads, and whether who sent it is trusted for the
// address that it came from. Computed once; the steps only look at it.
import {
  type DomainEntry,
  type DomainSettings,
  domainOfNumber,
  findDomain,
  leadsAway,
  type PhoneNumber,
  parsePhoneNumber,
  type TrunkEntry,
} from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { offersCredentials } from '../digest/authenticate.ts'
import type { GroupStates } from '../groups/group-facts.ts'
import type { PolicyState } from '../state.ts'
import { registeredCall } from '../trunks/registered-trunk.ts'
import { userOf } from './identity.ts'
import type { Proven } from './proven.ts'
import { senderOf } from './sender.ts'
import { addressOf, paramOf, splitUri, type UriParts } from './uri-parts.ts'

export interface Judgement {
  readonly context: PolicyContext
  readonly state: PolicyState
  readonly request: policy.DecideRequest
  readonly uri: UriParts
  /** Of a tel URI; undefined for others, and for what is no number. */
  readonly number: PhoneNumber | undefined
  readonly from: UriParts
  /** Of the Request-URI; undefined for a foreign one, and for a number that nobody has. */
  readonly domain: DomainEntry | undefined
  /** Of From; undefined for strangers. */
  readonly own: DomainSettings | undefined
  /** Value of `maddr` in the Request-URI, '' for none. */
  readonly maddr: string
  /** The Request-URI leads out of this cluster. */
  readonly away: boolean
  /** Whose address or certificate the sender has, or whose login he has shown. */
  readonly trunk: TrunkEntry | undefined
  /** The login that he has shown: it goes no further. */
  readonly trunkLogin?: policy.Credentials | undefined
  /** A user of ours who is known without being asked. */
  readonly known: Proven | undefined
  /** Sent from an address that the domain, or a trunk, says to believe, or with a certificate of a trunk. */
  readonly trusted: boolean
  /** Hunt groups whose state a plan wants, and whether it takes a turn: noted while it is made. */
  wants?: Map<string, boolean> | undefined
  /** What was read of them; a plan gets no more than this. */
  readonly groups?: GroupStates | undefined
  /** Nobody makes this call: it is only planned. */
  readonly trial?: { readonly nowMs: number } | undefined
}

/** The domain of From: by its host, or by the number that it shows. */
function ownDomain({ index }: PolicyState, from: UriParts): DomainSettings | undefined {
  if (from.host !== '') return findDomain(index, from.host)
  return from.telephone === '' ? undefined : userOf(index, from)?.domain
}

/** Its own domain trusts for a caller of ours, the called one for strangers; a trusted trunk is trusted by all. */
function isTrusted(
  trunk: TrunkEntry | undefined,
  source: policy.Source | undefined,
  asked: DomainSettings | undefined,
) {
  if (trunk?.trusted === true) return true
  return source !== undefined && asked?.sources?.has(source.address) === true
}

export function judge(
  context: PolicyContext,
  state: PolicyState,
  request: policy.DecideRequest,
  asked: UriParts,
): Judgement {
  const { index } = state
  const from = splitUri(addressOf(request.from))
  const { trunk: sender, known } = senderOf(index, request, from)
  const registered = context.trunks.hasRegistrations ? registeredCall(context, request, asked, sender) : undefined
  const uri = registered?.uri ?? asked
  const trunk = registered?.trunk ?? sender
  const own = ownDomain(state, from)
  const number = uri.telephone === '' ? undefined : parsePhoneNumber(uri.telephone)
  const found = number === undefined ? uri.host && findDomain(index, uri.host) : domainOfNumber(index, number, own)
  // A number that a trunk brings is looked for from the domain that the cluster's own addresses are of.
  const domain = found || (registered && findDomain(index, asked.host))
  const maddr = paramOf(uri.params, 'maddr') ?? ''
  return {
    context,
    state,
    request,
    uri,
    number,
    from,
    domain: domain || undefined,
    own,
    maddr,
    away: leadsAway({ host: uri.host, maddr }, index),
    trunk,
    known: registered === undefined ? known : undefined,
    trusted: isTrusted(trunk, request.source, own ?? (domain || undefined)),
  }
}

/**
 * The domain whose credentials are asked for: the caller's own when it is one of ours that asks, else the one that is
 * called; so a name of ours is never taken in vain. undefined: nobody asks.
 * Out of the cluster only users of ours are let, by a domain that lets some: whoever they are, they say so with digest.
 */
export function askingDomain(judgement: Judgement): DomainSettings | undefined {
  const { request, domain, own, away, trusted, trunk, known } = judgement
  if (known !== undefined) return undefined
  if (away) return own?.authenticated && own.relay !== undefined ? own : undefined
  if (request.method === 'REGISTER') return domain?.authenticated ? domain : undefined
  if (trusted || trunk?.inbound === true) return undefined
  if (own?.authenticated) return own
  if (domain === undefined || !domain.authenticated) return undefined
  return strangerAdmitted(judgement, domain) ? undefined : domain
}

/** Nobody of ours, whom the called domain lets in without a question. */
function strangerAdmitted({ request, own, uri, number }: Judgement, domain: DomainEntry): boolean {
  if (own !== undefined || domain.strangers === undefined) return false
  if (offersCredentials(request.credentials, domain)) return false
  return domain.strangers.admits(request.method, number?.number ?? uri.user)
}

/** What a stranger says of himself is believed. */
export const believesStranger = ({ own, domain }: Judgement): boolean =>
  own === undefined && domain?.strangers?.believed === true

/** REGISTER is asked by a registrar, everything else by a proxy. [RFC3261-22.1a] */
export const isRegistrars = ({ request, away }: Judgement): boolean => request.method === 'REGISTER' && !away
