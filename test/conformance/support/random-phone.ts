// SPDX-License-Identifier: MIT
// A phone that repeats what it owes, as RFC 3261 section 17 says, and does what a seed says: calls and gives up or hangs up, rings,
// answers, refuses or says nothing. For whole clusters on a network that loses, repeats and reorders. It keeps what a test asks of it.
import { buildRequest, buildResponse, headerValues, type InMemoryNetwork, startLine } from '@tandem/test-kit'
import { MemoryPhone } from '../../support/phone.ts'

const T1_MS = 500
const T2_MS = 4_000
const GIVE_UP_MS = 32_000

interface Repeated {
  readonly text: string
  readonly place: Place
  nextMs: number
  intervalMs: number
  readonly untilMs: number
}

interface Place {
  readonly address: string
  readonly port: number
}

/** Sends and repeats; `key` names what an answer ends. */
class Repeater {
  private readonly owed = new Map<string, Repeated>()
  private readonly phone: MemoryPhone

  constructor(phone: MemoryPhone) {
    this.phone = phone
  }

  start(key: string, text: string, place: Place, nowMs: number): void {
    this.phone.endpoint.sendText(text, place.port, place.address)
    this.owed.set(key, { text, place, nextMs: nowMs + T1_MS, intervalMs: T1_MS, untilMs: nowMs + GIVE_UP_MS })
  }

  stop(key: string): void {
    this.owed.delete(key)
  }

  tick(nowMs: number): void {
    for (const [key, owed] of this.owed) {
      if (nowMs >= owed.untilMs) this.owed.delete(key)
      else if (nowMs >= owed.nextMs) {
        this.phone.endpoint.sendText(owed.text, owed.place.port, owed.place.address)
        owed.intervalMs = Math.min(owed.intervalMs * 2, T2_MS)
        owed.nextMs = nowMs + owed.intervalMs
      }
    }
  }
}

export interface CallerPlan {
  /** Milliseconds after the first word of the other side; undefined: never. */
  readonly cancelAfterMs: number | undefined
}

/** Calls once. */
export class RandomCaller {
  readonly phone: MemoryPhone
  /** Failures by their text's identity: start line and To. */
  readonly failures = new Set<string>()
  /** To tags of the 2xx that came. */
  readonly answers = new Set<string>()
  private readonly repeater: Repeater
  private readonly edge: Place
  private readonly plan: CallerPlan
  private invite = ''
  private heardMs: number | undefined
  private isCancelled = false

  constructor(network: InMemoryNetwork, host: string, edge: Place, plan: CallerPlan) {
    this.phone = new MemoryPhone(network, 'alice', host, 5060, edge)
    this.repeater = new Repeater(this.phone)
    this.edge = edge
    this.plan = plan
    this.phone.onResponse = (text) => this.onResponse(text)
  }

  call(uri: string, nowMs: number): void {
    this.invite = this.phone.request('INVITE', {
      uri,
      from: '<sip:alice@tandem.test>;tag=a',
      to: `<${uri}>`,
      callId: 'random',
      contact: this.phone.contact,
    })
    this.repeater.start('INVITE', this.invite, this.edge, nowMs)
  }

  tick(nowMs: number): void {
    this.repeater.tick(nowMs)
    if (this.phone.inbox.length > 0) this.heardMs ??= nowMs
    const { cancelAfterMs } = this.plan
    const isOver = this.failures.size + this.answers.size > 0
    if (cancelAfterMs === undefined || this.heardMs === undefined || this.isCancelled || isOver) return
    if (nowMs < this.heardMs + cancelAfterMs) return
    this.isCancelled = true
    this.repeater.start('CANCEL', this.sameTransaction('CANCEL', `<${uriOf(this.invite)}>`), this.edge, nowMs)
  }

