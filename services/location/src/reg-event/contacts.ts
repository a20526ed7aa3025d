// SPDX-License-Identifier: MIT
//
// The contact state machines of RFC 3680 §4.7.1, run by comparison: the bindings of now against the contacts that watchers
// know. Each difference is one change with its event; several between two looks are one.
import { createHash } from 'node:crypto'
import type { RemovedBinding, Watch, WatchedBinding } from '@tandem/store'
import type { StaticContact } from '../static-bindings.ts'
import { type ContactEvent, type KnownContact, MAX_GONE, type WatchState } from './state.ts'

/** An end that comes this much earlier, without a REGISTER, was shortened. */
const SHORTENED_MS = 1_000

/** Brings `state` up to the bindings of `watch` and the contacts by configuration. */
export function reconcile(state: WatchState, watch: Watch, statics: readonly StaticContact[] = []): void {
  const isFirst = state.change === 0
  const before = new Map(state.contacts.map((contact) => [contact.id, contact]))
  const live = new Set<string>()
  for (const binding of watch.bindings) {
    const id = contactId(binding.uriKey, binding.instanceId === '' ? '' : binding.uri)
    live.add(id)
    settle(state, before.get(id), fromBinding(id, binding), isFirst ? 0 : watch.nowMs)
  }
  for (const contact of statics) {
    const id = contactId('static', contact.uri)
    live.add(id)
    if (before.get(id)?.isActive !== true) settle(state, before.get(id), fromStatic(id, contact), 0)
  }
  for (const contact of state.contacts) if (contact.isActive && !live.has(contact.id)) end(state, contact, watch)
  state.change = Math.max(state.change, 1)
}

/**
 * [RFC3680-5.1] The same for the same binding; a phone known by its instance that comes with another URI is another
 * contact there.
 */
function contactId(key: string, uri: string): string {
  return hashOf(`${key}\n${uri}`)
}

/** Of the registration element. */
export function registrationId(aor: string): string {
  return hashOf(aor)
}

function hashOf(text: string): string {
  return createHash('sha1').update(text).digest('base64url').slice(0, 12)
}

type Found = Omit<KnownContact, 'sinceMs' | 'change'>

function fromBinding(id: string, binding: WatchedBinding): Found {
  const { uriKey, uri, instanceId, qMilli, callId, cseq, params, untilMs } = binding
  const fields = { id, key: uriKey, uri, instanceId, qMilli, callId, cseq, params, untilMs }
  return { ...fields, isActive: true, event: 'registered' }
}

function fromStatic(id: string, { uri, qMilli }: StaticContact): Found {
  const none = { key: '', instanceId: '', callId: '', cseq: 0, params: '', untilMs: 0 }
  return { id, uri, qMilli, ...none, isActive: true, event: 'created' }
}

function settle(state: WatchState, known: KnownContact | undefined, found: Found, sinceMs: number): void {
  if (known?.isActive !== true) {
    state.contacts = state.contacts.filter((contact) => contact !== known)
    state.contacts.push({ ...found, sinceMs, change: ++state.change })
    return
  }
  const isRefresh = known.callId !== found.callId || known.cseq !== found.cseq
  if (!isRefresh && found.untilMs > known.untilMs - SHORTENED_MS) return
  Object.assign(known, found, { event: isRefresh ? 'refreshed' : 'shortened', change: ++state.change })
}

function end(state: WatchState, contact: KnownContact, watch: Watch): void {
  contact.isActive = false
  contact.event = endEvent(contact, watch)
  contact.change = ++state.change
}

/** A REGISTER took it away; else it ran out; else an administrator did, or a newer contact that needed the room. */
function endEvent(contact: KnownContact, { removed, bindings, nowMs }: Watch): ContactEvent {
  if (removed.some((tomb) => isUnregistered(tomb, contact))) return 'unregistered'
  if (bindings.some((binding) => binding.uriKey === contact.key)) return 'unregistered'
  return contact.untilMs !== 0 && contact.untilMs <= nowMs ? 'expired' : 'deactivated'
}

/** What made room for a newer contact is remembered with its own Call-ID and CSeq. */
function isUnregistered({ uriKey, callId, cseq }: RemovedBinding, contact: KnownContact): boolean {
  return uriKey === contact.key && (callId !== contact.callId || cseq !== contact.cseq)
}

/** Lets go of contacts that are gone and that every watcher knows to be gone; keeps the rest within its bound. */
export function forgetGone(state: WatchState): void {
  let seen = state.change
  for (const subscription of state.subscriptions) seen = Math.min(seen, subscription.seen)
  const kept = state.contacts.filter((contact) => contact.isActive || contact.change > seen)
  const gone = kept.filter((contact) => !contact.isActive).sort((a, b) => a.change - b.change)
  const excess = new Set(gone.slice(0, Math.max(0, gone.length - MAX_GONE)))
  for (const contact of excess)
    for (const subscription of state.subscriptions)
      if (subscription.seen < contact.change) subscription.isFullDue = true
  state.contacts = kept.filter((contact) => !excess.has(contact))
}
