// SPDX-License-Identifier: MIT
//
// What a branch, its hashes and a Record-Route token cost, next to node:crypto over the same number of bytes: CPU per call.
// Run: node --conditions=@tandem/source packages/sip/bench/proofs.ts [rounds]
import { Buffer } from 'node:buffer'
import { createHmac, hash } from 'node:crypto'
import {
  createKeyRing,
  encodeBranch,
  encodeToken,
  hashLoop,
  hashTarget,
  SipMessage,
  scan,
  type TokenSide,
  verifyToken,
} from '@tandem/sip'

const ROUNDS = Number(process.argv[2] ?? 200_000)
const RING = createKeyRing([{ id: 1, secret: 'a-secret-of-the-bench' }])
const CALL_ID = '1-12345@127.0.0.1'
const TAG = '12345SIPpTag001'

const text = [
  'INVITE sip:bob@example.test SIP/2.0',
  'Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-12345-1-0',
  `From: <sip:alice@example.test>;tag=${TAG}`,
  'To: <sip:bob@example.test>',
  `Call-ID: ${CALL_ID}`,
  'CSeq: 1 INVITE',
  'Max-Forwards: 70',
  'Content-Length: 0\r\n\r\n',
].join('\r\n')
const request = new SipMessage()
const bytes = Buffer.from(text, 'latin1')
if (scan(request, bytes, 0, bytes.length) !== 0) throw new Error('bench message does not scan')

const side: TokenSide = { kind: 'binding', aorHash: 1, instanceHash: 2, regId: 0 }
const fields = { callRef: 'abcdefghijklmnopqrstuv', caller: side, callee: side }
const token = encodeToken(fields, RING, CALL_ID, TAG)
const sample = Buffer.alloc(150, 7)

const measure = (name: string, run: () => unknown): void => {
  for (let i = 0; i < ROUNDS / 5; i++) run()
  const from = process.cpuUsage()
  for (let i = 0; i < ROUNDS; i++) run()
  const used = process.cpuUsage(from)
  console.log(`${name.padEnd(44)} ${(((used.user + used.system) * 1000) / ROUNDS).toFixed(0).padStart(6)} ns`)
}

measure('encodeBranch', () => encodeBranch(RING, request, 1, 2, 3))
measure('hashTarget', () => hashTarget(RING.signing, 'sip:bob@192.168.1.100:5060', 'udp:192.168.1.100:5060'))
measure('hashLoop', () => hashLoop(RING.signing, request, 'alice@example.test'))
measure('encodeToken', () => encodeToken(fields, RING, CALL_ID, TAG))
measure('verifyToken, from the initiator', () => verifyToken(token, RING, CALL_ID, TAG, 'other'))
measure('verifyToken, from the other side', () => verifyToken(token, RING, CALL_ID, 'other', TAG))
measure('for comparison: HMAC-SHA-256 of 150 bytes', () => createHmac('sha256', 'secret').update(sample).digest())
measure('for comparison: SHA-256 of 150 bytes', () => hash('sha256', sample, 'hex'))
