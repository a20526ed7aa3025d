// SPDX-License-Identifier: MIT
//
// Calls at a steady rate: INVITE, 100, 180, 200, ACK, 100 ms of talk, BYE, 200, from phones to registered phones, each caller to each
// callee in turn. Nothing is repeated, so over UDP what is lost has failed.
import { setTimeout as sleep } from 'node:timers/promises'
import { header, lines, message, response, token } from './phones.mjs'

const HOST = '127.0.0.1'
const TALK_MS = 100
const CALL_MS = 8_000
const PACE_MS = 4

const SDP = (user) =>
  [
    'v=0',
    `o=${user} 53655765 2353687637 IN IP4 ${HOST}`,
    's=-',
    `c=IN IP4 ${HOST}`,
    't=0 0',
    'm=audio 6000 RTP/AVP 0 8 101',
    'a=rtpmap:0 PCMU/8000',
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-15',
    '',
  ].join('\r\n')

export class CallLoad {
  ok = 0
  failed = 0
  /** What failed first, for a sentence. */
  firstFailure = ''
  /** Milliseconds from INVITE to its 200, and from BYE to its 200, of the calls that succeeded. */
  answerMs = []
  endMs = []
  #callers
  #callees
  /** By Call-ID. */
  #calls = new Map()

  constructor(callers, callees) {
    this.#callers = callers
    this.#callees = callees
    for (const phone of callees) phone.onMessage = serve
    for (const phone of callers) phone.onMessage = (text) => this.#onMessage(text)
  }

  /** Resolves when all calls have ended in one way or the other. */
  async run(calls, rate) {
    const began = performance.now()
    for (let made = 0; made < calls; ) {
      const due = Math.min(calls, Math.ceil(((performance.now() - began) * rate) / 1_000))
      while (made < due) this.#begin(made++)
      await sleep(PACE_MS)
      this.#dropLate()
    }
    while (this.#calls.size > 0) {
      await sleep(20)
      this.#dropLate()
    }
    return { seconds: (performance.now() - began) / 1_000 }
  }

  #begin(k) {
    const phone = this.#callers[k % this.#callers.length]
    const callee = this.#callees[Math.floor(k / this.#callers.length) % this.#callees.length]
    const callId = token()
    const from = `From: "${phone.user}" <sip:${phone.user}@${HOST}>;tag=${token()}`
    const uri = `sip:${callee.user}@${HOST}`
    const call = { phone, callId, from, state: 'calling', began: performance.now(), answerMs: 0, byeAt: 0, bye: '' }
    this.#calls.set(callId, call)
    const headers = [phone.via, 'Max-Forwards: 70', from, `To: <${uri}>`, `Call-ID: ${callId}`, 'CSeq: 1 INVITE']
    const more = ['User-Agent: bench', 'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS', 'Supported: replaces, timer']
    const all = [...headers, phone.contact, ...more, 'Content-Type: application/sdp']
    phone.send(message(`INVITE ${uri} SIP/2.0`, all, SDP(phone.user)))
  }

  #onMessage(text) {
    const call = this.#calls.get(header(text, 'Call-ID'))
    if (call === undefined || text.startsWith('SIP/2.0 1')) return
    if (!text.startsWith('SIP/2.0 200')) return this.#fail(call, text)
    if (call.state === 'calling') this.#answered(call, text)
    else if (call.state === 'ending') this.#ended(call)
  }

  #answered(call, text) {
    call.state = 'talking'
    call.answerMs = performance.now() - call.began
    const contact = header(text, 'Contact')
    const target = contact.slice(contact.indexOf('<') + 1, contact.indexOf('>'))
    const routes = lines(text, ['Record-Route']).map((line) => `Route: ${line.slice(14)}`)
    const { phone, callId, from } = call
    const dialog = [...routes.reverse(), from, `To: ${header(text, 'To')}`, `Call-ID: ${callId}`, 'Max-Forwards: 70']
    const request = (method, cseq) =>
      message(`${method} ${target} SIP/2.0`, [phone.via, ...dialog, `CSeq: ${cseq} ${method}`])
    phone.send(request('ACK', 1))
    setTimeout(() => {
      call.state = 'ending'
      call.byeAt = performance.now()
      phone.send(request('BYE', 2))
    }, TALK_MS)
  }

  #ended(call) {
    this.#calls.delete(call.callId)
    this.ok++
    this.answerMs.push(call.answerMs)
    this.endMs.push(performance.now() - call.byeAt)
  }

  #fail(call, why) {
    this.#calls.delete(call.callId)
    this.failed++
    this.firstFailure ||= why
  }

  /** Calls are in the order of their beginning. */
  #dropLate() {
    const now = performance.now()
    for (const call of this.#calls.values()) {
      if (now - call.began < CALL_MS) break
      this.#fail(call, `nothing more came while ${call.state}`)
    }
  }
}

/** A callee: rings, answers, hangs up when told. */
function serve(text, phone) {
  if (text.startsWith('INVITE ')) {
    const tag = token()
    const headers = [phone.contact]
    phone.send(response(text, '180 Ringing', { tag, headers }))
    const body = SDP(phone.user)
    phone.send(response(text, '200 OK', { tag, headers: [...headers, 'Content-Type: application/sdp'], body }))
  } else if (text.startsWith('BYE ')) {
    phone.send(response(text, '200 OK', { headers: [phone.contact] }))
  }
}
