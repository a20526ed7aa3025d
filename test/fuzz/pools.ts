// SPDX-License-Identifier: MIT
//
// What is mutated: the project's torture messages and the usual messages of phones, and, where the folder is there, the byte-exact corpora
// of ../shared/corpora. Two pools, for a seed means something in one pool only.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildRequest, buildResponse } from '@tandem/test-kit'
import { readTortureMessages } from '../conformance/torture-messages.ts'

const CORPORA = join(import.meta.dirname, '../../../shared/corpora')
const SDP =
  'v=0\r\no=a 1 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 8 101\r\n'

const VIA = 'SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK-fz;rport'
const CONTACT = '<sip:alice@192.0.2.20:5060>'
const DIGEST =
  'Digest username="alice", realm="tandem.test", nonce="AAECAwQF", uri="sip:tandem.test", response="6629fae49393a05397450978507c4ef1", ' +
  'algorithm=MD5, qop=auth, nc=00000001, cnonce="0a4f113b"'

function usualRequests(): string[] {
  const uri = 'sip:bob@tandem.test'
  const from = '"Alice" <sip:alice@tandem.test>;tag=a1'
  const to = '<sip:bob@tandem.test>'
  const base = { uri, from, to, via: VIA }
  const sdp = { body: SDP, contact: CONTACT }
  const routed = [
    'Route: <sip:AQAAo2luG6J-rTM@192.0.2.1:5060;lr>, <sip:198.51.100.9;lr>',
    'Supported: replaces, 100rel',
  ]
  return [
    buildRequest({
      ...base,
      ...sdp,
      method: 'INVITE',
      headers: ['Content-Type: application/sdp', 'Allow: INVITE, ACK'],
    }),
    buildRequest({ ...base, ...sdp, method: 'INVITE', headers: routed, to: `${to};tag=b1`, cseq: 2 }),
    buildRequest({
      ...base,
      method: 'INVITE',
      via: [VIA, 'SIP/2.0/TCP [2001:db8::7];branch=z9hG4bK7;received=2001:db8::8'],
    }),
    buildRequest({ ...base, method: 'ACK', to: `${to};tag=b1` }),
    buildRequest({ ...base, method: 'CANCEL' }),
    buildRequest({ ...base, method: 'BYE', to: `${to};tag=b1`, cseq: 3, headers: routed }),
    buildRequest({ ...base, method: 'OPTIONS', headers: ['Accept: application/sdp', 'Proxy-Require: foo'] }),
    buildRequest({ ...base, method: 'MESSAGE', body: 'hello', headers: ['Content-Type: text/plain'] }),
    buildRequest({ ...base, method: 'SUBSCRIBE', contact: CONTACT, headers: ['Event: dialog', 'Expires: 600'] }),
    buildRequest({
      ...base,
      method: 'REFER',
      contact: CONTACT,
      headers: ['Refer-To: <sip:carol@tandem.test?Replaces=1>'],
    }),
    buildRequest({ ...base, uri: 'tel:+3225550100;phone-context=tandem.test', method: 'INVITE' }),
    ...usualRegisters(),
  ]
}

function usualRegisters(): string[] {
  const own = {
    uri: 'sip:tandem.test',
    from: '<sip:alice@tandem.test>;tag=r1',
    to: '<sip:alice@tandem.test>',
    via: VIA,
  }
  const instance = `${CONTACT};+sip.instance="<urn:uuid:00000000-0000-1000-8000-0000deadbeef>";reg-id=1;expires=600;q=0.7`
  return [
    buildRequest({
      ...own,
      method: 'REGISTER',
      contact: instance,
      headers: [`Authorization: ${DIGEST}`, 'Path: <sip:p;lr>'],
    }),
    buildRequest({ ...own, method: 'REGISTER', contact: '*', headers: ['Expires: 0'] }),
    buildRequest({ ...own, method: 'REGISTER', contact: `${CONTACT}, "A, B" <sip:alice@192.0.2.21;ob>;expires=5` }),
  ]
}

export interface Pool {
  readonly name: string
  readonly messages: readonly Buffer[]
}

/** What phones send every day, and answers to it. */
export function usualMessages(): Buffer[] {
  const requests = usualRequests()
  const responses = requests.flatMap((request, k) => [buildResponse(request, 100 + ((k * 37) % 599), { toTag: 'b1' })])
  return [...requests, ...responses].map((text) => Buffer.from(text, 'latin1'))
}

export function ownPool(): Pool {
  return { name: 'own', messages: [...readTortureMessages().map(({ bytes }) => bytes), ...usualMessages()] }
}

/** Undefined where the folder is not there. */
export function corporaPool(): Pool | undefined {
  if (!existsSync(CORPORA)) return undefined
  const folders = ['rfc4475', 'rfc5118', 'realworld', 'malformed/param-gaps'].map((folder) => join(CORPORA, folder))
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .sort()
      .map((file) => join(folder, file)),
  )
  const messages = files.filter((file) => /\.(dat|sip)$/.test(file)).map((file) => readFileSync(file))
  return { name: 'corpora', messages }
}
