// SPDX-License-Identifier: MIT
//
// RFC 3261 §10.3, steps 6 to 8, of the addresses-of-record of this cluster. Steps 1 and 3 to 5 (domain, authentication,
// authorisation, canonical AoR) are policy's, step 2 (Require) the edge's; Call-ID and CSeq order is judged by the store in
// the same step as the write, so that it holds when two edges race.
// Contacts equal by §19.1.4 whose texts differ in parameters that one of them lacks have different keys in the store:
// the older one is removed by a second write, right after the first. Between the two the address-of-record has both.
// Where the first finds no room, the bindings are read, and the second try says what goes for being equal, and whether the
// oldest ones make room: nothing was changed before it.
import { done, type location, type Refused, type Result } from '@tandem/rpc'
import { registrationHash } from '@tandem/sip'
import {
  type Bindings,
  type BindingUpdate,
  type ContactUpdate,
  type RegisterOutcome,
  type Stored,
  whenStored,
} from '@tandem/store'
import { type ContactIdentity, contactIdentity, isSameContact } from './contact-identity.ts'
import { type Deps, fromStore, refuse } from './deps.ts'
import { refusal } from './errors.ts'
import { withStatic } from './static-bindings.ts'

type RegisterResult = Result<location.RegisterResponse>

/** Longest interval that may be refused as too brief [RFC3261-10.3.7]. */
const ONE_HOUR_S = 3_600

interface Intervals {
  readonly minS: number
  readonly maxS: number
  readonly defaultS: number
}

interface Prepared {
  readonly update: BindingUpdate
  readonly identities: readonly ContactIdentity[]
  readonly replaceOldest: boolean
  /** What the answer says of contacts by configuration. */
  readonly staticExpiresS: number
}

type UpdateBase = Omit<BindingUpdate, 'removeAll' | 'contacts'>

export function createRegister(deps: Deps) {
  return (request: location.RegisterRequest): RegisterResult | Promise<RegisterResult> => {
    deps.counts.registers++
    const prepared = prepare(deps, request)
    if ('outcome' in prepared) return refuse(deps, prepared)
    return whenStored(deps.store.register(prepared.update), (first) => settle(deps, prepared, first))
  }
}

function prepare(deps: Deps, request: location.RegisterRequest): Prepared | Refused {
  if (request.aor === '' || request.callId === '') return refusal('bad_request', 'a register needs aor and call_id')
  const { aor, callId, cseq, userAgent, replaceOldest } = request
  const base: UpdateBase = {
    aor,
    callId,
    cseq,
    alsoRemove: NONE,
    maxContacts: request.maxContacts || deps.bounds.maxContacts,
    replaceOldest: false,
    registrationHash: registrationHash(callId, cseq),
    userAgent,
  }
  const intervals = intervalsOf(deps, request)
  const facts = { replaceOldest, staticExpiresS: intervals.maxS }
  if (isStar(request)) {
    if (!isLoneStar(request)) return refusal('star_not_alone')
    return { ...facts, update: { ...base, removeAll: true, contacts: [] }, identities: [] }
  }
  const prepared = prepareContacts(request, intervals, base)
  return 'outcome' in prepared ? prepared : { ...facts, ...prepared }
}

const NONE: readonly string[] = []

function isStar(request: location.RegisterRequest): boolean {
  return request.removeAll || request.contacts.some((contact) => contact.uri === '*')
}

// [RFC3261-10.3.6] "*" stands alone, and only with an expiration of zero.
function isLoneStar({ removeAll, contacts }: location.RegisterRequest): boolean {
  if (removeAll) return contacts.length === 0
  return contacts.length === 1 && contacts[0]?.expiresS === 0
}

function prepareContacts(
  request: location.RegisterRequest,
  intervals: Intervals,
  base: UpdateBase,
): Pick<Prepared, 'update' | 'identities'> | Refused {
  const contacts: ContactUpdate[] = []
  const identities: ContactIdentity[] = []
  for (const contact of request.contacts) {
    const identity = contactIdentity(contact.uri, contact.instanceId, contact.regId)
    if (!identity) return refusal('bad_contact', 'a contact is no URI that can be called')
    const requestedS = contact.expiresS ?? intervals.defaultS
    if (isTooBrief(requestedS, contact.expiresS, intervals))
      return refusal('expires_too_brief', undefined, { minExpiresS: intervals.minS })
    dropEqual(contacts, identities, identity)
    contacts.push(toUpdate(contact, identity, Math.min(requestedS, intervals.maxS)))
    identities.push(identity)
  }
  return { update: { ...base, removeAll: false, contacts }, identities }
}

