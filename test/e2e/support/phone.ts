// SPDX-License-Identifier: MIT
// A SIP phone of a few lines, for what SIPp cannot do: SHA-256, a connection that is kept for what comes back (TCP, TLS, WebSocket), the very same
// bytes sent twice, broken bytes. It knows no transactions and repeats nothing; it reads with its own eyes, not with @tandem/sip.
import { createHash, randomBytes } from 'node:crypto'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket as TcpSocket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'

const WAIT_MS = 5_000

/** A message as text, with what tests ask of it. */
export class Message {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  get startLine(): string {
    return this.text.slice(0, this.text.indexOf('\r\n'))
  }

  /** 0 for a request. */
  get status(): number {
    return Number(/^SIP\/2\.0 (\d{3})/.exec(this.text)?.[1] ?? 0)
  }

  /** '' for a response. */
  get method(): string {
    return this.status > 0 ? '' : (this.text.split(' ')[0] ?? '')
  }

  /** Values of all header lines of that name, in order; header names as our edges and SIPp write them. */
  all(name: string): string[] {
    return [...this.text.matchAll(new RegExp(`^${name}[ \\t]*:[ \\t]*(.*)\\r$`, 'gim'))].map((match) => match[1] ?? '')
  }

  header(name: string): string {
    return this.all(name)[0] ?? ''
  }

  get body(): string {
    return this.text.slice(this.text.indexOf('\r\n\r\n') + 4)
  }
}

export interface PhoneOptions {
  readonly user: string
  readonly password?: string
  readonly port: number
  /** Over TLS and WSS whatever certificate is shown is taken, unless `ca` is given. */
  readonly transport?: 'udp' | 'tcp' | 'tls' | 'ws' | 'wss'
  readonly ca?: string
  readonly serverName?: string
  /** The first challenge of this algorithm is answered; MD5 where absent. */
  readonly algorithm?: 'MD5' | 'SHA-256'
}

export interface RequestParts {
  readonly uri?: string
  readonly to?: string
  readonly from?: string
  readonly callId?: string
  readonly cseq?: number
  readonly branch?: string
  /** Whole lines without their ends. */
  readonly headers?: readonly string[]
  readonly body?: string
}

export const token = (): string => randomBytes(8).toString('hex')

export class Phone {
  readonly options: PhoneOptions
  readonly tag = token()
  /** What came and was not taken yet. */
  readonly inbox: Message[] = []
  readonly localPort: number
  readonly #udp: UdpSocket | undefined
  readonly #tcp: TcpSocket | undefined
  readonly #ws: WebSocket | undefined
  readonly #waiting = new Set<() => void>()
  #stream = ''

