// SPDX-License-Identifier: MIT
//
// RFC 3261 §10.3, steps 6 to 8, of the addresses-of-record of this cluster. Steps 1 and 3 to 5 (domain, authentication,
// authorisation, canonical AoR) are policy's, step 2 (Require) the edge's; Call-ID and CSeq order is judged by the store in
// the same step as the write, so that it holds when two edges race.
// Contacts equal by §19.1.4 whose texts differ in parameters that one of them lacks have different keys in the store: where it holds one of the
// same user, host and port as a new contact, it changes nothing and gives the bindings back to be compared; the next try names those that go.
// So all that a REGISTER does is one write.
// Race: a binding that comes between two tries has to be compared in its turn.
import { done, type location, type Refused, type Result } from '@tandem/rpc'
import { registrationHash } from '@tandem/sip'
import { type BindingUpdate, type ContactUpdate, type RegisterOutcome, type Stored, whenStored } from '@tandem/store'
import { type ContactIdentity, contactIdentity, isSameContact } from './contact-identity.ts'
import { type Deps, fromStore, refuse } from './deps.ts'
import { refusal } from './errors.ts'
import { withStatic } from './static-bindings.ts'

type RegisterResult = Result<location.RegisterResponse>

/** Tries of one REGISTER: one more than REGISTERs that other phones of the address-of-record get in between. */
const MAX_TRIES = 5

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
  /** What the answer says of contacts by configuration. */
  readonly staticExpiresS: number
}

type UpdateBase = Omit<BindingUpdate, 'removeAll' | 'contacts'>

export function createRegister(deps: Deps) {
  return (request: location.RegisterRequest): RegisterResult | Promise<RegisterResult> => {
    deps.counts.registers++
    const prepared = prepare(deps, request)
    if ('outcome' in prepared) return refuse(deps, prepared)
    return attempt(deps, prepared, MAX_TRIES)
  }
}

function prepare(deps: Deps, request: location.RegisterRequest): Prepared | Refused {
  if (request.aor === '' || request.callId === '') return refusal('bad_request', 'a register needs aor and call_id')
  if (deps.membership.hasGoneForGood && request.contacts.some(({ flow }) => isLost(deps, flow)))
    return refusal('edge_superseded', undefined, { retryAfterS: deps.tuning.retryAfterS })
  const { aor, callId, cseq, userAgent, replaceOldest } = request
  const base: UpdateBase = {
    aor,
    callId,
    cseq,
    alsoRemove: NONE,
    maxContacts: request.maxContacts || deps.bounds.maxContacts,
    differ: NONE,
    replaceOldest,
    registrationHash: registrationHash(callId, cseq),
    userAgent,
  }
  const intervals = intervalsOf(deps, request)
  const staticExpiresS = intervals.maxS
  if (isStar(request)) {
    if (!isLoneStar(request)) return refusal('star_not_alone')
    return { staticExpiresS, update: { ...base, removeAll: true, contacts: [] }, identities: [] }
  }
  const prepared = prepareContacts(request, intervals, base)
  return 'outcome' in prepared ? prepared : { staticExpiresS, ...prepared }
}

const NONE: readonly string[] = []

/** An edge whose bindings are being removed has no new ones: they would be removed with the old. */
function isLost({ membership }: Deps, flow: location.Flow | undefined): boolean {
  return flow !== undefined && flow.edgeId !== '' && membership.isGoneForGood(flow.edgeId)
}

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

function attempt(deps: Deps, prepared: Prepared, triesLeft: number): RegisterResult | Promise<RegisterResult> {
  return whenStored(deps.store.register(prepared.update), (result) => {
    if (result.state !== 'stored' || result.value.result !== 'compare' || triesLeft <= 1)
      return answer(deps, prepared, result)
    return attempt(deps, compare(prepared, result.value.bindings), triesLeft - 1)
  })
}

/** Says of each binding that the request did not name by key whether a contact of it takes its place, by §19.1.4. */
function compare(prepared: Prepared, bindings: readonly location.Binding[]): Prepared {
  const { identities, update } = prepared
  const contacts = [...update.contacts]
  const [alsoRemove, differ]: [string[], string[]] = [[], []]
  for (const binding of bindings) {
    const key = contactIdentity(binding.uri, binding.instanceId, binding.regId)?.key ?? binding.uri
    const at = identities.findIndex((identity) => isEqualTo(identity, binding))
    if (contacts.some((contact) => contact.uriKey === key)) continue
    const contact = contacts[at]
    if (contact === undefined) differ.push(key)
    // What is removed by another name of it is removed under its own, once; so it is told as what it is.
    else if (contact.expiresS === 0 && contact.uriKey === identities[at]?.key)
      contacts[at] = { ...contact, uriKey: key }
    else alsoRemove.push(key)
  }
  return { ...prepared, update: { ...update, contacts, alsoRemove, differ } }
}

function isEqualTo(identity: ContactIdentity, binding: location.Binding): boolean {
  const other = contactIdentity(binding.uri, binding.instanceId, binding.regId)
  return other !== undefined && isSameContact(identity, other)
}

type Refusing = Exclude<RegisterOutcome['result'], 'ok'>

const REFUSALS: Readonly<Record<Refusing, (deps: Deps) => Refused>> = {
  tooMany: () => refusal('too_many_contacts'),
  outOfOrder: () => refusal('out_of_order'),
  // Others were always quicker.
  compare: ({ tuning }) => refusal('store_refused', undefined, { retryAfterS: tuning.retryAfterS }),
}

function countKind(counts: Deps['counts'], { removeAll, contacts }: BindingUpdate, added: number): void {
  counts.bindingsAdded += added
  if (added > 0) counts.registersNew++
  else if (contacts.some(({ expiresS }) => expiresS > 0)) counts.registersRefresh++
  else if (removeAll || contacts.length > 0) counts.bindingsRemoved++
  else counts.bindingsAsked++
}

function answer(deps: Deps, { update, staticExpiresS }: Prepared, result: Stored<RegisterOutcome>): RegisterResult {
  return fromStore(deps, result, (outcome) => {
    if (outcome.result !== 'ok') return refuse(deps, REFUSALS[outcome.result](deps))
    countKind(deps.counts, update, outcome.added)
    const { bindings, version } = outcome
    return done({ bindings: withStatic(deps.staticContacts, update.aor, bindings, staticExpiresS), version })
  })
}
