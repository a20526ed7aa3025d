// SPDX-License-Identifier: MIT
//
// The registration information document of RFC 3680 §5, with the public GRUU of RFC 5628. Texts of messages come as latin1,
// one character a byte; the document is UTF-8 whatever was in them: bytes that are none become U+FFFD, characters that XML
// 1.0 has not go. Leaves out: display names, which bindings do not keep; retry-after, for nothing is on probation; temporary
// GRUUs, which a watcher may use only where it may register.
import type { location } from '@tandem/rpc'
import { publicGruu } from '@tandem/sip'

export const REGINFO = 'application/reginfo+xml'

const NAMESPACES = 'xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:gr="urn:ietf:params:xml:ns:gruuinfo"'

// [RFC3680-5.1]
export function encodeReginfo(notification: location.Notification): Buffer {
  const { aor, version, full, registrationId, registrationState, contacts } = notification
  const state = full ? 'full' : 'partial'
  const registration = attributes({ aor, id: registrationId, state: registrationState })
  const inner = contacts.map((contact) => contactElement(aor, contact)).join('')
  const body = `<registration${registration}${inner === '' ? '/>' : `>\n${inner}</registration>`}\n`
  const head = `<?xml version="1.0" encoding="UTF-8"?>\n<reginfo ${NAMESPACES}${attributes({ version, state })}>\n`
  return Buffer.from(`${head}${body}</reginfo>\n`, 'utf8')
}

function contactElement(aor: string, contact: location.WatchedContact): string {
  const { uri, params, instanceId, displayName } = contact
  const name = displayName === '' ? '' : `<display-name>${escapeXml(displayName)}</display-name>\n`
  const unknown = splitParams(params).map(unknownParam).join('')
  // [RFC5628-5]
  const gruu = instanceId === '' ? '' : `<gr:pub-gruu${attributes({ uri: publicGruu(aor, instanceId) })}/>\n`
  return `<contact${contactAttributes(contact)}>\n<uri>${escapeXml(uri)}</uri>\n${name}${unknown}${gruu}</contact>\n`
}

function contactAttributes(contact: location.WatchedContact): string {
  const { id, active, event, durationS, expiresS, qMilli, callId, cseq } = contact
  return attributes({
    id,
    state: active ? 'active' : 'terminated',
    event,
    'duration-registered': durationS,
    expires: expiresS,
    q: (qMilli / 1000).toString(),
    callid: callId === '' ? undefined : callId,
    cseq: callId === '' ? undefined : cseq,
  })
}

function attributes(values: Readonly<Record<string, string | number | undefined>>): string {
  let text = ''
  for (const [name, value] of Object.entries(values))
    if (value !== undefined) text += ` ${name}="${escapeXml(String(value))}"`
  return text
}

/** Contact parameters that RFC 3261 does not define, their values as written; a flag has no content. */
function unknownParam(param: string): string {
  const equal = param.indexOf('=')
  const name = equal < 0 ? param : param.slice(0, equal)
  const value = equal < 0 ? '' : param.slice(equal + 1)
  return `<unknown-param${attributes({ name })}>${escapeXml(value)}</unknown-param>\n`
}

/** `;a=1;b="x;y"` → `a=1`, `b="x;y"` */
function splitParams(params: string): string[] {
  return params.match(/(?<=;)(?:[^;"]|"(?:[^"\\]|\\[\s\S])*")+/g) ?? []
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

/** Latin1 text as character data or attribute value. */
export function escapeXml(latin1: string): string {
  const text = Buffer.from(latin1, 'latin1').toString('utf8')
  return text.replace(NOT_XML, '').replace(/[&<>"'\t\n\r]/g, (character) => ESCAPES[character] as string)
}

/** What XML 1.0 section 2.2 has no Char for, surrogates left out: there are none in decoded UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g
