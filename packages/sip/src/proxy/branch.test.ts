// SPDX-License-Identifier: MIT
// Branches: deterministic, proven by the response itself, no proof for anybody else's; loops told from spirals.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseVia, ViaView } from '../header/index.ts'
import { findHeader, HEADER, headerValueEnd, headerValueStart, type SipMessage } from '../message/index.ts'
import { type MessageParts, message, request, requestText, responseText } from '../transaction/testing.ts'
import { decodeBranch, encodeBranch, hashLoop, hashTarget, isLoop, verifyBranch } from './branch.ts'
import { createKeyRing } from './key-ring.ts'

const OLD = { id: 1, secret: 'old-secret-of-16-bytes' }
const NEW = { id: 2, secret: 'new-secret-of-16-bytes' }
const RING = createKeyRing([OLD])

const branchOf = (parts: MessageParts, attempt = 3, targetHash = 0xdeadbeef, loopHash = 7): string =>
  encodeBranch(RING, request(parts), attempt, targetHash, loopHash)

/** A response as it comes to us: our Via on top of what the request had. */
const responseWith = (branch: string, parts: MessageParts): SipMessage =>
  message(responseText(200, parts).replace('Via: ', `Via: SIP/2.0/UDP edge.example.test;branch=${branch}\r\nVia: `))

const secondVia = (msg: SipMessage): ViaView => {
  const view = new ViaView()
  const index = findHeader(msg, HEADER.VIA, msg.viaIndex + 1)
  parseVia(msg.buf, headerValueStart(msg, index), headerValueEnd(msg, index), view)
  return view
}

const verify = (ring: typeof RING, branch: string, parts: MessageParts) => {
  const msg = responseWith(branch, parts)
  return verifyBranch(ring, msg, secondVia(msg))
}

describe('branch', () => {
  test('31 characters, the magic cookie first [RFC3261-8.1.1.7] [RFC3261-16.6.8c] [RFC5393-4.2.1c]', () => {
    expect(branchOf({})).toMatch(/^z9hG4bK[A-Za-pr-z0-9._-]{24}$/)
  })

  test('the same from any edge for the same attempt, and for CANCEL and ACK [RFC5393-4.2.1fg] [RFC3261-16.6.8fg]', () => {
    expect(branchOf({})).toBe(branchOf({}))
    expect(branchOf({ method: 'CANCEL' })).toBe(branchOf({}))
    expect(branchOf({ method: 'ACK', toTag: 'x' })).toBe(branchOf({}))
  })

  const others: [string, string][] = [
    ['attempt', branchOf({}, 4)],
    ['target', branchOf({}, 3, 1)],
    ['loop hash', branchOf({}, 3, 0xdeadbeef, 8)],
    ['upstream branch', branchOf({ branch: 'z9hG4bKother' })],
    ['upstream sent-by', branchOf({ sentBy: 'other.example.test' })],
    ['upstream port', branchOf({ sentBy: 'pc33.example.test:5061' })],
    ['Call-ID', branchOf({ callId: 'other' })],
    ['From tag', branchOf({ fromTag: 'other' })],
    ['CSeq number', branchOf({ cseq: 2 })],
    ['key', encodeBranch(createKeyRing([NEW]), request(), 3, 0xdeadbeef, 7)],
  ]
  test.each(others)('another %s gives another branch [RFC3261-16.6.8ce] [RFC3261-16.6.7h]', (_name, other) => {
    expect(other).not.toBe(branchOf({}))
  })

  test.each([{}, { branch: '' }, { sentBy: '[2001:db8::1]:5060' }, { sentBy: 'PC33.Example.TEST' }])(
    'the response to the request proves its branch: %o',
    (parts) => {
      const fields = verify(RING, branchOf(parts), parts)
      expect(fields).toEqual({ keyId: 1, attempt: 3, targetHash: 0xdeadbeef, loopHash: 7 })
    },
  )

  const forgeries: [string, MessageParts][] = [
    ['upstream branch', { branch: 'z9hG4bKother' }],
    ['upstream sent-by', { sentBy: 'evil.example.test' }],
    ['Call-ID', { callId: 'other' }],
    ['From tag', { fromTag: 'other' }],
    ['CSeq number', { cseq: 2 }],
  ]
  test.each(forgeries)('a response with another %s proves nothing', (_name, parts) => {
    expect(verify(RING, branchOf({}), parts)).toBeUndefined()
  })

  test('every changed character breaks the proof or the form', () => {
    const branch = branchOf({})
    for (let i = 0; i < branch.length; i++) {
      const changed = `${branch.slice(0, i)}${branch[i] === 'A' ? 'B' : 'A'}${branch.slice(i + 1)}`
      expect(verify(RING, changed, {}), changed).toBeUndefined()
    }
  })

  test('several keys verify, the first signs', () => {
    const branch = branchOf({})
    expect(verify(createKeyRing([NEW, OLD]), branch, {})?.keyId).toBe(1)
    expect(verify(createKeyRing([NEW]), branch, {})).toBeUndefined()
    expect(verify(createKeyRing([{ ...NEW, id: 1 }]), branch, {})).toBeUndefined()
  })

  test('arbitrary text is no branch of ours', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const buf = Buffer.from(`z9hG4bK${text}`, 'latin1')
        const fields = decodeBranch(buf, 0, buf.length)
        expect(fields === undefined || buf.length === 31).toBe(true)
      }),
    )
    expect(decodeBranch(Buffer.alloc(0), -1, -1)).toBeUndefined()
  })
})

