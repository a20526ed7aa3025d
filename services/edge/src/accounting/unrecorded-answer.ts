// SPDX-License-Identifier: MIT
//
// An answer that no caller will hear of: it could not be put on record in time, where the setting says closed (the caller's 503 is the
// account's to send; STATE.md, "Answer"), or it came when the caller had his failure. The callee gets ACK and BYE from us. The ACK and the BYE are what the caller would have sent, from our place in the route set.

import {
  encodeBranch,
  findHeader,
  HEADER,
  headerValue,
  METHOD,
  type ProxyBranch,
  type SipMessage,
  ValueCursor,
} from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { EdgePeer } from '../listeners/peers.ts'

export const NOT_ON_RECORD = 'SIP;cause=503;text="Answer not on record"'

/** @param reason value of the BYE's Reason */
export function endUnheardAnswer(core: EdgeCore, branch: ProxyBranch, answer: SipMessage, reason: string): void {
  const peer = branch.peer as EdgePeer
  const lines = dialogLines(core, answer)
  const target = contactOf(answer) ?? branch.uri
  const ack = compose('ACK', target, answer.cseq, peer.facing.via(newBranch(core, answer, 254)), lines, '')
  core.layer.traffic.requestOut(METHOD.ACK)
  peer.send(ack, 0, ack.length)
  const byeBranch = newBranch(core, answer, 255)
  const bye = compose('BYE', target, answer.cseq + 1, peer.facing.via(byeBranch), lines, `Reason: ${reason}\r\n`)
  core.layer.createClient(byeBranch, METHOD.BYE, bye, 0, bye.length, peer, undefined)
}

function newBranch(core: EdgeCore, answer: SipMessage, attempt: number): string {
  return encodeBranch(core.ring, answer, attempt, 0, 0)
}

function compose(method: string, target: string, cseq: number, via: string, lines: string, extra: string): Buffer {
  const head = `${method} ${target} SIP/2.0\r\n${via}Max-Forwards: 70\r\n`
  return Buffer.from(`${head}${lines}CSeq: ${cseq} ${method}\r\n${extra}Content-Length: 0\r\n\r\n`, 'latin1')
}

/** Route set behind us, From, To, Call-ID as the caller has them. */
function dialogLines(core: EdgeCore, answer: SipMessage): string {
  const routes = routesBehindUs(core, answer).map((route) => `Route: ${route}\r\n`)
  const from = answer.text(answer.fromStart, answer.fromEnd)
  const to = answer.text(answer.toStart, answer.toEnd)
  return `${routes.join('')}From: ${from}\r\nTo: ${to}\r\nCall-ID: ${answer.text(answer.callIdStart, answer.callIdEnd)}\r\n`
}

/** The Record-Routes that stand above ours were added behind us; the last added comes last on the way. */
function routesBehindUs(core: EdgeCore, answer: SipMessage): string[] {
  const cursor = new ValueCursor().reset(answer, HEADER.RECORD_ROUTE)
  const behind: string[] = []
  while (cursor.next()) {
    const value = answer.text(cursor.start, cursor.end)
    const user = /sips?:([^@>;]+)@/i.exec(value)
    const at = user === null ? -1 : cursor.start + value.indexOf('@') - (user[1] as string).length
    if (user !== null && core.routeOwner.verifyToken(answer, at, at + (user[1] as string).length) !== undefined) break
    behind.unshift(value)
  }
  return behind
}

function contactOf(answer: SipMessage): string | undefined {
  const index = findHeader(answer, HEADER.CONTACT)
  if (index < 0) return undefined
  const value = headerValue(answer, index)
  return /<([^>]+)>/.exec(value)?.[1] ?? value.split(';')[0]?.trim()
}
