// SPDX-License-Identifier: MIT
//
// When two contacts are the same binding. URIs compare by RFC 3261 §19.1.4 (sip, sips) and RFC 3966 §4 (tel); with a
// +sip.instance and a reg-id these decide instead (RFC 5626 §6). Equality by §19.1.4 is not transitive (a parameter that
// only one URI has is passed over), so no text can stand for it: `key` is the finest form, and `isSameContact` compares
// two identities exactly.
import { compareUris, parseUri, type Uri, uriKey } from '@tandem/sip'

export interface ContactIdentity {
  readonly uri: Uri
  /** A flow: named by its instance and reg-id, whatever its URI [RFC5626-6]. */
  readonly isFlow: boolean
  /** Under this the store keeps the binding. */
  readonly key: string
}

/** Undefined for text that is no URI, and for `*`. */
export function contactIdentity(text: string, instanceId = '', regId = 0): ContactIdentity | undefined {
  const uri = parseUri(text)
  if (uri === undefined) return undefined
  const isFlow = instanceId !== '' && regId !== 0
  return { uri, isFlow, key: isFlow ? `flow:${regId};${instanceId}` : uriKey(uri) }
}

// [RFC3261-19.1.4]
export function isSameContact(a: ContactIdentity, b: ContactIdentity): boolean {
  return a.key === b.key || (!a.isFlow && !b.isFlow && compareUris(a.uri, b.uri))
}
