// SPDX-License-Identifier: MIT
//
// The phone of the warm-up: caller and callee on one loopback socket. It registers, and speaks only what a plain call needs, in several
// forms, since what is compiled for one form alone is compiled again when the next one comes.

import { createUdpListener, type UdpListener } from '@tandem/transport'

const HOST = '127.0.0.1'
/** Calls under way at once: enough that messages queue as they do under load. */
const WINDOW = 24
export const WARM_UP_USER = 'phone'
export const WARM_UP_DOMAIN = 'warm-up.invalid'
const AOR = `sip:${WARM_UP_USER}@${WARM_UP_DOMAIN}`
const REGISTER_TRIES = 5
const REGISTER_MS = 500

interface Form {
  readonly via: string
  readonly from: string
  readonly contact: string
  readonly more: string
}

const FORMS: readonly Form[] = [
  {
    via: '',
    from: `"Warm-up" <sip:caller@${WARM_UP_DOMAIN}>`,
    contact: '',
    more: 'User-Agent: Tandem\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: replaces, timer\r\n',
  },
  {
    via: ';rport',
    from: `<sip:+4930123456@${WARM_UP_DOMAIN};user=phone>`,
    contact: ';transport=UDP',
    more: 'Allow: INVITE,ACK,BYE,CANCEL,UPDATE\r\nAllow-Events: talk\r\nSupported: 100rel\r\nSession-Expires: 1800;refresher=uac\r\n',
  },
  { via: '', from: `sip:caller@${WARM_UP_DOMAIN}`, contact: ';ob', more: 'Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n' },
]

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
  private isRegistered = false
  private onRegistered: () => void = () => undefined

  private constructor(edgePort: number) {
    this.edgePort = edgePort
  }

  static async open(edgePort: number, batch: 'auto' | 'off' | 'require'): Promise<LoopbackPhone> {
    const phone = new LoopbackPhone(edgePort)
    phone.socket = await createUdpListener({ address: HOST, port: 0, batch, sink: phone })
    return phone
  }

  get contact(): string {
    return this.contactOf('')
  }

  /** Whether the registrar took it, within a few tries. */
  async register(): Promise<boolean> {
    for (let k = 1; k <= REGISTER_TRIES && !this.isRegistered; k += 1) {
      const answered = new Promise<void>((resolve) => {
        this.onRegistered = resolve
        setTimeout(resolve, REGISTER_MS).unref()
      })
      const dialog = `From: <${AOR}>;tag=w\r\nTo: <${AOR}>\r\nCall-ID: register-${this.socket?.port}\r\nCSeq: ${k} REGISTER\r\n`
      const contact = `Contact: <${this.contact}>;expires=3600\r\n`
      const start = `REGISTER sip:${WARM_UP_DOMAIN} SIP/2.0\r\n${this.via(`r${k}`, '')}Max-Forwards: 70\r\n`
      this.send(`${start}${dialog}${contact}Content-Length: 0\r\n\r\n`)
      await answered
    }
    return this.isRegistered
  }

  /** Resolves when all calls have ended, or after `withinMs`, with how many ended. */
  async place(calls: number, withinMs: number): Promise<number> {
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
    return Math.min(this.ended, calls)
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
    const cseq = lineOf(text, 'CSeq')
    if (cseq.endsWith('REGISTER')) {
      this.isRegistered = true
      this.onRegistered()
    } else if (cseq.endsWith('INVITE')) this.hangUp(text)
    else this.onEnd()
  }

  private hangUp(answer: string): void {
    this.send(this.inDialog('ACK', 1, answer))
    this.send(this.inDialog('BYE', 2, answer))
  }

  private onEnd(): void {
    this.ended += 1
    if (this.started < this.wanted) this.invite()
    else if (this.ended >= this.wanted) this.onEnded()
  }

  private invite(): void {
    this.started += 1
    const call = this.started
    const form = formOf(call)
    const head = `INVITE ${AOR} SIP/2.0\r\n${this.via(`${call}-1`, form.via)}Max-Forwards: 70\r\n`
    const from = `From: ${form.from};tag=w${call}\r\nTo: <${AOR}>\r\n`
    const contact = `Contact: <${this.contactOf(form.contact)}>\r\n`
    const rest = `Call-ID: ${call}-warm-up@${HOST}\r\nCSeq: 1 INVITE\r\n${contact}${form.more}`
    const type = `Content-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`
    this.send(`${head}${from}${rest}${type}`)
  }

  private inDialog(method: string, cseq: number, answer: string): string {
    const callId = lineOf(answer, 'Call-ID')
    const call = callNumber(callId)
    const via = this.via(`${call}-${method}`, formOf(call).via)
    const route = lineOf(answer, 'Record-Route').replace('Record-Route', 'Route')
    const target = /<([^>]*)>/.exec(lineOf(answer, 'Contact'))?.[1] ?? this.contact
    const dialog = `${lineOf(answer, 'From')}\r\n${lineOf(answer, 'To')}\r\n${callId}\r\nCSeq: ${cseq} ${method}\r\n`
    return `${method} ${target} SIP/2.0\r\n${via}${route}\r\nMax-Forwards: 70\r\n${dialog}Content-Length: 0\r\n\r\n`
  }

  private via(branch: string, more: string): string {
    return `Via: SIP/2.0/UDP ${HOST}:${this.socket?.port};branch=z9hG4bK-w-${branch}${more}\r\n`
  }

  private contactOf(more: string): string {
    return `sip:${WARM_UP_USER}@${HOST}:${this.socket?.port}${more}`
  }

  private reply(request: string, status: string, body: string): void {
    const lines = request.split('\r\n')
    const copied = lines.filter((line) => /^(Via|Record-Route|From|Call-ID|CSeq):/.test(line)).join('\r\n')
    const to = lineOf(request, 'To')
    const tag = to.includes(';tag=') ? '' : ';tag=answer'
    const { contact } = formOf(callNumber(lineOf(request, 'Call-ID')))
    const head = `SIP/2.0 ${status}\r\n${copied}\r\n${to}${tag}\r\nContact: <${this.contactOf(contact)}>\r\n`
    const type = body === '' ? '' : 'Content-Type: application/sdp\r\n'
    this.send(`${head}${type}Content-Length: ${body.length}\r\n\r\n${body}`)
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

const formOf = (call: number): Form => FORMS[call % FORMS.length] as Form

/** Of the call that a Call-ID line names. */
const callNumber = (line: string): number => Number.parseInt(line.slice('Call-ID: '.length), 10)
