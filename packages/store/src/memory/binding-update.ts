// SPDX-License-Identifier: MIT
// What an update makes of the bindings of one address-of-record [RFC3261-10.3] [RFC5627-5.1]: judged first, then worked out as a
// whole, without touching anything. The script of the Redis store (redis/scripts/bindings.ts) says the same in Lua.

import { contactBound, stemOf } from '../binding-content.ts'
import type { Binding, BindingUpdate, ChangeCause, ContactUpdate } from '../types.ts'

export interface Origin {
  readonly uriKey: string
  readonly callId: string
  readonly cseq: number
  readonly hash: string
  /** End of a binding, or of the memory of a removed one. */
  readonly untilMs: number
}

export interface HeldBinding extends Origin {
  readonly contact: ContactUpdate
  readonly qMilli: number
  readonly userAgent: string
  readonly registrationHash: number
}

/** A binding that goes: what is remembered of it, and what the change feed says. */
export interface Removed extends Origin {
  readonly uri: string
  readonly cause: ChangeCause
}

export interface Changed {
  bindings: HeldBinding[]
  removed: Removed[]
  news: { readonly kind: 'add' | 'refresh'; readonly uri: string }[]
}

export type Verdict = 'apply' | 'replay' | 'outOfOrder'

/** [RFC3261-10.3.7] For the same Call-ID the CSeq must be higher, or the update is aborted as a whole. */
export function judge(
  bindings: readonly Origin[],
  tombstones: readonly Origin[],
  update: BindingUpdate,
  hash: string,
  now: number,
): Verdict {
  const origins = [...bindings, ...tombstones].filter((origin) => origin.untilMs > now)
  const same = origins.filter((origin) => origin.callId === update.callId)
  if (same.some((origin) => origin.cseq === update.cseq && origin.hash === hash)) return 'replay'
  const late = same.some((origin) => origin.cseq >= update.cseq && concerns(update, origin.uriKey))
  return late ? 'outOfOrder' : 'apply'
}

function concerns(update: BindingUpdate, uriKey: string): boolean {
  if (update.removeAll || update.alsoRemove.includes(uriKey)) return true
  return update.contacts.some((contact) => contact.uriKey === uriKey)
}

/** Whether the asker is to compare first. @param before alive */
export function needsComparing(before: readonly HeldBinding[], update: BindingUpdate): boolean {
  const { differ, alsoRemove, contacts } = update
  if (differ === undefined || update.removeAll || before.length === 0) return false
  const known = new Set(before.map(({ uriKey }) => uriKey))
  const named = new Set([...contacts.map(({ uriKey }) => uriKey), ...alsoRemove, ...differ])
  const others = before.filter(({ uriKey }) => !named.has(uriKey)).map(({ uriKey }) => stemOf(uriKey))
  return contacts.some(({ uriKey }) => {
    const stem = known.has(uriKey) ? undefined : stemOf(uriKey)
    return stem !== undefined && others.includes(stem)
  })
}

/** Undefined: there is no room for what is new. @param before in the order of their updates, all alive */
export function changedBy(
  before: readonly HeldBinding[],
  update: BindingUpdate,
  hash: string,
  now: number,
): Changed | undefined {
  if (update.removeAll) return withoutAll(before, update, hash)
  const changed = withContacts(before, update, hash, now)
  const tooMany = changed.bindings.length - contactBound(update)
  if (tooMany <= 0 || changed.bindings.length <= before.length) return changed
  const oldCount = changed.bindings.length - changed.news.length
  return update.replaceOldest && tooMany <= oldCount ? withoutOldest(changed, tooMany) : undefined
}

function withoutAll(before: readonly HeldBinding[], update: BindingUpdate, hash: string): Changed {
  return { bindings: [], removed: before.map((binding) => tombOf(binding, update, hash, 'unregister')), news: [] }
}