  private onResponse(text: string): void {
    const status = statusOf(text)
    const method = methodOf(text)
    if (method === 'CANCEL') return this.repeater.stop('CANCEL')
    this.repeater.stop('INVITE')
    if (status < 200) return
    const to = headerValues(text, 'to')[0] ?? ''
    if (status >= 300) {
      this.failures.add(`${startLine(text)} ${to}`)
      return this.send(this.sameTransaction('ACK', to))
    }
    this.answers.add(tagOf(to))
    const headers = headerValues(text, 'record-route')
      .reverse()
      .map((route) => `Route: ${route}`)
    const uri = /<([^>]*)>/.exec(headerValues(text, 'contact')[0] ?? '')?.[1] ?? ''
    this.send(
      this.phone.request('ACK', { uri, from: headerValues(text, 'from')[0] ?? '', to, callId: 'random', headers }),
    )
  }

  private send(text: string): void {
    this.phone.endpoint.sendText(text, this.edge.port, this.edge.address)
  }

  private sameTransaction(method: string, to: string): string {
    return buildRequest({
      method,
      uri: uriOf(this.invite),
      via: headerValues(this.invite, 'via'),
      from: headerValues(this.invite, 'from')[0] ?? '',
      to,
      callId: 'random',
    })
  }
}

export interface CalleePlan {
  /** 0: not a word. */
  readonly status: number
  readonly rings: boolean
  /** From the INVITE to the final response. */
  readonly afterMs: number
}

/** Is called once, by any number of copies of one INVITE. */
export class RandomCallee {
  readonly phone: MemoryPhone
  readonly tag: string
  /** It has answered with a 2xx. */
  hasAnswered = false
  private readonly repeater: Repeater
  private readonly plan: CalleePlan
  private invite = ''
  private invitedMs: number | undefined
  private final = ''

  constructor(network: InMemoryNetwork, user: string, host: string, edge: Place, plan: CalleePlan) {
    this.phone = new MemoryPhone(network, user, host, 5060, edge)
    this.tag = `t-${host}`
    this.repeater = new Repeater(this.phone)
    this.plan = plan
    this.phone.onRequest = (text) => this.onRequest(text)
  }

  tick(nowMs: number): void {
    this.repeater.tick(nowMs)
    if (this.invite === '') return
    this.invitedMs ??= nowMs
    if (this.final !== '' || this.plan.status === 0 || nowMs < this.invitedMs + this.plan.afterMs) return
    this.finish(this.plan.status, nowMs)
  }

  private finish(status: number, nowMs: number): void {
    this.hasAnswered = status < 300
    this.final = this.responseTo(this.invite, status)
    this.repeater.start('final', this.final, sentBy(this.invite), nowMs)
  }

  private onRequest(text: string): void {
    const method = text.split(' ')[0]
    if (method === 'ACK') return this.repeater.stop('final')
    if (method === 'INVITE') return this.onInvite(text)
    this.answer(text, 200)
    if (method === 'CANCEL' && this.final === '' && this.invite !== '') this.finish(487, this.invitedMs ?? 0)
  }

  private onInvite(text: string): void {
    const isFirst = this.invite === ''
    if (isFirst) this.invite = text
    if (this.final !== '') return
    if (this.plan.rings) this.answer(text, 180)
  }

  private answer(request: string, status: number): void {
    const { address, port } = sentBy(request)
    this.phone.endpoint.sendText(this.responseTo(request, status), port, address)
  }

  private responseTo(request: string, status: number): string {
    return buildResponse(request, status, { toTag: this.tag, contact: this.phone.contact })
  }
}

function statusOf(text: string): number {
  return Number(startLine(text).split(' ')[1])
}

function methodOf(response: string): string {
  return headerValues(response, 'cseq')[0]?.split(' ')[1] ?? ''
}

function uriOf(request: string): string {
  return startLine(request).split(' ')[1] ?? ''
}

function tagOf(value: string): string {
  return /;\s*tag=([^;]+)/.exec(value)?.[1] ?? ''
}

function sentBy(request: string): Place {
  const match = /SIP\/2\.0\/UDP ([^:;\s]+):(\d+)/.exec(headerValues(request, 'via')[0] ?? '')
  return { address: match?.[1] ?? '', port: Number(match?.[2]) }
}
