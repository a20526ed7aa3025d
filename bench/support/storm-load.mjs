// SPDX-License-Identifier: MIT
//
// A storm of REGISTERs with digest: many addresses-of-record behind a few UDP sockets of the project's own addon, so that one core can offer
// several times what the other one does. Each phone has one request on its way at most. What is counted: answers by status, the seconds
// of Retry-After, how long a 200 took from the first byte of its request (the challenge, where there was one, is part of it).
//
// offer(): at a rate, whatever comes back; nothing is repeated, a 503 is the end of it. keep(): so many in flight at all times.
// obey(): every phone until it is registered, as RFC 3261 has it: repeats over UDP after T1, comes back when Retry-After says.
import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createUdpListener } from '@tandem/transport'

const HOST = '127.0.0.1'
const SOCKETS = 4
const PACE_MS = 2
/** After so long without an answer a phone is free for another request. */
const LOST_MS = 800
const T1_MS = 500
const T2_MS = 4_000
const CNONCE = '0a4f113b'

const md5 = (text) => hash('md5', text)
const HA2 = md5(`REGISTER:sip:${HOST}`)

export const userName = (n) => `user${n}`

const IDLE = 0
const ASKED = 1

export class StormLoad {
  #port
  #sockets = []
  #out = Buffer.allocUnsafe(2_048)
  #phones
  #turn = 0
  #branch = 0
  /** Phones that wait for an answer, oldest first, as they were sent. */
  #waiting = []
  /** What to do when a phone is done; set by what runs. */
  #onEnd = () => {}
  counts = newCounts()

  static async open({ port, users }) {
    const load = new StormLoad()
    load.#port = port
    const sink = { onDatagram: (buf, start, end) => load.#receive(buf, start, end) }
    const place = { address: HOST, port: 0, setting: 'bench', recvBufferBytes: 16 << 20, sendBufferBytes: 4 << 20 }
    for (let k = 0; k < SOCKETS; k++) load.#sockets.push(await createUdpListener({ ...place, sink, gatherMs: 2 }))
    load.#phones = Array.from({ length: users }, (_, n) => load.#phone(n))
    return load
  }

  async close() {
    this.#isClosed = true
    for (const socket of this.#sockets) await socket.close()
  }

  /** What was counted since the last call. */
  take() {
    const { counts } = this
    this.counts = newCounts()
    return counts
  }

  /** @returns the summary of `seconds` with `inFlight` at all times; without `seconds` until every phone was done once */
  async keep({ inFlight, seconds, asFirst = false }) {
    let left = seconds === undefined ? this.#phones.length : Number.POSITIVE_INFINITY
    this.#onEnd = () => {
      if (left-- > 0) this.#begin(asFirst)
    }
    this.take()
    const began = performance.now()
    for (let k = 0; k < inFlight; k++) this.#onEnd()
    while (seconds === undefined ? this.#inFlight > 0 : performance.now() - began < seconds * 1_000) {
      await sleep(20)
      this.#dropLost()
    }
    left = 0
    const took = (performance.now() - began) / 1_000
    const counts = this.take()
    await this.#quiet()
    return summary(counts, took)
  }

  /** @param {{ rate: number, seconds: number, asFirst?: boolean, onSecond?: (counts: object) => void }} plan */
  async offer({ rate, seconds, asFirst = false, onSecond }) {
    this.#onEnd = () => {}
    this.take()
    const began = performance.now()
    const whole = newCounts()
    let made = 0
    for (let now = began, second = 1; now - began < seconds * 1_000; now = performance.now()) {
      const due = Math.floor(((now - began) * rate) / 1_000)
      // What this core could not send in time is not sent: the summary says what was offered.
      for (let k = Math.min(due - made, 400); k > 0; k--) this.#begin(asFirst)
      made = due
      if (now - began >= second * 1_000) {
        second += 1
        const counts = this.take()
        onSecond?.(counts)
        addTo(whole, counts)
      }
      this.#dropLost()
      await sleep(PACE_MS)
    }
    const took = (performance.now() - began) / 1_000
    addTo(whole, this.take())
    await this.#quiet()
    return summary(whole, took)
  }

  /** All phones begin within `withinS`, and each goes on until it is registered. @returns when how many of them were */
  async obey({ withinS, limitS, onSecond }) {
    const phones = this.#phones
    for (const phone of phones) forget(phone)
    const began = performance.now()
    const due = new Schedule(began)
    for (const [n, phone] of phones.entries()) due.add(phone, began + (withinS * 1_000 * n) / phones.length)
    let done = 0
    this.#onEnd = (phone, retryAfterS) => {
      if (retryAfterS === 0) done += 1
      else due.add(phone, performance.now() + retryAfterS * 1_000)
    }
    this.take()
    const whole = newCounts()
    let second = 1
    while (done < phones.length && performance.now() - began < limitS * 1_000) {
      const now = performance.now()
      due.take(now, 300, (phone) => this.#start(phone))
      this.#repeat(now, whole)
      if (now - began >= second * 1_000) {
        const counts = this.take()
        onSecond?.({ second, done, ...counts })
        addTo(whole, counts)
        second += 1
      }
      await sleep(PACE_MS)
    }
    const took = (performance.now() - began) / 1_000
    addTo(whole, this.take())
    return { ...summary(whole, took), done, repeated: whole.repeated }
  }

  get #inFlight() {
    return this.#waiting.reduce((sum, { phone, branch }) => sum + (phone.state === ASKED && phone.branch === branch), 0)
  }

