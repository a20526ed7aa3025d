// SPDX-License-Identifier: MIT
//
// Call flows as ladders, one line a message, seen from the phones: `Alice > INVITE bob` is sent by Alice's phone, `Bob < INVITE` is the
// next message that Bob's phone must have got. What the proxies say to each other is theirs; what a phone sees must be the flow to the
// message. A phone keeps its dialogs as RFC 3261 section 12 says, and shares nothing with @tandem/sip.
//
//   Alice > INVITE bob             a request; out of a dialog it has a user or a URI, in one it has not
//   Alice > INVITE bob auth        once more, with the credentials that the last 401 or 407 asked for
//   Bob > 180                      a response to the last request; `for INVITE` names an earlier one
//   Bob > 200 {Require: x}         header lines to add
//   Carol < INVITE {Replaces ~ x}  what must be in a header; {!Route}: what must not be there
//   Bob > BYE #2 via 1             call 2 (1 where nothing is said), through edge 1 of the cluster
//   wait 4000                      milliseconds
//
// Invariant: at the end no phone has a message that the ladder does not name. Left out: SDP (bodies pass untouched, which is
// tested elsewhere), and retransmissions: the network loses nothing.
import { createHash } from 'node:crypto'
import { buildRequest, buildResponse, headerValues, startLine } from '@tandem/test-kit'
import { expect } from 'vitest'
import { createMemoryCluster, type MemoryCluster, type MemoryClusterOptions } from '../../support/memory-cluster.ts'
import { MemoryPhone } from '../../support/phone.ts'

export const DOMAIN = 'tandem.test'

/** One phone's view of a dialog, or of what may become one. */
interface Dialog {
  readonly localTag: string
  remoteTag: string
  readonly local: string
  remote: string
  target: string
  routes: string[]
  cseq: number
  /** Requests that came and may be answered, by method. */
  readonly received: Map<string, string>
  lastReceived: string
  /** Its own INVITE and what was last said to it. */
  invite: string
  answer: string
}

export interface FlowOptions extends MemoryClusterOptions {
  /** Users who have registered before the flow begins. */
  readonly registered?: readonly string[]
  /** Edge of a phone, 0 for the first one of the ladder and 1 for the others. */
  readonly at?: Readonly<Record<string, number>>
  /** Users that stand behind another name: a second phone of the same person. */
  readonly users?: Readonly<Record<string, string>>
}

interface Line {
  readonly text: string
  readonly who: string
  readonly isSent: boolean
  /** Method or status. */
  readonly what: string
  readonly words: readonly string[]
  readonly call: string
  readonly conditions: readonly string[]
}

/** Plays a ladder; the test fails at the first line that does not hold. */
export async function playFlow(ladder: string, options: FlowOptions = {}): Promise<void> {
  const cluster = await createMemoryCluster({ edgeCount: 2, ...options })
  try {
    const stage = new Stage(cluster, options)
    for (const name of options.registered ?? []) await stage.register(name)
    for (const line of ladder.split('\n').map((text) => text.trim())) if (line !== '') await stage.play(line)
    stage.expectNothingLeft()
    expect(cluster.problems).toEqual([])
  } finally {
    await cluster.close()
  }
}

class Stage {
  private readonly cluster: MemoryCluster
  private readonly options: FlowOptions
  private readonly actors = new Map<string, Actor>()

  constructor(cluster: MemoryCluster, options: FlowOptions) {
    this.cluster = cluster
    this.options = options
  }

  async register(name: string): Promise<void> {
    const actor = this.actor(name)
    actor.phone.register(DOMAIN)
    await this.cluster.settle()
    expect(startLine(actor.take('registered'))).toBe('SIP/2.0 200 OK')
  }

  async play(text: string): Promise<void> {
    const wait = /^wait (\d+)$/.exec(text)
    if (wait !== null) return this.cluster.advance(Number(wait[1]))
    const line = parseLine(text)
    const actor = this.actor(line.who)
    if (!line.isSent) return actor.expect(line)
    const edge = wordAfter(line, 'via')
    actor.send(line, this.cluster.edges[Number(edge ?? actor.edge)]?.endpoint ?? actor.server)
    await this.cluster.settle()
  }

  expectNothingLeft(): void {
    const left = [...this.actors.values()].flatMap((actor) =>
      actor.unread().map((m) => `${actor.name} < ${startLine(m)}`),
    )
    expect(left).toEqual([])
  }

