// SPDX-License-Identifier: MIT
// Public GRUUs: the address-of-record with its instance in the `gr` parameter [RFC5627-3.1.1] [RFC5627-5.4]. Nothing is
// kept for them: as long as the address-of-record is valid, so are they, also after the instance's bindings are gone.
import { Buffer } from 'node:buffer'

/** `sip:alice@example.test` and `urn:uuid:…` → `sip:alice@example.test;gr=urn:uuid:…` */
export function publicGruu(aor: string, instanceId: string): string {
  return `${aor};gr=${escapeParameter(instanceId)}`
}

/** The instance that the value of a `gr` parameter names; undefined when it is no text of ours: empty, or badly escaped. */
export function instanceOfGr(value: string): string | undefined {
  const text = value.replace(ESCAPE, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return value === '' || value.replace(ESCAPE, '').includes('%') ? undefined : Buffer.from(text, 'latin1').toString()
}

const ESCAPE = /%([0-9A-Fa-f]{2})/g
/** What a URI parameter may not hold as it is: paramchar of RFC 3261 section 25.1, and `%` itself. */
const NOT_PARAMETER = /[^\w[\]/:&+$.!~*'()-]/g

function escapeParameter(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(NOT_PARAMETER, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}