  #phone(n) {
    const socket = this.#sockets[n % SOCKETS]
    const user = userName(n)
    const own = `<sip:${user}@${HOST}>`
    return {
      n,
      socket,
      state: IDLE,
      ha1: md5(`${user}:${HOST}:${user}-secret`),
      nonce: '',
      nc: 0,
      cseq: 0,
      branch: 0,
      beganMs: 0,
      sentMs: 0,
      intervalMs: 0,
      head: `REGISTER sip:${HOST} SIP/2.0\r\nVia: SIP/2.0/UDP ${HOST}:${socket.port};rport;branch=z9hG4bKs`,
      rest:
        `\r\nMax-Forwards: 70\r\nFrom: ${own};tag=t${n}\r\nTo: ${own}\r\nCall-ID: s${n}-x\r\n` +
        `Contact: <sip:${user}@${HOST}:${socket.port}>;expires=3600\r\nUser-Agent: bench phone 1.0\r\nContent-Length: 0\r\nCSeq: `,
      credentials: ` REGISTER\r\nAuthorization: Digest username="${user}", realm="${HOST}", uri="sip:${HOST}", algorithm=MD5, qop=auth, cnonce="${CNONCE}"`,
    }
  }

  /** The next phone that waits for nothing. */
  #begin(asFirst) {
    const phones = this.#phones
    for (let k = 0; k < 64; k++) {
      const phone = phones[this.#turn]
      this.#turn = (this.#turn + 1) % phones.length
      if (phone.state !== IDLE) continue
      if (asFirst) forget(phone)
      return this.#start(phone)
    }
    this.counts.busy += 1
  }

  #start(phone) {
    this.counts.offered += 1
    phone.beganMs = performance.now()
    this.#send(phone)
  }

  #send(phone) {
    phone.state = ASKED
    phone.branch = ++this.#branch
    phone.cseq += 1
    phone.sentMs = performance.now()
    phone.intervalMs = T1_MS
    phone.text = this.#textOf(phone)
    this.#waiting.push({ phone, branch: phone.branch, dueMs: phone.sentMs + T1_MS })
    this.#emit(phone)
  }

  #emit({ text, socket }) {
    this.counts.sent += 1
    const length = this.#out.latin1Write(text, 0)
    socket.send(this.#out, 0, length, this.#port, HOST)
  }

  #textOf(phone) {
    const start = `${phone.head}${phone.branch}${phone.rest}${phone.cseq}`
    if (phone.nonce === '') return `${start} REGISTER\r\n\r\n`
    const nc = (++phone.nc).toString(16).padStart(8, '0')
    const response = md5(`${phone.ha1}:${phone.nonce}:${nc}:${CNONCE}:auth:${HA2}`)
    return `${start}${phone.credentials}, nonce="${phone.nonce}", nc=${nc}, response="${response}"\r\n\r\n`
  }

  #receive(buf, start, end) {
    const text = buf.latin1Slice(start, end)
    const at = text.indexOf('\r\nCall-ID: s') + 12
    const phone = this.#phones[Number(text.slice(at, text.indexOf('-', at)))]
    const via = text.indexOf('z9hG4bKs') + 8
    if (phone === undefined || phone.state !== ASKED || Number.parseInt(text.slice(via, via + 12), 10) !== phone.branch)
      return
    const status = Number(text.slice(8, 11))
    if (status < 200) return
    this.#answered(phone, status, text)
  }

  #answered(phone, status, text) {
    const { counts } = this
    counts.byStatus.set(status, (counts.byStatus.get(status) ?? 0) + 1)
    if (status === 401) {
      phone.nonce = /nonce="([^"]+)"/.exec(text)?.[1] ?? ''
      phone.nc = 0
      return this.#send(phone)
    }
    phone.state = IDLE
    if (status === 200) counts.tookMs.push(performance.now() - phone.beganMs)
    const retryAfterS = status === 200 ? 0 : Number(/\r\nRetry-After: (\d+)/.exec(text)?.[1] ?? 1)
    if (status === 503) counts.retryAfter.set(retryAfterS, (counts.retryAfter.get(retryAfterS) ?? 0) + 1)
    this.#onEnd(phone, retryAfterS)
  }

  /** No answer at all: the phone is free again, its request counts as lost. */
  #dropLost() {
    const latest = performance.now() - LOST_MS
    let past = 0
    for (const { phone, branch, dueMs } of this.#waiting) {
      if (dueMs - T1_MS > latest) break
      past += 1
      if (phone.state !== ASKED || phone.branch !== branch) continue
      phone.state = IDLE
      this.counts.lost += 1
      this.#onEnd(phone, 1)
    }
    if (past > 0) this.#waiting.splice(0, past)
  }

  /** [RFC3261-17.1.2.2] Timer E, and Timer F after 32 s: then the phone begins anew. */
  #repeat(now) {
    const later = []
    let past = 0
    for (const entry of this.#waiting) {
      if (entry.dueMs > now) break
      past += 1
      const { phone, branch } = entry
      if (phone.state !== ASKED || phone.branch !== branch) continue
      if (now - phone.sentMs > 64 * T1_MS) {
        phone.state = IDLE
        this.counts.lost += 1
        this.#onEnd(phone, 1)
        continue
      }
      this.counts.repeated += 1
      this.#emit(phone)
      phone.intervalMs = Math.min(2 * phone.intervalMs, T2_MS)
      later.push({ phone, branch, dueMs: now + phone.intervalMs })
    }
    if (past === 0) return
    this.#waiting.splice(0, past)
    this.#waiting.push(...later)
    this.#waiting.sort((a, b) => a.dueMs - b.dueMs)
  }

  async #quiet() {
    this.#onEnd = () => {}
    for (let until = performance.now() + 4_000; performance.now() < until && this.#inFlight > 0; ) {
      await sleep(50)
      this.#dropLost()
    }
    this.take()
  }
}

