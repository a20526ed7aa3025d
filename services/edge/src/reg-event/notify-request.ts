// SPDX-License-Identifier: MIT
//
// The bytes of a NOTIFY inside the dialog of its subscription (RFC 3261 §12.2.1.1, RFC 6665 §4.2.2).
import type { location } from '@tandem/rpc'
import { encodeReginfo, REGINFO } from './reginfo.ts'

/** @param via `Via: …\r\n`; @param route lines for the hop between edges, or '' */
export function encodeNotify(notification: location.Notification, via: string, route: string): Buffer {
  const { callId, localTag, remoteTag, cseq, localUri, remoteUri, contact, eventId } = notification
  const body = encodeReginfo(notification)
  const { uri, routes } = routing(notification)
  const lines = [
    `NOTIFY ${uri} SIP/2.0\r\n${via}Max-Forwards: 70\r\n${route}`,
    ...routes.map((value) => `Route: ${value}\r\n`),
    `From: <${localUri}>;tag=${localTag}\r\nTo: <${remoteUri}>;tag=${remoteTag}\r\n`,
    `Call-ID: ${callId}\r\nCSeq: ${cseq} NOTIFY\r\nContact: <${contact}>\r\n`,
    `Event: reg${eventId === '' ? '' : `;id=${eventId}`}\r\n`, // [RFC6665-4.5.2]
    `Subscription-State: ${stateOf(notification)}\r\n`,
    `Content-Type: ${REGINFO}\r\nContent-Length: ${body.length}\r\n\r\n`,
  ]
  return Buffer.concat([Buffer.from(lines.join(''), 'latin1'), body])
}

/** [RFC6665-4.2.2] */
function stateOf({ reason, expiresS }: location.Notification): string {
  return reason === '' ? `active;expires=${expiresS}` : `terminated;reason=${reason}`
}

/** The URI of a Route value. */
export function routeUri(value: string): string {
  return /<([^>]*)>/.exec(value)?.[1] ?? value
}

export function isStrictRoute(value: string): boolean {
  return !/;lr(?=[;=?]|$)/i.test(routeUri(value))
}

/** [RFC3261-12.2.1.1] A strict router first: its URI is the Request-URI, and the remote target goes last. */
function routing({ remoteTarget, routes }: location.Notification): { uri: string; routes: readonly string[] } {
  const first = routes[0]
  if (first === undefined || !isStrictRoute(first)) return { uri: remoteTarget, routes }
  return { uri: routeUri(first), routes: [...routes.slice(1), `<${remoteTarget}>`] }
}
