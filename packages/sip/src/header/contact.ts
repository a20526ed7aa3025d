// SPDX-License-Identifier: MIT
// Contact of REGISTER and of dialogs (RFC 3261 §20.10, RFC 5626 §4.1, RFC 8217). `*` stands alone or not at all [RFC3261-10.2.2].
// Numbers that are too large or bad take the header's default, as RFC 3261 §20.10 says of expires: they refuse nothing.
import { LIMITS } from '../limits.ts'
import { ValueCursor } from '../message/cursor.ts'
import { HEADER } from '../message/header-ids.ts'
import type { SipMessage } from '../message/message.ts'
import { parseUri, type Uri } from '../uri/uri.ts'
import { parseNameAddrAt } from './name-addr.ts'
import { type Param, paramOf } from './params.ts'

export interface Contact {
  readonly display: string
  /** The URI's text as it came. */
  readonly uriText: string
  readonly uri: Uri
  /** All header parameters, those below included. */
  readonly params: readonly Param[]
  /** 0 to 1000; -1 without a usable q. */
  readonly qMilli: number
  /** Seconds, -1 without a usable expires. */
  readonly expiresS: number
  /** +sip.instance without its angle brackets, '' when absent. */
  readonly instanceId: string
  /** reg-id, 0 when absent. */
  readonly regId: number
}

export interface ContactList {
  readonly star: boolean
  readonly contacts: readonly Contact[]
}

const MAX_EXPIRES_S = 4_294_967_295

/** All Contacts of a message. Undefined: one breaks the grammar, `*` has company, or there are more than LIMITS.contactCount. */
export function parseContacts(msg: SipMessage): ContactList | undefined {
  const cursor = new ValueCursor().reset(msg, HEADER.CONTACT)
  const contacts: Contact[] = []
  let stars = 0
  while (cursor.next()) {
    if (isStar(msg, cursor.start, cursor.end)) {
      stars++
      continue
    }
    const contact = parseContact(msg, cursor.start, cursor.end)
    if (contact === undefined || contacts.length === LIMITS.contactCount) return undefined
    contacts.push(contact)
  }
  if (stars > 1 || (stars === 1 && contacts.length > 0)) return undefined
  return { star: stars === 1, contacts }
}

function isStar(msg: SipMessage, start: number, end: number): boolean {
  return end - start === 1 && msg.buf[start] === 42
}

function parseContact(msg: SipMessage, start: number, end: number): Contact | undefined {
  const nameAddr = parseNameAddrAt(msg.buf, start, end)
  if (nameAddr === undefined) return undefined
  const uri = parseUri(nameAddr.uri)
  if (uri === undefined) return undefined
  const { display, params } = nameAddr
  return {
    display,
    uriText: nameAddr.uri,
    uri,
    params,
    qMilli: parseQ(paramOf(params, 'q')),
    expiresS: parseDeltaSeconds(paramOf(params, 'expires')),
    instanceId: (paramOf(params, '+sip.instance') ?? '').replace(/^<(.*)>$/, '$1'),
    regId: Math.max(parseDeltaSeconds(paramOf(params, 'reg-id')), 0),
  }
}

const Q_VALUE = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

function parseQ(text: string | undefined): number {
  return text !== undefined && Q_VALUE.test(text) ? Math.round(Number(text) * 1000) : -1
}

/** Decimal seconds below 2^32, else -1 (absent, malformed, too large): Expires, Min-Expires, Retry-After without comment. */
export function parseDeltaSeconds(text: string | undefined): number {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return -1
  const value = Number(text)
  return value <= MAX_EXPIRES_S ? value : -1
}
