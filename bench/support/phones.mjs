// SPDX-License-Identifier: MIT
//
// SIP clients of the benches over UDP, TCP and TLS: they send text and hand up what comes, message by message. They know no
// transactions and repeat nothing. They read with their own eyes, not with @tandem/sip.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'

const HEADERS_END = '\r\n\r\n'
const HOST = '127.0.0.1'
const ANSWER_MS = 10_000

/** Value of the first header line of that name; '' where there is none. */
export function header(text, name) {
  const at = text.indexOf(`\r\n${name}: `)
  return at < 0 ? '' : text.slice(at + name.length + 4, text.indexOf('\r\n', at + 2))
}

/** All header lines of these names, whole, in order. */
export function lines(text, names) {
  const head = text.slice(0, text.indexOf(HEADERS_END))
  return head.split('\r\n').filter((line) => names.includes(line.slice(0, line.indexOf(':'))))
}

/** A request or response from its start line, header lines and body. */
export function message(startLine, headers, body = '') {
  return `${startLine}\r\n${headers.join('\r\n')}\r\nContent-Length: ${body.length}${HEADERS_END}${body}`
}

/** An answer with what a response copies [RFC3261-8.2.6.2]. */
export function response(request, status, { tag = '', headers = [], body = '' } = {}) {
  const names = ['Via', 'From', 'Call-ID', 'CSeq', 'Record-Route']
  const to = header(request, 'To')
  const copied = [...lines(request, names), `To: ${to}${tag === '' || to.includes(';tag=') ? '' : `;tag=${tag}`}`]
  return message(`SIP/2.0 ${status}`, [...copied, ...headers], body)
}

let serial = 0

/** Unique within this process and, with its id, beyond. */
export function token() {
  return `${process.pid.toString(36)}x${(serial++).toString(36)}`
}

export class Phone {
  user
  transport
  port = 0
  isClosed = false
  pongs = 0
  /** Told each message as text. @type {(text: string, phone: Phone) => void} */
  onMessage = () => {}
  #write
  #end
  #rest = ''

  /**
   * @param {{ user: string, transport: 'udp' | 'tcp' | 'tls', port: number, localAddress?: string, tls?: object }} options
   *   `port` of the proxy on 127.0.0.1; `tls` as for `tls.connect`
   */
  static async open(options) {
    const phone = new Phone()
    phone.user = options.user
    phone.transport = options.transport
    await (options.transport === 'udp' ? phone.#openUdp(options) : phone.#openStream(options))
    return phone
  }

  get via() {
    return `Via: SIP/2.0/${this.transport.toUpperCase()} ${HOST}:${this.port};branch=z9hG4bK${token()}`
  }

  get contact() {
    const parameter = this.transport === 'udp' ? '' : `;transport=${this.transport}`
    return `Contact: <sip:${this.user}@${HOST}:${this.port}${parameter}>`
  }

  send(text) {
    this.#write(text)
  }

  close() {
    this.#end()
  }

  /** [RFC5626-4.4.1] A keep-alive; its answer is counted. */
  ping() {
    this.#write('\r\n\r\n')
  }

  /** Resolves with the first final response to this request. Only for phones whose messages nobody else takes meanwhile. */
  async ask(request) {
    const callId = header(request, 'Call-ID')
    const before = this.onMessage
    try {
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no answer to:\n${request}`)), ANSWER_MS)
        this.onMessage = (text) => {
          if (!text.startsWith('SIP/2.0 ') || text.startsWith('SIP/2.0 1') || header(text, 'Call-ID') !== callId) return
          clearTimeout(timer)
          resolve(text)
        }
        this.send(request)
      })
    } finally {
      this.onMessage = before
    }
  }

  /** @param {readonly string[]} more header lines */
  async register(contact = `${this.contact};expires=3600`, more = []) {
    const own = `<sip:${this.user}@${HOST}>`
    const headers = [this.via, 'Max-Forwards: 70', `From: ${own};tag=${token()}`, `To: ${own}`, `Call-ID: ${token()}`]
    const request = message(`REGISTER sip:${HOST} SIP/2.0`, [...headers, 'CSeq: 1 REGISTER', contact, ...more])
    const answer = await this.ask(request)
    if (!answer.startsWith('SIP/2.0 200')) throw new Error(`REGISTER of ${this.user}:\n${answer}`)
  }

  async #openUdp({ port }) {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
    socket.bind(0, HOST)
    await once(socket, 'listening')
    this.port = socket.address().port
    socket.on('message', (bytes) => this.onMessage(bytes.latin1Slice(), this))
    this.#write = (text) => socket.send(Buffer.from(text, 'latin1'), port, HOST)
    this.#end = () => socket.close()
  }

  async #openStream({ transport, port, localAddress, tls }) {
    const place = { host: HOST, port, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) }
    const socket = transport === 'tls' ? connectTls({ ...place, ...tls }) : connectTcp(place)
    await once(socket, transport === 'tls' ? 'secureConnect' : 'connect')
    socket.setEncoding('latin1')
    this.port = socket.localPort
    socket.on('data', (text) => this.#read(text))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
    })
    this.#write = (text) => socket.write(text, 'latin1')
    this.#end = () => socket.destroy()
  }

  #read(text) {
    let rest = this.#rest + text
    for (;;) {
      while (rest.startsWith('\r\n')) {
        rest = rest.slice(2)
        this.pongs++
      }
      const headersEnd = rest.indexOf(HEADERS_END)
      if (headersEnd < 0) break
      const end = headersEnd + HEADERS_END.length + Number(header(rest, 'Content-Length'))
      if (end > rest.length) break
      this.onMessage(rest.slice(0, end), this)
      rest = rest.slice(end)
    }
    this.#rest = rest
  }
}
