// SPDX-License-Identifier: MIT
// Phones that move from one port to another by a REGISTER, and calls to them that say at which port they rang. Many at once, so sockets
// and texts of their own: a call is an INVITE that the phone refuses with 486.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { token } from './phone.ts'

const HOST = '127.0.0.1'
const WAIT_MS = 8_000

export async function openSocket(): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, HOST)
  await once(socket, 'listening')
  return socket
}

const header = (text: string, name: string): string => new RegExp(`^${name}: *(.*)\\r$`, 'im').exec(text)?.[1] ?? ''
const statusOf = (text: string): number => Number(/^SIP\/2\.0 (\d{3})/.exec(text)?.[1] ?? 0)

function linesOf(...lines: string[]): Buffer {
  return Buffer.from([...lines, 'Content-Length: 0', '', ''].join('\r\n'), 'latin1')
}

/** Where each call rang, by its Call-ID; a port twice where it rang twice. */
const rang = new Map<string, number[]>()

export class MovingPhone {
  readonly user: string
  readonly #domain: string
  readonly #sockets: [Socket, Socket]
  readonly #callId = token()
  readonly #answers = new Map<number, (status: number) => void>()
  #cseq = 0
  #at = 0

  private constructor(user: string, domain: string, sockets: [Socket, Socket]) {
    this.user = user
    this.#domain = domain
    this.#sockets = sockets
    for (const socket of sockets)
      socket.on('message', (bytes, from) => this.#take(bytes.toString('latin1'), socket, from.port))
  }

  static async open(user: string, domain: string): Promise<MovingPhone> {
    return new MovingPhone(user, domain, [await openSocket(), await openSocket()])
  }

  /** Where it is registered now. */
  get port(): number {
    return this.#socketOf(this.#at).address().port
  }

  /** Registers at its other port and gives the last one up. The status of the answer; unless it is 200, it stays where it is. */
  async move(edgePort: number): Promise<number> {
    this.#at = 1 - this.#at
    const last = this.#socketOf(1 - this.#at).address().port
    const status = await this.#register(edgePort, `<sip:${this.user}@${HOST}:${last}>;expires=0`)
    if (status !== 200) this.#at = 1 - this.#at
    return status
  }

  /** As it is registered. */
  refresh(edgePort: number): Promise<number> {
    return this.#register(edgePort)
  }

  close(): void {
    for (const socket of this.#sockets) socket.close()
  }

  #socketOf(at: number): Socket {
    return this.#sockets[at] as Socket
  }

  #register(edgePort: number, ...leaves: string[]): Promise<number> {
    const cseq = ++this.#cseq
    const socket = this.#socketOf(this.#at)
    const contacts = [`<sip:${this.user}@${HOST}:${this.port}>;expires=600`, ...leaves]
    const bytes = linesOf(
      `REGISTER sip:${this.#domain} SIP/2.0`,
      `Via: SIP/2.0/UDP ${HOST}:${this.port};branch=z9hG4bK${token()}`,
      'Max-Forwards: 70',
      `From: <sip:${this.user}@${this.#domain}>;tag=${token()}`,
      `To: <sip:${this.user}@${this.#domain}>`,
      `Call-ID: ${this.#callId}`,
      `CSeq: ${cseq} REGISTER`,
      `Contact: ${contacts.join(', ')}`,
    )
    const answer = new Promise<number>((resolve) => this.#answers.set(cseq, resolve))
    return repeated(() => socket.send(bytes, edgePort, HOST), answer)
  }

  #take(text: string, socket: Socket, edgePort: number): void {
    if (text.startsWith('INVITE ')) return this.#refuse(text, socket, edgePort)
    const status = statusOf(text)
    const cseq = Number.parseInt(header(text, 'CSeq'), 10)
    if (status >= 200) this.#answers.get(cseq)?.(status)
    if (status >= 200) this.#answers.delete(cseq)
  }

  #refuse(text: string, socket: Socket, edgePort: number): void {
    const callId = header(text, 'Call-ID')
    const { port } = socket.address()
    const known = rang.get(callId)
    if (known === undefined) rang.set(callId, [port])
    else if (!known.includes(port)) known.push(port)
    const vias = [...text.matchAll(/^Via: .*$/gim)].map(([line]) => line.trim())
    const to = `To: ${header(text, 'To')};tag=${callId}`
    const rest = ['From', 'Call-ID', 'CSeq'].map((name) => `${name}: ${header(text, name)}`)
    socket.send(linesOf('SIP/2.0 486 Busy Here', ...vias, to, ...rest), edgePort, HOST)
  }
}

export interface Rung {
  readonly status: number
  readonly ports: readonly number[]
}

/** Calls from one socket. */
export class Caller {
  readonly #socket: Socket
  readonly #domain: string
  readonly #ends = new Map<string, (status: number) => void>()

  private constructor(socket: Socket, domain: string) {
    this.#socket = socket
    this.#domain = domain
    socket.on('message', (bytes, from) => this.#take(bytes.toString('latin1'), from.port))
  }

  static async open(domain: string): Promise<Caller> {
    return new Caller(await openSocket(), domain)
  }

  async call(user: string, edgePort: number): Promise<Rung> {
    const callId = token()
    const uri = `sip:${user}@${this.#domain}`
    const bytes = linesOf(
      `INVITE ${uri} SIP/2.0`,
      `Via: SIP/2.0/UDP ${HOST}:${this.#socket.address().port};branch=z9hG4bK${callId}`,
      'Max-Forwards: 70',
      `From: <sip:caller@${this.#domain}>;tag=${callId}`,
      `To: <${uri}>`,
      `Call-ID: ${callId}`,
      'CSeq: 1 INVITE',
      `Contact: <sip:caller@${HOST}:${this.#socket.address().port}>`,
    )
    const end = new Promise<number>((resolve) => this.#ends.set(callId, resolve))
    const status = await repeated(() => this.#socket.send(bytes, edgePort, HOST), end)
    this.#ends.delete(callId)
    const ports = rang.get(callId) ?? []
    rang.delete(callId)
    return { status, ports }
  }

  close(): void {
    this.#socket.close()
  }

  #take(text: string, edgePort: number): void {
    const status = statusOf(text)
    if (status < 200) return
    const callId = header(text, 'Call-ID')
    const uri = /<([^>]+)>/.exec(header(text, 'To'))?.[1] ?? ''
    const rest = ['From', 'To', 'Call-ID'].map((name) => `${name}: ${header(text, name)}`)
    const via = `Via: ${header(text, 'Via')}`
    this.#socket.send(linesOf(`ACK ${uri} SIP/2.0`, via, 'Max-Forwards: 70', ...rest, 'CSeq: 1 ACK'), edgePort, HOST)
    this.#ends.get(callId)?.(status)
  }
}

/** Sends until there is an answer; 408 where there is none. */
async function repeated(send: () => void, answer: Promise<number>): Promise<number> {
  send()
  const again = setInterval(send, 500)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<number>((resolve) => {
    timer = setTimeout(() => resolve(408), WAIT_MS)
  })
  return Promise.race([answer, late]).finally(() => {
    clearInterval(again)
    clearTimeout(timer)
  })
}