  private actor(name: string): Actor {
    const known = this.actors.get(name)
    if (known !== undefined) return known
    const index = this.actors.size
    const edge = this.options.at?.[name] ?? (index === 0 ? 0 : 1)
    const server = this.cluster.edges[edge]?.endpoint
    if (server === undefined) throw new Error(`${name} is at edge ${edge}, which there is not`)
    const user = this.options.users?.[name] ?? name.toLowerCase()
    const phone = new MemoryPhone(this.cluster.network, user, `192.0.2.${20 + index}`, 5060, server)
    const actor = new Actor(name, phone, edge, server)
    this.actors.set(name, actor)
    return actor
  }
}

interface Place {
  readonly address: string
  readonly port: number
}

class Actor {
  readonly name: string
  readonly phone: MemoryPhone
  readonly edge: number
  readonly server: Place
  private readonly dialogs = new Map<string, Dialog>()
  private read = 0
  private serial = 0
  private challenge = ''

  constructor(name: string, phone: MemoryPhone, edge: number, server: Place) {
    this.name = name
    this.phone = phone
    this.edge = edge
    this.server = server
  }

  unread(): string[] {
    return this.phone.inbox.slice(this.read)
  }

  /** The next message that came. */
  take(why: string): string {
    const message = this.phone.inbox[this.read]
    if (message === undefined) throw new Error(`${this.name} has got nothing: ${why}`)
    this.read += 1
    return message
  }

  expect(line: Line): void {
    const message = this.take(line.text)
    const [first, second] = startLine(message).split(' ')
    expect(first === 'SIP/2.0' ? second : first, `${line.text}\n\n${message}`).toBe(line.what)
    for (const condition of line.conditions) checkHeader(message, condition, line.text)
    this.note(line, message)
  }

  send(line: Line, edge: Place): void {
    if (/^\d{3}$/.test(line.what)) return this.sendResponse(line)
    const text = this.requestOf(line)
    this.phone.endpoint.sendText(text, edge.port, edge.address)
  }

  private note(line: Line, message: string): void {
    if (message.startsWith('SIP/2.0 ')) this.noteResponse(line, message)
    else this.noteRequest(line, message)
  }

  private noteResponse(line: Line, message: string): void {
    const dialog = this.dialogs.get(line.call)
    const status = Number(line.what)
    if (status === 401 || status === 407) this.challenge = message
    if (dialog === undefined || status === 100) return
    const isInvite = headerOf(message, 'cseq').endsWith(' INVITE')
    if (isInvite) dialog.answer = message
    const tag = tagOf(headerOf(message, 'to'))
    if (status >= 300 || tag === '' || !/ (INVITE|SUBSCRIBE|REFER)$/.test(headerOf(message, 'cseq'))) return
    if (dialog.remoteTag === '' || (isInvite && dialog.routes.length === 0)) {
      dialog.routes = headerValues(message, 'record-route').reverse()
    }
    dialog.remoteTag = tag
    dialog.target = addressOf(headerOf(message, 'contact')) || dialog.target
  }

  private noteRequest(line: Line, message: string): void {
    const known = this.dialogs.get(line.call)
    const dialog = known ?? this.calledBy(line, message)
    this.dialogs.set(line.call, dialog)
    dialog.received.set(line.what, message)
    dialog.lastReceived = message
    dialog.target = addressOf(headerOf(message, 'contact')) || dialog.target
  }

  private calledBy(line: Line, message: string): Dialog {
    const [from, to] = [headerOf(message, 'from'), headerOf(message, 'to')]
    return {
      localTag: tagOf(to) || `${this.phone.user}-${line.call}`,
      remoteTag: tagOf(from),
      local: withoutTag(to),
      remote: withoutTag(from),
      target: '',
      routes: headerValues(message, 'record-route'),
      cseq: 100,
      received: new Map(),
      lastReceived: message,
      invite: '',
      answer: '',
    }
  }

  private sendResponse(line: Line): void {
    const dialog = this.dialogs.get(line.call)
    const request = dialog?.received.get(wordAfter(line, 'for') ?? '') ?? dialog?.lastReceived
    if (dialog === undefined || request === undefined) throw new Error(`${line.text}: there is no request to answer`)
    const contact = line.conditions.some((condition) => condition.startsWith('Contact:'))
      ? undefined
      : this.phone.contact
    const parts = { toTag: dialog.localTag, contact, headers: line.conditions }
    const { address, port } = sentBy(request)
    this.phone.endpoint.sendText(buildResponse(request, Number(line.what), parts), port, address)
  }