// [RFC3261-10.3.7] expires parameter, else Expires header (the caller folds these), else the configured default.
function intervalsOf({ bounds }: Deps, request: location.RegisterRequest): Intervals {
  return {
    minS: request.minExpiresS || Math.ceil(bounds.minExpiresMs / 1000),
    maxS: request.maxExpiresS || Math.floor(bounds.maxExpiresMs / 1000),
    defaultS: request.defaultExpiresS || Math.floor(bounds.defaultExpiresMs / 1000),
  }
}

// [RFC3261-10.3.7] 423 if and only if greater than zero, smaller than one hour and less than the minimum.
function isTooBrief(requestedS: number, named: number | undefined, { minS }: Intervals): boolean {
  return named !== undefined && requestedS > 0 && requestedS < ONE_HOUR_S && requestedS < minS
}

/** Of contacts of one request that are equal the last one counts: they are processed in turn. */
function dropEqual(contacts: ContactUpdate[], identities: ContactIdentity[], identity: ContactIdentity): void {
  const at = identities.findIndex((earlier) => isSameContact(earlier, identity))
  if (at < 0) return
  contacts.splice(at, 1)
  identities.splice(at, 1)
}

function toUpdate(contact: location.ContactUpdate, identity: ContactIdentity, expiresS: number): ContactUpdate {
  return {
    uriKey: identity.key,
    uri: contact.uri,
    expiresS,
    qMilli: Math.min(contact.qMilli ?? 1_000, 1_000),
    instanceId: contact.instanceId,
    regId: contact.regId,
    flow: contact.flow,
    path: contact.path,
    params: contact.params,
  }
}

function settle(
  deps: Deps,
  prepared: Prepared,
  first: Stored<RegisterOutcome>,
): RegisterResult | Promise<RegisterResult> {
  if (first.state !== 'stored' || first.value.result === 'outOfOrder') return answer(deps, prepared, first)
  if (first.value.result === 'tooMany') return makeRoom(deps, prepared)
  const stale = staleEquals(prepared, first.value.bindings)
  if (stale.length === 0) return answer(deps, prepared, first)
  const second = deps.store.register({ ...prepared.update, contacts: stale })
  return whenStored(second, (result) => answer(deps, prepared, result))
}

/** A contact takes the place of the one that it equals; and of the oldest ones, where the domain wants it so. */
function makeRoom(deps: Deps, prepared: Prepared): RegisterResult | Promise<RegisterResult> {
  return whenStored(deps.store.locate(prepared.update.aor), (found) => retryWithRoom(deps, prepared, found))
}

function retryWithRoom(
  deps: Deps,
  prepared: Prepared,
  found: Stored<Bindings>,
): RegisterResult | Promise<RegisterResult> {
  const { update, replaceOldest } = prepared
  if (found.state !== 'stored') return fromStore(deps, found, () => refuse(deps, refusal('too_many_contacts')))
  const alsoRemove = staleEquals(prepared, found.value.bindings).map((contact) => contact.uriKey)
  if (alsoRemove.length === 0 && !replaceOldest) return refuse(deps, refusal('too_many_contacts'))
  const second = deps.store.register({ ...update, alsoRemove, replaceOldest })
  return whenStored(second, (result) => answer(deps, prepared, result))
}

/** Bindings that the request did not name by key but equals by §19.1.4, as removals. */
function staleEquals({ identities, update }: Prepared, bindings: readonly location.Binding[]): ContactUpdate[] {
  const stale: ContactUpdate[] = []
  if (identities.length === 0) return stale
  for (const binding of bindings) {
    if (update.contacts.some((contact) => contact.uri === binding.uri)) continue
    const identity = contactIdentity(binding.uri, binding.instanceId, binding.regId)
    if (!identity || identities.some((named) => named.key === identity.key)) continue
    if (identities.some((named) => isSameContact(named, identity)))
      stale.push({ ...binding, uriKey: identity.key, expiresS: 0 })
  }
  return stale
}

function answer(deps: Deps, { update, staticExpiresS }: Prepared, result: Stored<RegisterOutcome>): RegisterResult {
  return fromStore(deps, result, (outcome) => {
    if (outcome.result !== 'ok')
      return refuse(deps, refusal(outcome.result === 'tooMany' ? 'too_many_contacts' : 'out_of_order'))
    const { bindings, version } = outcome
    return done({ bindings: withStatic(deps.staticContacts, update.aor, bindings, staticExpiresS), version })
  })
}
