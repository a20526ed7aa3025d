// SPDX-License-Identifier: MIT
//
// An edge that asks itself: OPTIONS to its own public ports, from sockets of their own, by the way that everybody's messages take. With
// Max-Forwards 0 the edge that gets it answers by itself [RFC3261-11], so that neither policy nor location is asked.
// UDP, TCP and TLS must each have answered once; after that one of them is asked each round, UDP where there is UDP.
// Where several edges share a port on one machine (SO_REUSEPORT), the kernel chooses who gets a datagram: several are sent, from as many sockets,
// and the edge knows its own ones again by a word in them. A round that only others had says nothing.
// Left out: WebSocket and SCTP; TLS where clients must show a certificate.
// Invariant: an edge that has so much to do that it lets go of requests, or has no room for connections, does answer: being full is
// said by 503, and another edge is full then too.

import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { askStream } from './ask-stream.ts'
import { askUdp } from './ask-udp.ts'
import { type Question, questionOf } from './question.ts'

export type ProbeOutcome = 'answered' | 'silent' | 'unknown'

export interface ProbePlaces {
  /** Numeric. */
  readonly host: string
  /** Absent: not listening. */
  readonly udp?: number | undefined
  readonly tcp?: number | undefined
  readonly tls?: number | undefined
  /** Other edges may get what is sent there. */
  readonly isShared: boolean
  /** Connections from this machine begin with a PROXY header. */
  readonly isProxied: boolean
}

type Kind = 'udp' | 'tcp' | 'tls'

/** Datagrams of a round where a port is shared. */
const SHARED_TRIES = 8

/** Where what is bound there is reached from this machine. */
export function loopbackOf(bindAddress: string): string {
  if (bindAddress === '0.0.0.0') return '127.0.0.1'
  return bindAddress === '::' ? '::1' : bindAddress
}

export class SelfProbe {
  private readonly places: ProbePlaces
  private readonly timeoutMs: number
  private readonly word = randomBytes(9).toString('hex')
  private readonly toProve: Set<Kind>
  private count = 0
  private seen = 0
  private isClosed = false
  /** While one of ours may come in. */
  isLooking = false

  constructor(places: ProbePlaces, timeoutMs: number) {
    this.places = places
    this.timeoutMs = timeoutMs
    this.toProve = new Set((['udp', 'tcp', 'tls'] as const).filter((kind) => places[kind] !== undefined))
  }

  /** A message that has come in while `isLooking`; notes it where it is one of ours. */
  look(buf: Buffer, start: number): void {
    if (questionOf(buf, start) === this.word) this.seen += 1
  }

  /** One round. Never rejects. */
  async ask(): Promise<ProbeOutcome> {
    this.isLooking = true
    try {
      return this.toProve.size > 0 ? await this.prove() : await this.askOne(this.usual)
    } finally {
      this.isLooking = false
    }
  }

  close(): void {
    this.isClosed = true
  }

  private get usual(): Kind {
    if (this.places.udp !== undefined) return 'udp'
    return this.places.tcp === undefined ? 'tls' : 'tcp'
  }

  /** All that have not answered yet. */
  private async prove(): Promise<ProbeOutcome> {
    let outcome: ProbeOutcome = 'answered'
    for (const kind of [...this.toProve]) {
      const one = await this.askOne(kind)
      if (one === 'answered') this.toProve.delete(kind)
      else outcome = one
      if (this.isClosed) return 'unknown'
    }
    return outcome
  }

  private async askOne(kind: Kind): Promise<ProbeOutcome> {
    const seenBefore = this.seen
    const tries = this.places.isShared ? SHARED_TRIES : 1
    const answers = await Promise.all(Array.from({ length: tries }, () => this.send(kind)))
    if (this.seen > seenBefore) return this.wasAnswered(answers) ? 'answered' : 'silent'
    // A connection that is refused for want of room was accepted by this process, where nobody else has the port.
    if (answers.includes('refused') && !this.toProve.has(kind)) return this.places.isShared ? 'unknown' : 'answered'
    return answers.includes('answered') ? 'unknown' : 'silent'
  }

  /** Over UDP an edge may let go of it on purpose once it has seen it. */
  private wasAnswered(answers: readonly string[]): boolean {
    return this.toProve.size === 0 || answers.includes('answered')
  }

  private send(kind: Kind): Promise<'answered' | 'refused' | 'silent'> {
    this.count += 1
    const { timeoutMs, word, count } = this
    const { host } = this.places
    const port = this.places[kind] as number
    const question: Question = { kind, host, port, word, count }
    if (kind === 'udp') return askUdp(question, timeoutMs)
    const socket = kind === 'tcp' ? connect({ host, port }) : connectTls({ host, port, rejectUnauthorized: false })
    return askStream(question, socket, timeoutMs, this.places.isProxied)
  }
}