  private requestOf(line: Line): string {
    const dialog = this.dialogs.get(line.call)
    if (line.what === 'REGISTER') return this.registration(line)
    if (line.what === 'ACK' && dialog !== undefined) return this.acknowledgement(dialog, line)
    if (line.what === 'CANCEL' && dialog !== undefined)
      return this.sameTransaction(dialog, 'CANCEL', withoutTag(dialog.remote))
    if (dialog === undefined || line.words.includes('auth') || line.words.includes('again'))
      return this.initial(line, dialog)
    return this.inDialog(dialog, line)
  }

  private registration(line: Line): string {
    const address = `<sip:${this.phone.user}@${DOMAIN}>`
    const uri = `sip:${DOMAIN}`
    const headers = [...line.conditions, ...this.credentials(line, uri)]
    const hasContact = headers.some((header) => header.startsWith('Contact:')) || line.words.includes('query')
    this.serial += 1
    return this.build('REGISTER', {
      uri,
      from: `${address};tag=r`,
      to: address,
      callId: `registration-${this.phone.user}`,
      cseq: this.serial,
      headers,
      ...(!hasContact && { contact: this.phone.contact }),
    })
  }

  private initial(line: Line, known: Dialog | undefined): string {
    const [callee = ''] = line.words
    const uri = callee.includes(':') ? callee : `sip:${callee}@${DOMAIN}`
    const dialog = known ?? this.newDialog(line, uri)
    this.dialogs.set(line.call, dialog)
    dialog.cseq += 1
    const text = this.build(line.what, {
      uri,
      from: `${dialog.local};tag=${dialog.localTag}`,
      to: dialog.remote,
      callId: `call-${line.call}`,
      cseq: dialog.cseq,
      contact: this.phone.contact,
      headers: [...line.conditions, ...this.credentials(line, uri)],
    })
    if (line.what === 'INVITE') dialog.invite = text
    dialog.routes = []
    dialog.remoteTag = ''
    return text
  }

  private newDialog(line: Line, uri: string): Dialog {
    return {
      localTag: `${this.phone.user}-${line.call}`,
      remoteTag: '',
      local: `<sip:${this.phone.user}@${DOMAIN}>`,
      remote: `<${uri.split('?')[0]}>`,
      target: uri,
      routes: [],
      cseq: 0,
      received: new Map(),
      lastReceived: '',
      invite: '',
      answer: '',
    }
  }

  /** [RFC3261-13.2.2.4] [RFC3261-17.1.1.3] */
  private acknowledgement(dialog: Dialog, line: Line): string {
    const status = Number(startLine(dialog.answer).split(' ')[1])
    if (status >= 300) return this.sameTransaction(dialog, 'ACK', headerOf(dialog.answer, 'to'))
    const cseq = Number.parseInt(headerOf(dialog.answer, 'cseq'), 10)
    return this.build('ACK', { ...this.dialogParts(dialog, line), cseq })
  }

  private sameTransaction(dialog: Dialog, method: string, to: string): string {
    const { invite } = dialog
    return buildRequest({
      method,
      uri: startLine(invite).split(' ')[1] ?? '',
      via: headerOf(invite, 'via'),
      from: headerOf(invite, 'from'),
      to,
      callId: headerOf(invite, 'call-id'),
      cseq: Number.parseInt(headerOf(invite, 'cseq'), 10),
      headers: headerValues(invite, 'route').map((value) => `Route: ${value}`),
    })
  }

  private inDialog(dialog: Dialog, line: Line): string {
    dialog.cseq += 1
    const text = this.build(line.what, {
      ...this.dialogParts(dialog, line),
      cseq: dialog.cseq,
      contact: this.phone.contact,
    })
    if (line.what === 'INVITE') dialog.invite = text
    return text
  }

  private dialogParts(dialog: Dialog, line: Line) {
    return {
      uri: dialog.target,
      from: `${dialog.local};tag=${dialog.localTag}`,
      to: dialog.remoteTag === '' ? dialog.remote : `${dialog.remote};tag=${dialog.remoteTag}`,
      callId: `call-${line.call}`,
      headers: [...dialog.routes.map((route) => `Route: ${route}`), ...line.conditions],
    }
  }

  private build(method: string, parts: NonNullable<Parameters<typeof buildRequest>[0]>): string {
    return this.phone.request(method, parts)
  }