  private constructor(options: PhoneOptions, udp?: UdpSocket, tcp?: TcpSocket, ws?: WebSocket) {
    this.options = options
    this.#udp = udp
    this.#tcp = tcp
    this.#ws = ws
    this.localPort = udp?.address().port ?? tcp?.localPort ?? 0
    udp?.on('message', (bytes) => this.#take(bytes.toString('latin1')))
    tcp?.on('data', (bytes) => this.#takeStream(bytes.toString('latin1')))
    tcp?.on('error', () => {})
    ws?.on('message', (bytes: Buffer) => this.#take(bytes.toString('latin1')))
    ws?.on('error', () => {})
  }

  static async open(options: PhoneOptions): Promise<Phone> {
    if (options.transport === 'ws' || options.transport === 'wss') {
      const ws = new WebSocket(`${options.transport}://127.0.0.1:${options.port}`, 'sip', { rejectUnauthorized: false })
      await once(ws, 'open')
      return new Phone(options, undefined, undefined, ws)
    }
    if (options.transport === 'tcp' || options.transport === 'tls') {
      const tcp = options.transport === 'tcp' ? connect(options.port, '127.0.0.1') : dialTls(options)
      await once(tcp, options.transport === 'tcp' ? 'connect' : 'secureConnect')
      return new Phone(options, undefined, tcp)
    }
    const udp = createSocket('udp4')
    udp.bind(0, '127.0.0.1')
    await once(udp, 'listening')
    return new Phone(options, udp, undefined)
  }

  get transport(): 'udp' | 'tcp' | 'tls' | 'ws' | 'wss' {
    return this.options.transport ?? 'udp'
  }

  get aor(): string {
    return `sip:${this.options.user}@example.test`
  }

  get contact(): string {
    const isWeb = this.#ws !== undefined // [RFC7118-5] it has no address that anybody could use
    const place = isWeb ? `${this.tag}.invalid` : `127.0.0.1:${this.localPort}`
    return `<sip:${this.options.user}@${place};transport=${isWeb ? 'ws' : this.transport}>`
  }

  close(): void {
    this.#udp?.close()
    this.#tcp?.destroy()
    this.#ws?.terminate()
  }

  /** @param port the edge's, where it is another than usual (UDP) */
  send(text: string, port = this.options.port): void {
    const bytes = Buffer.from(text, 'latin1')
    this.#udp?.send(bytes, port, '127.0.0.1')
    this.#tcp?.write(bytes)
    this.#ws?.send(bytes)
  }

  /** Takes the first message that fits out of the inbox, waiting for it. */
  next(what: string, fits: (message: Message) => boolean, timeoutMs = WAIT_MS): Promise<Message> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const index = this.inbox.findIndex(fits)
        if (index < 0) return
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(this.inbox.splice(index, 1)[0] as Message)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(look)
        const seen = this.inbox.map((message) => message.startLine).join(', ')
        reject(
          new Error(`${this.options.user}: waited ${timeoutMs} ms for ${what}; in the inbox: ${seen || 'nothing'}`),
        )
      }, timeoutMs)
      this.#waiting.add(look)
      look()
    })
  }

  request(method: string, parts: RequestParts = {}): string {
    const { uri = 'sip:example.test', to = `<${this.aor}>`, from = `<${this.aor}>`, body = '' } = parts
    const lines = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/${this.transport.toUpperCase()} ${this.#ws === undefined ? `127.0.0.1:${this.localPort}` : `${this.tag}.invalid`};branch=${parts.branch ?? `z9hG4bK${token()}`};rport`,
      'Max-Forwards: 70',
      `From: ${from};tag=${this.tag}`,
      `To: ${to}`,
      `Call-ID: ${parts.callId ?? token()}`,
      `CSeq: ${parts.cseq ?? 1} ${method}`,
      ...(parts.headers ?? []),
      `Content-Length: ${body.length}`,
    ]
    return `${lines.join('\r\n')}\r\n\r\n${body}`
  }

  /** Response to where the top Via says: Vias, Record-Routes, From, To, Call-ID and CSeq of the request. */
  reply(request: Message, status: string, headers: readonly string[] = []): void {
    const copied = ['Via', 'Record-Route', 'From'].flatMap((name) =>
      request.all(name).map((value) => `${name}: ${value}`),
    )
    const to = request.header('To')
    const lines = [
      `SIP/2.0 ${status}`,
      ...copied,
      `To: ${to.includes('tag=') ? to : `${to};tag=${this.tag}`}`,
      `Call-ID: ${request.header('Call-ID')}`,
      `CSeq: ${request.header('CSeq')}`,
      ...headers,
      'Content-Length: 0',
    ]
    const port = /:(\d+)/.exec(request.header('Via').split(';')[0] ?? '')?.[1]
    this.send(`${lines.join('\r\n')}\r\n\r\n`, Number(port))
  }

  /** A request, its challenge where one comes, and its final response. */
  async ask(method: string, parts: RequestParts = {}): Promise<Message> {
    const callId = parts.callId ?? token()
    const cseq = parts.cseq ?? 1
    const first = await this.#exchange(method, { ...parts, callId, cseq })
    if (first.status !== 401 && first.status !== 407) return first
    if (method === 'INVITE') this.acknowledge(first, parts.uri ?? '')
    const headers = [...(parts.headers ?? []), this.credentials(first, method, parts.uri ?? 'sip:example.test')]
    return this.#exchange(method, { ...parts, callId, cseq: cseq + 1, headers })
  }

  register(parts: RequestParts = {}): Promise<Message> {
    return this.ask('REGISTER', { headers: [`Contact: ${this.contact};expires=600`], ...parts })
  }

  /** ACK of a failure whose INVITE had this response's top Via. */
  acknowledge(response: Message, uri: string): void {
    const branch = /branch=([^;,\s]+)/.exec(response.header('Via'))?.[1] ?? ''
    const cseq = Number(response.header('CSeq').split(' ')[0])
    this.send(this.request('ACK', { uri, to: response.header('To'), callId: response.header('Call-ID'), cseq, branch }))
  }

  /** The header line that answers a challenge (RFC 7616 with qop=auth). */
  credentials(challenge: Message, method: string, uri: string, more: { nc?: number } = {}): string {
    const isProxy = challenge.status === 407
    const { algorithm = 'MD5', user, password = `${user}-secret` } = this.options
    const offered = challenge.all(isProxy ? 'Proxy-Authenticate' : 'WWW-Authenticate')
    const chosen =
      offered.find((value) => new RegExp(`algorithm="?${algorithm}"?(,|$)`).test(value)) ?? offered[0] ?? ''
    const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(chosen)?.[1] ?? ''
    const hash = (text: string): string =>
      createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
        .update(text)
        .digest('hex')
    const [realm, nonce, cnonce] = [field('realm'), field('nonce'), token()]
    const nc = String(more.nc ?? 1).padStart(8, '0')
    const ha1 = hash(`${user}:${realm}:${password}`)
    const response = hash(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${hash(`${method}:${uri}`)}`)
    const quoted = `username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", cnonce="${cnonce}"`
    return `${isProxy ? 'Proxy-' : ''}Authorization: Digest ${quoted}, algorithm=${algorithm}, qop=auth, nc=${nc}`
  }

  async #exchange(method: string, parts: RequestParts & { callId: string; cseq: number }): Promise<Message> {
    this.send(this.request(method, parts))
    const cseq = `${parts.cseq} ${method}`
    return this.final(`the final response to ${cseq}`, parts.callId, cseq)
  }

  final(what: string, callId: string, cseq: string, timeoutMs = WAIT_MS): Promise<Message> {
    const fits = (m: Message): boolean => m.status >= 200 && m.header('CSeq') === cseq && m.header('Call-ID') === callId
    return this.next(what, fits, timeoutMs)
  }

  #takeStream(text: string): void {
    this.#stream += text
    for (;;) {
      const head = this.#stream.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/^Content-Length:\s*(\d+)/im.exec(this.#stream.slice(0, head + 2))?.[1] ?? 0)
      const end = head + 4 + length
      if (this.#stream.length < end) return
      this.#take(this.#stream.slice(0, end))
      this.#stream = this.#stream.slice(end)
    }
  }

  #take(text: string): void {
    this.inbox.push(new Message(text))
    for (const look of [...this.#waiting]) look()
  }
}

function dialTls({ port, ca, serverName }: PhoneOptions): TcpSocket {
  return connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: ca !== undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  })
}

/** Opens a phone for the time of `use`. */
export async function withPhone<T>(options: PhoneOptions, use: (phone: Phone) => Promise<T>): Promise<T> {
  const phone = await Phone.open(options)
  try {
    return await use(phone)
  } finally {
    phone.close()
  }
}

/** Removes every binding of a user: the last test's phones are gone. */
export async function forget(user: string, port: number): Promise<void> {
  const reply = await withPhone({ user, port }, (phone) => phone.register({ headers: ['Contact: *', 'Expires: 0'] }))
  if (reply.status !== 200) throw new Error(`un-REGISTER of ${user}: ${reply.startLine}`)
}
