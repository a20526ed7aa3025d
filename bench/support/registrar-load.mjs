// SPDX-License-Identifier: MIT
//
// Many phones behind some UDP sockets that register with digest, refresh, and are looked up: requests at a rate, or so many in flight
// at all times. Every phone has one request on its way at most. Nothing is repeated: what gets no answer in time has failed.
// Refreshes are as phones make them: same Call-ID, next CSeq, same nonce with its next count, one MD5.
// It is meant to cost little: a text is put together from parts that are made once for each phone.
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

const HOST = '127.0.0.1'
const ANSWER_MS = 3_000
const PACE_MS = 4
const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, MESSAGE, UPDATE'
const FIRST_IN_FLIGHT = 50

const md5 = (text) => createHash('md5').update(text).digest('hex')
const HA2 = md5(`REGISTER:sip:${HOST}`)

/** User name of the nth phone; its password is `<name>-secret`. */
export const userName = (n) => `user${n}`

export class RegistrarLoad {
  ok = 0
  failed = 0
  firstFailure = ''
  #sockets = []
  #phones = []
  #port
  #branch = 0
  /** Where the phones' turn is, and how many requests are left to begin; -1: at a rate. */
  #next = 0
  #left = 0
  #begun = () => {}

  /** @param {{ port: number, users: number, sockets?: number }} options `port` of the registrar on 127.0.0.1 */
  static async open({ port, users, sockets = 20 }) {
    const load = new RegistrarLoad()
    load.#port = port
    for (let k = 0; k < Math.min(sockets, users); k++) load.#sockets.push(await load.#openSocket())
    for (let n = 0; n < users; n++) load.#phones.push(load.#phone(n))
    return load
  }

  close() {
    for (const socket of this.#sockets) socket.close()
  }

  /** Every phone once: without credentials first, then as it is asked. */
  async registerAll() {
    const before = this.ok
    await this.run({ what: 'register', count: this.#phones.length, inFlight: FIRST_IN_FLIGHT })
    if (this.ok - before !== this.#phones.length) throw new Error(`not all could register:\n${this.firstFailure}`)
  }

  /**
   * @param {{ what: 'register' | 'refresh' | 'lookup', count: number, inFlight?: number, rate?: number }} plan one of the last two
   * @returns {Promise<{ seconds: number }>}
   */
  async run({ what, count, inFlight = 0, rate = 0 }) {
    const began = performance.now()
    this.#left = 0
    this.#begun = () => this.#begin(what)
    if (rate > 0) await this.#paced(count, rate, began)
    else {
      this.#left = count
      for (let k = 0; k < Math.min(inFlight, count); k++) this.#begun()
    }
    while (this.#left > 0 || this.#phones.some((phone) => phone.began > 0)) {
      await sleep(5)
      this.#dropLate()
    }
    return { seconds: (performance.now() - began) / 1_000 }
  }

  async #paced(count, rate, began) {
    for (let made = 0; made < count; ) {
      const due = Math.min(count, Math.ceil(((performance.now() - began) * rate) / 1_000))
      this.#left = due - made
      while (made < due) {
        made++
        this.#begun()
      }
      await sleep(PACE_MS)
    }
    this.#left = 0
  }

  async #openSocket() {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 })
    socket.bind(0, HOST)
    await once(socket, 'listening')
    socket.on('message', (bytes) => this.#receive(bytes.latin1Slice()))
    return socket
  }

  #phone(n) {
    const socket = this.#sockets[n % this.#sockets.length]
    const user = userName(n)
    const via = `Via: SIP/2.0/UDP ${HOST}:${socket.address().port};rport;branch=z9hG4bK`
    const own = `<sip:${user}@${HOST}>`
    return {
      socket,
      ha1: md5(`${user}:${HOST}:${user}-secret`),
      nonce: '',
      nc: 0,
      cseq: 0,
      began: 0,
      what: 'register',
      registerHead: `REGISTER sip:${HOST} SIP/2.0\r\n${via}`,
      registerRest:
        `\r\nMax-Forwards: 70\r\nFrom: ${own};tag=t${n}\r\nTo: ${own}\r\nCall-ID: phone-${n}-x\r\n` +
        `Contact: <sip:${user}@${HOST}:${socket.address().port}>;expires=3600\r\n` +
        `User-Agent: bench phone 1.0\r\nAllow: ${ALLOW}\r\nContent-Length: 0\r\n`,
      lookupHead: `MESSAGE sip:${user}@${HOST} SIP/2.0\r\n${via}`,
      lookupRest:
        `\r\nMax-Forwards: 70\r\nFrom: <sip:somebody@elsewhere.test>;tag=t${n}\r\nTo: ${own}\r\nCall-ID: phone-${n}-x\r\n` +
        'Content-Type: text/plain\r\nContent-Length: 5\r\n',
      credentials: `Authorization: Digest username="${user}", realm="${HOST}", uri="sip:${HOST}", algorithm=MD5, qop=auth, cnonce="0a4f113b"`,
    }
  }

  /** The next phone that is free; those whose request is on its way are few. */
  #begin(what) {
    const phones = this.#phones
    let phone = phones[this.#next]
    do {
      this.#next = (this.#next + 1) % phones.length
      phone = phones[this.#next]
    } while (phone.began > 0)
    this.#left--
    phone.began = performance.now()
    phone.what = what
    this.#send(phone)
  }

  #send(phone) {
    const branch = `${process.pid.toString(36)}x${(this.#branch++).toString(36)}`
    const text =
      phone.what === 'lookup'
        ? `${phone.lookupHead}${branch}${phone.lookupRest}CSeq: ${++phone.cseq} MESSAGE\r\n\r\nhello`
        : `${phone.registerHead}${branch}${phone.registerRest}CSeq: ${++phone.cseq} REGISTER\r\n${this.#answerOf(phone)}\r\n`
    phone.socket.send(Buffer.from(text, 'latin1'), this.#port, HOST)
  }

  #answerOf(phone) {
    if (phone.nonce === '') return ''
    const nc = (++phone.nc).toString(16).padStart(8, '0')
    const response = md5(`${phone.ha1}:${phone.nonce}:${nc}:0a4f113b:auth:${HA2}`)
    return `${phone.credentials}, nonce="${phone.nonce}", nc=${nc}, response="${response}"\r\n`
  }

  #receive(text) {
    const at = text.indexOf('\r\nCall-ID: phone-') + 17
    const phone = this.#phones[Number(text.slice(at, text.indexOf('-', at)))]
    if (phone === undefined || phone.began === 0 || text.startsWith('SIP/2.0 1')) return
    const isFirst = phone.what === 'register' && text.startsWith('SIP/2.0 401') && phone.nc === 0
    if (isFirst) {
      phone.nonce = /nonce="([^"]+)"/.exec(text)?.[1] ?? ''
      this.#send(phone)
    } else this.#end(phone, text.startsWith(phone.what === 'lookup' ? 'SIP/2.0 302' : 'SIP/2.0 200') ? '' : text)
  }

  #end(phone, failure) {
    phone.began = 0
    if (failure === '') this.ok++
    else {
      this.failed++
      this.firstFailure ||= failure
    }
    if (this.#left > 0) this.#begun()
  }

  #dropLate() {
    const now = performance.now()
    for (const phone of this.#phones)
      if (phone.began > 0 && now - phone.began > ANSWER_MS) this.#end(phone, `no answer to a ${phone.what}`)
  }
}