  /** [RFC7616-3.4] without qop's counters of a real phone: each nonce is used once. */
  private credentials(line: Line, uri: string): string[] {
    if (!line.words.includes('auth')) return []
    const isProxy = startLine(this.challenge).includes(' 407 ')
    const wanted = headerValues(this.challenge, isProxy ? 'proxy-authenticate' : 'www-authenticate')
    const chosen = wanted.find((value) => value.includes('algorithm=MD5')) ?? ''
    const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(chosen)?.[1] ?? ''
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
    const { user } = this.phone
    const [realm, nonce] = [field('realm'), field('nonce')]
    const ha1 = md5(`${user}:${realm}:${user}-secret`)
    const response = md5(`${ha1}:${nonce}:00000001:c:auth:${md5(`${line.what}:${uri}`)}`)
    const value = `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}"`
    const name = isProxy ? 'Proxy-Authorization' : 'Authorization'
    return [`${name}: ${value}, algorithm=MD5, qop=auth, nc=00000001, cnonce="c"`]
  }
}

function parseLine(text: string): Line {
  const conditions = [...text.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] ?? '')
  const [who = '', arrow = '', what = '', ...rest] = text
    .replace(/\{[^}]*\}/g, '')
    .trim()
    .split(/\s+/)
  if (arrow !== '>' && arrow !== '<') throw new Error(`not a line of a ladder: ${text}`)
  const call = rest.find((word) => word.startsWith('#'))?.slice(1) ?? '1'
  return {
    text,
    who,
    isSent: arrow === '>',
    what,
    words: rest.filter((word) => !word.startsWith('#')),
    call,
    conditions,
  }
}

function wordAfter(line: Line, word: string): string | undefined {
  const at = line.words.indexOf(word)
  return at < 0 ? undefined : line.words[at + 1]
}

/** `Name ~ pattern`, or `!Name`. */
function checkHeader(message: string, condition: string, line: string): void {
  const [name = '', pattern = ''] = condition.split(' ~ ')
  if (name.startsWith('!')) return expect(headerValues(message, name.slice(1)), line).toEqual([])
  if (name === 'URI') return expect(startLine(message).split(' ')[1], line).toMatch(new RegExp(pattern))
  expect(headerValues(message, name).join(', '), `${line}\n\n${message}`).toMatch(new RegExp(pattern))
}

function headerOf(message: string, name: string): string {
  return headerValues(message, name)[0] ?? ''
}

function tagOf(value: string): string {
  return /;\s*tag=([^;]+)/.exec(value)?.[1] ?? ''
}

function withoutTag(value: string): string {
  return value.replace(/;\s*tag=[^;]+/, '')
}

function addressOf(contact: string): string {
  return /<([^>]*)>/.exec(contact)?.[1] ?? contact
}

/** [RFC3261-18.2.2] where a response goes: the top Via, which an edge has written. */
function sentBy(request: string): Place {
  const match = /SIP\/2\.0\/UDP ([^:;\s]+):(\d+)/.exec(headerOf(request, 'via'))
  return { address: match?.[1] ?? '', port: Number(match?.[2]) }
}

/** `caller` calls and is answered: INVITE, 100, 180, 200, ACK. @param mark e.g. `#2` */
export function session(caller: string, callee: string, mark = '', headers = ''): string {
  return `
    ${caller} > INVITE ${callee.toLowerCase()} ${mark} ${headers}
    ${caller} < 100 ${mark}
    ${callee} < INVITE ${mark}
    ${callee} > 180 ${mark}
    ${caller} < 180 ${mark}
    ${callee} > 200 ${mark}
    ${caller} < 200 ${mark}
    ${caller} > ACK ${mark}
    ${callee} < ACK ${mark} {!Route}`
}

/** A request inside a dialog, or a text out of one, and its 200. */
export function exchange(from: string, to: string, method: string, mark = '', headers = '', status = 200): string {
  return `
    ${from} > ${method} ${mark} ${headers}
    ${to} < ${method} ${mark}
    ${to} > ${status} ${mark}
    ${from} < ${status} ${mark}`
}

/** A re-INVITE. */
export function again(from: string, to: string, mark = ''): string {
  return `
    ${from} > INVITE ${mark}
    ${from} < 100 ${mark}
    ${to} < INVITE ${mark} {!Route}
    ${to} > 200 ${mark}
    ${from} < 200 ${mark}
    ${from} > ACK ${mark}
    ${to} < ACK ${mark}`
}
