// SPDX-License-Identifier: MIT
//
// The phone of the warm-up: caller and callee on one loopback socket. It speaks only what a plain call needs.

import { createUdpListener, type UdpListener } from '@tandem/transport'

const HOST = '127.0.0.1'
/** Calls under way at once: enough that messages queue as they do under load. */
const WINDOW = 24
const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 8 101\r\n' +
  'a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n'

export class LoopbackPhone {
  private readonly edgePort: number
  private socket: UdpListener | undefined
  private wanted = 0
  private started = 0
  private ended = 0
  private onEnded: () => void = () => undefined

  private constructor(edgePort: number) {
    this.edgePort = edgePort
  }

  static async open(edgePort: number, batch: 'auto' | 'off' | 'require'): Promise<LoopbackPhone> {
    const phone = new LoopbackPhone(edgePort)
    phone.socket = await createUdpListener({ address: HOST, port: 0, batch, sink: phone })
    return phone
  }

  get contact(): string {
    return `sip:warm-up@${HOST}:${this.socket?.port}`
  }

  /** Resolves when all calls have ended, or after `withinMs`. */
  async place(calls: number, withinMs: number): Promise<void> {
    this.wanted = calls
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(resolve, withinMs)
      this.onEnded = () => {
        clearTimeout(deadline)
        resolve()
      }
      for (let k = 0; k < Math.min(WINDOW, calls); k += 1) this.invite()
    })
    this.wanted = 0
  }

  async close(): Promise<void> {
    await this.socket?.close()
  }

  onDatagram(buf: Buffer, start: number, end: number): void {
    const text = buf.latin1Slice(start, end)
    if (text.startsWith('INVITE')) {
      this.reply(text, '180 Ringing', '')
      this.reply(text, '200 OK', SDP)
    } else if (text.startsWith('BYE')) this.reply(text, '200 OK', '')
    else if (text.startsWith('SIP/2.0 200')) this.onAnswer(text)
  }

  private onAnswer(text: string): void {
    if (text.includes('CSeq: 1 INVITE')) {
      this.send(this.inDialog('ACK', 1, text))
      this.send(this.inDialog('BYE', 2, text))
      return
    }
    this.ended += 1
    if (this.started < this.wanted) this.invite()
    else if (this.ended >= this.wanted) this.onEnded()
  }

  private invite(): void {
    this.started += 1
    const call = this.started
    const head = `INVITE sip:warm-up@${HOST}:${this.edgePort} SIP/2.0\r\n${this.via(`${call}-1`)}Max-Forwards: 70\r\n`
    const from = `From: "Warm-up" <sip:caller@${HOST}>;tag=w${call}\r\nTo: <sip:warm-up@${HOST}:${this.edgePort}>\r\n`
    const rest = `Call-ID: warm-up-${call}@${HOST}\r\nCSeq: 1 INVITE\r\nContact: <${this.contact}>\r\nUser-Agent: Tandem\r\n`
    const allow = 'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: replaces, timer\r\n'
    this.send(
      `${head}${from}${rest}${allow}Content-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`,
    )
  }

  private inDialog(method: string, cseq: number, answer: string): string {
    const call = lineOf(answer, 'Call-ID')
    const branch = `${call.slice(17)}-${method}`
    const route = lineOf(answer, 'Record-Route').replace('Record-Route', 'Route')
    const dialog = `${lineOf(answer, 'From')}\r\n${lineOf(answer, 'To')}\r\n${call}\r\nCSeq: ${cseq} ${method}\r\n`
    return `${method} ${this.contact} SIP/2.0\r\n${this.via(branch)}${route}\r\nMax-Forwards: 70\r\n${dialog}Content-Length: 0\r\n\r\n`
  }

  private via(branch: string): string {
    return `Via: SIP/2.0/UDP ${HOST}:${this.socket?.port};branch=z9hG4bK-warm-up-${branch}\r\n`
  }

  private reply(request: string, status: string, body: string): void {
    const lines = request.split('\r\n')
    const copied = lines.filter((line) => /^(Via|Record-Route|From|Call-ID|CSeq):/.test(line)).join('\r\n')
    const to = lineOf(request, 'To')
    const tag = to.includes(';tag=') ? '' : ';tag=answer'
    const head = `SIP/2.0 ${status}\r\n${copied}\r\n${to}${tag}\r\nContact: <${this.contact}>\r\n`
    this.send(`${head}Content-Length: ${body.length}\r\n\r\n${body}`)
  }

  private send(text: string): void {
    const bytes = Buffer.from(text, 'latin1')
    this.socket?.send(bytes, 0, bytes.length, this.edgePort, HOST)
  }
}

/** The first header line with this name, without its CRLF. */
function lineOf(text: string, name: string): string {
  const at = text.indexOf(`\r\n${name}:`)
  return at < 0 ? '' : text.slice(at + 2, text.indexOf('\r\n', at + 2))
}