/** Phones by the time when they are due, in hundredths of a second. */
class Schedule {
  #slots = new Map()
  #next

  constructor(now) {
    this.#next = Math.floor(now / 10)
  }

  add(phone, atMs) {
    const slot = Math.max(this.#next, Math.floor(atMs / 10))
    const phones = this.#slots.get(slot)
    if (phones === undefined) this.#slots.set(slot, [phone])
    else phones.push(phone)
  }

  /** Those that are due, so many at most; the rest next time. */
  take(now, most, start) {
    for (let left = most; this.#next <= Math.floor(now / 10) && left > 0; ) {
      const phones = this.#slots.get(this.#next)
      if (phones === undefined) {
        this.#next += 1
        continue
      }
      for (; phones.length > 0 && left > 0; left--) start(phones.pop())
      if (phones.length === 0) this.#slots.delete(this.#next)
    }
  }
}

function forget(phone) {
  phone.nonce = ''
  phone.nc = 0
}

function newCounts() {
  return { offered: 0, sent: 0, repeated: 0, lost: 0, busy: 0, byStatus: new Map(), retryAfter: new Map(), tookMs: [] }
}

function addTo(whole, counts) {
  for (const name of ['offered', 'sent', 'repeated', 'lost', 'busy']) whole[name] += counts[name]
  for (const table of ['byStatus', 'retryAfter'])
    for (const [key, count] of counts[table]) whole[table].set(key, (whole[table].get(key) ?? 0) + count)
  for (const ms of counts.tookMs) whole.tookMs.push(ms)
}

function summary(counts, seconds) {
  const took = Float64Array.from(counts.tookMs).sort()
  const at = (share) => Math.round(took[Math.min(took.length - 1, Math.floor(share * took.length))] ?? 0)
  const status = Object.fromEntries([...counts.byStatus].sort(([a], [b]) => a - b))
  return {
    seconds: Number(seconds.toFixed(1)),
    offeredPerSecond: Math.round(counts.offered / seconds),
    okPerSecond: Math.round((status[200] ?? 0) / seconds),
    status,
    lost: counts.lost,
    busy: counts.busy,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    retryAfter: [...counts.retryAfter].sort(([a], [b]) => a - b),
  }
}