function withContacts(before: readonly HeldBinding[], update: BindingUpdate, hash: string, now: number): Changed {
  const { callId, cseq, userAgent } = update
  const wanted = new Map(update.contacts.map((contact) => [contact.uriKey, contact]))
  const isLeft = ({ uriKey }: HeldBinding): boolean => !wanted.has(uriKey) && !update.alsoRemove.includes(uriKey)
  const changed: Changed = { bindings: before.filter(isLeft), removed: [], news: [] }
  const known = new Map(before.map((held) => [held.uriKey, held]))
  for (const contact of wanted.values()) {
    const { uriKey, expiresS, qMilli } = contact
    if (expiresS > 0) {
      const untilMs = now + expiresS * 1000
      const registrationHash = registrationOf(contact, before, changed.bindings, update)
      changed.bindings = underOne(changed.bindings, contact.instanceId, registrationHash)
      changed.bindings.push({ uriKey, callId, cseq, hash, untilMs, contact, qMilli, userAgent, registrationHash })
      changed.news.push({ kind: known.has(uriKey) ? 'refresh' : 'add', uri: contact.uri })
      continue
    }
    const gone = known.get(uriKey)
    if (gone !== undefined) changed.removed.push(tombOf(gone, update, hash, 'unregister'))
  }
  for (const uriKey of update.alsoRemove) {
    const gone = wanted.has(uriKey) ? undefined : known.get(uriKey)
    if (gone !== undefined) changed.removed.push(tombOf(gone, update, hash, 'replace'))
  }
  return changed
}

/**
 * [RFC5627-5.1] Another Call-ID than that of the binding last updated, of its flow or else of its instance, begins another registration.
 * @param sofar what the contacts before it in the same request have made: they may have begun one
 */
function registrationOf(
  contact: ContactUpdate,
  before: readonly HeldBinding[],
  sofar: readonly HeldBinding[],
  update: BindingUpdate,
): number {
  if (contact.instanceId === '') return 0
  const isOfInstance = (held: HeldBinding): boolean => held.contact.instanceId === contact.instanceId
  const ofInstance = before.filter(isOfInstance)
  const last = ofInstance.findLast((held) => contact.regId === 0 || held.uriKey === contact.uriKey)
  if (last !== undefined && last.callId !== update.callId) return update.registrationHash
  const current = sofar.findLast(isOfInstance) ?? ofInstance.at(-1)
  return current?.registrationHash || update.registrationHash
}

/** All bindings of an instance are of one registration. */
function underOne(bindings: HeldBinding[], instanceId: string, registrationHash: number): HeldBinding[] {
  if (registrationHash === 0) return bindings
  return bindings.map((held) => (held.contact.instanceId === instanceId ? { ...held, registrationHash } : held))
}

/** A phone that is replaced may come back: what is remembered of its binding is its own Call-ID and CSeq. */
function withoutOldest({ bindings, removed, news }: Changed, count: number): Changed {
  const oldest = bindings.slice(0, count).map((held) => tombOf(held, held, held.hash, 'replace'))
  return { bindings: bindings.slice(count), removed: [...removed, ...oldest], news }
}

function tombOf(
  { uriKey, contact }: HeldBinding,
  { callId, cseq }: Pick<Origin, 'callId' | 'cseq'>,
  hash: string,
  cause: ChangeCause,
): Removed {
  return { uriKey, callId, cseq, hash, untilMs: 0, uri: contact.uri, cause }
}

export function bindingOf(held: HeldBinding, now: number): Binding {
  const { uri, qMilli, instanceId, regId, flow, path, params } = held.contact
  return {
    uri,
    expiresS: Math.ceil((held.untilMs - now) / 1000),
    qMilli,
    callId: held.callId,
    cseq: held.cseq,
    instanceId,
    regId,
    flow: flow && { ...flow },
    path: [...path],
    params,
    userAgent: held.userAgent,
    registrationHash: held.registrationHash,
  }
}