describe('target hash', () => {
  test('depends on the URI and on the next hop, and not on where one ends and the other begins', () => {
    const hashes = [
      hashTarget(RING.signing, 'sip:a@b', 'udp:1.2.3.4:5060'),
      hashTarget(RING.signing, 'sip:a@c', 'udp:1.2.3.4:5060'),
      hashTarget(RING.signing, 'sip:a@b', 'tcp:1.2.3.4:5060'),
      hashTarget(RING.signing, 'sip:a@bu', 'dp:1.2.3.4:5060'),
    ]
    expect(new Set(hashes).size).toBe(4)
    expect(hashes.every((hash) => Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32)).toBe(true)
  })
})

describe('loops and spirals [RFC5393-4.2.2cd] [RFC5393-4.2.1b] [RFC3261-16.6.8b]', () => {
  const withRoute = (text: string, route: string): SipMessage =>
    message(text.replace('Max-Forwards', `Route: ${route}\r\nMax-Forwards`))
  const ownVia = encodeBranch(RING, request(), 0, 1, hashLoop(RING.signing, request(), 'plan'))
  /** The request when it is back: our branch is somewhere in its bytes. */
  const back = (parts: MessageParts, planInputs: string): boolean => {
    const msg = request({ ...parts, branch: ownVia })
    return isLoop(RING, msg, msg.viaBranchStart, msg.viaBranchEnd, planInputs)
  }

  test('unchanged: a loop [RFC5393-4.2.2d]', () => expect(back({}, 'plan')).toBe(true))
  test('another Request-URI: a spiral [RFC5393-4.2.1e] [RFC3261-16.6.8de]', () =>
    expect(back({ uri: 'sip:carol@example.test' }, 'plan')).toBe(false))
  test('other plan inputs: a spiral [RFC5393-4.2.1d] [RFC3261-16.6.8de]', () =>
    expect(back({}, 'other plan')).toBe(false))
  test('another method: still a loop [RFC5393-4.2.1f]', () => expect(back({ method: 'ACK' }, 'plan')).toBe(true))
  test('somebody else’s branch is no loop', () => {
    const msg = request()
    expect(isLoop(RING, msg, msg.viaBranchStart, msg.viaBranchEnd, 'plan')).toBe(false)
  })

  test('two transactions to one place differ in it, so that a collision is not for ever [RFC5393-4.2.4]', () => {
    const hashes = [{}, { callId: 'other' }, { cseq: 2 }].map((parts) => hashLoop(RING.signing, request(parts), ''))
    expect(new Set(hashes).size).toBe(3)
  })

  test('each Route value counts, in its order [RFC5393-4.2.1e] [RFC3261-16.6.8d]', () => {
    const hashes = ['<sip:a;lr>', '<sip:a;lr>, <sip:b;lr>', '<sip:b;lr>, <sip:a;lr>'].map((route) =>
      hashLoop(RING.signing, withRoute(requestText(), route), ''),
    )
    expect(new Set([hashLoop(RING.signing, request(), ''), ...hashes]).size).toBe(4)
  })
})

describe('key ring', () => {
  test.each([
    ['no key', [], /at least one/],
    ['an id above 255', [{ ...OLD, id: 256 }], /0 to 255/],
    ['the same id twice', [OLD, { ...NEW, id: 1 }], /once/],
    ['a short secret', [{ id: 1, secret: 'short' }], /16 bytes/],
  ])('%s is refused with a sentence', (_name, secrets, sentence) => {
    expect(() => createKeyRing(secrets)).toThrow(sentence)
  })

  test('text and bytes of one secret are the same key', () => {
    expect(createKeyRing([OLD])).toEqual(createKeyRing([{ id: 1, secret: Buffer.from(OLD.secret) }]))
  })
})
