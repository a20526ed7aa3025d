// SPDX-License-Identifier: MIT
// The INVITE of the side-by-side bench, as SIPp sends it: some 600 bytes with SDP; and the same with a Route.
import { Buffer } from 'node:buffer'

const SDP = [
  'v=0',
  'o=user1 53655765 2353687637 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 6000 RTP/AVP 0 8 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  '',
].join('\r\n')

function inviteText(routes: readonly string[]): string {
  return [
    'INVITE sip:bob@127.0.0.1:5060 SIP/2.0',
    'Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-12345-1-0',
    ...routes,
    'Max-Forwards: 70',
    'From: "Alice" <sip:alice@127.0.0.1>;tag=12345SIPpTag001',
    'To: <sip:bob@127.0.0.1:5060>',
    'Call-ID: 1-12345@127.0.0.1',
    'CSeq: 1 INVITE',
    'Contact: <sip:alice@127.0.0.1:5061>',
    'User-Agent: bench',
    'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS',
    'Supported: replaces, timer',
    'Content-Type: application/sdp',
    `Content-Length: ${SDP.length}`,
    '',
    SDP,
  ].join('\r\n')
}

export const INVITE: Buffer = Buffer.from(inviteText([]), 'latin1')
export const INVITE_WITH_ROUTE: Buffer = Buffer.from(
  inviteText(['Route: <sip:AbCdEfGhIjKlMnOpQrStUv@127.0.0.1:5060;lr>']),
  'latin1',
)
