// SPDX-License-Identifier: MIT
// Responses, ACK and CANCEL that are written from another message's bytes.
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { SIP_BUG } from '../errors.ts'
import { encodeAck, encodeCancel, encodeResponse, type ResponseOptions } from './build.ts'
import { SipMessage } from './message.ts'
import { scan } from './scan.ts'

function scanned(text: string): SipMessage {
  const buf = Buffer.from(text, 'latin1')
  const msg = new SipMessage()
  expect(scan(msg, buf, 0, buf.length)).toBe(0)
  return msg
}

function invite(via: string, more = '', to = '<sip:bob@b.test>'): SipMessage {
  return scanned(
    `INVITE sip:bob@b.test SIP/2.0\r\n${via}\r\nv: SIP/2.0/TCP second\r\nMax-Forwards: 9\r\nf: "A" <sip:a@b>\r\n ;tag=f\r\nTo: ${to}\r\n` +
      `Timestamp: 54\r\nCall-ID: c@h\r\nCSeq: 7 INVITE\r\n${more}Content-Length: 0\r\n\r\n`,
  )
}

const out = Buffer.alloc(4000)
function response(request: SipMessage, status: number, reason: string, options: ResponseOptions): string {
  return out.latin1Slice(5, encodeResponse(request, status, reason, options, out, 5))
}

describe('encodeResponse [RFC3261-8.2.6]', () => {
  it('copies all Vias, From, To, Call-ID and CSeq as they came, adds tag, headers and body', () => {
    const request = invite('Via: SIP/2.0/UDP h;branch=z9hG4bK1')
    const text = response(request, 404, '', { toTag: 'tt', headers: 'Server: x\r\n', body: Buffer.from('hello') })
    expect(text).toBe(
      'SIP/2.0 404 Not Found\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nv: SIP/2.0/TCP second\r\nf: "A" <sip:a@b>\r\n ;tag=f\r\n' +
        'To: <sip:bob@b.test>;tag=tt\r\nCall-ID: c@h\r\nCSeq: 7 INVITE\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello',
    )
  })

  it('copies Timestamp into a 100 only [RFC3261-8.2.6.1]', () => {
    const request = invite('Via: SIP/2.0/UDP h')
    expect(response(request, 100, 'Trying', {})).toContain('Timestamp: 54\r\n')
    expect(response(request, 180, 'Ringing', {})).not.toContain('Timestamp')
  })

  it('leaves a tag that is there alone [RFC3261-8.2.6.2]', () => {
    expect(response(invite('Via: SIP/2.0/UDP h', '', '<sip:b@b>;tag=old'), 200, 'OK', { toTag: 'new' })).toContain(
      'To: <sip:b@b>;tag=old\r\n',
    )
  })

  const rows: { name: string; via: string; options: ResponseOptions; expected: string }[] = [
    {
      name: 'rport filled, received added [RFC3581-4]',
      via: 'SIP/2.0/UDP h;rport;branch=z9hG4bK1',
      options: { received: '1.2.3.4', rport: 99 },
      expected: 'SIP/2.0/UDP h;rport=99;branch=z9hG4bK1;received=1.2.3.4',
    },
    {
      name: 'no rport asked for',
      via: 'SIP/2.0/UDP h',
      options: { received: '1.2.3.4', rport: 99 },
      expected: 'SIP/2.0/UDP h;received=1.2.3.4',
    },
    {
      name: 'values of the sender replaced',
      via: 'SIP/2.0/UDP h;received=6.6.6.6;rport=1',
      options: { received: '1.2.3.4', rport: 99 },
      expected: 'SIP/2.0/UDP h;received=1.2.3.4;rport=99',
    },
    {
      name: 'the first of a list only',
      via: 'SIP/2.0/UDP h;rport , SIP/2.0/UDP z;rport',
      options: { received: '1.2.3.4', rport: 99 },
      expected: 'SIP/2.0/UDP h;rport=99;received=1.2.3.4 , SIP/2.0/UDP z;rport',
    },
    { name: 'nothing asked', via: 'SIP/2.0/UDP h;rport', options: {}, expected: 'SIP/2.0/UDP h;rport' },
  ]
  it.each(rows)('Via: $name', ({ via, options, expected }) => {
    expect(response(invite(`Via: ${via}`), 200, 'OK', options)).toContain(`\r\nVia: ${expected}\r\n`)
  })

  it('answers a refused request with what it has [RFC4475-3.3.1]', () => {
    const buf = Buffer.from('INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\nVia: SIP/2.0/UDP h\r\n\r\n', 'latin1')
    const msg = new SipMessage()
    scan(msg, buf, 0, buf.length)
    expect(msg.answerable).toBe(true)
    expect(response(msg, 400, 'No', { toTag: 'x' })).toBe(
      'SIP/2.0 400 No\r\nCSeq: 1 INVITE\r\nVia: SIP/2.0/UDP h\r\nContent-Length: 0\r\n\r\n',
    )
  })

  it('takes the first of repeated headers [RFC4475-3.3.8]', () => {
    const buf = Buffer.from(
      'OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 OPTIONS\r\nTo: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\n',
      'latin1',
    )
    const msg = new SipMessage()
    scan(msg, buf, 0, buf.length)
    expect(response(msg, 400, '', {}).match(/To:/g)).toHaveLength(1)
  })

  it('says when the output is too small', () => {
    const request = invite('Via: SIP/2.0/UDP h')
    expect(() => encodeResponse(request, 200, 'OK', {}, Buffer.alloc(300), 0)).toThrowError(
      expect.objectContaining({ code: SIP_BUG.OUTPUT_FULL }),
    )
  })
})

describe('requests of the transaction itself', () => {
  const sent = invite(
    'Via: SIP/2.0/UDP me;branch=z9hG4bK9, SIP/2.0/UDP x',
    'Route: <sip:p1;lr>\r\nSubject: s\r\nRoute: <sip:p2;lr>\r\n',
  )

  it('ACK of a failure [RFC3261-17.1.1.3abcdefgh]', () => {
    const failure = scanned(
      'SIP/2.0 486 Busy\r\nVia: SIP/2.0/UDP me;branch=z9hG4bK9\r\nFrom: "A" <sip:a@b>;tag=f\r\nt: <sip:bob@b.test>;tag=far\r\nCall-ID: c@h\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n',
    )
    expect(out.latin1Slice(0, encodeAck(sent, failure, out, 0))).toBe(
      'ACK sip:bob@b.test SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bK9\r\nMax-Forwards: 70\r\nRoute: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n' +
        'f: "A" <sip:a@b>\r\n ;tag=f\r\nTo: <sip:bob@b.test>;tag=far\r\nCall-ID: c@h\r\nCSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n',
    )
  })

  it('CANCEL [RFC3261-9.1bcde], with a Reason [RFC3326-2]', () => {
    const end = encodeCancel(sent, out, 0, 'Reason: SIP;cause=200\r\n')
    expect(out.latin1Slice(0, end)).toBe(
      'CANCEL sip:bob@b.test SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bK9\r\nMax-Forwards: 70\r\nRoute: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n' +
        'f: "A" <sip:a@b>\r\n ;tag=f\r\nTo: <sip:bob@b.test>\r\nCall-ID: c@h\r\nCSeq: 7 CANCEL\r\nReason: SIP;cause=200\r\nContent-Length: 0\r\n\r\n',
    )
    expect(scanned(out.latin1Slice(0, end)).method).toBe(4)
  })
})
