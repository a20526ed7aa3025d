// SPDX-License-Identifier: MIT
//
// Requests that policy has the edge send in the cluster's name, outside of any dialog (proto/tandem/policy/v1, SendRequest): probes of
// trunks, and registrations at them. What comes back is told by `sent`; what the answer means, and the credentials in it, are policy's.
//
// Bounds: MAX_RUNNING at once, MAX_ATTEMPTS endpoints of a host, 32 s. A command beyond, or one that can't be written, is not answered: policy
// asks the next edge. A command that comes twice while the first runs is dropped.

import { randomBytes } from 'node:crypto'
import type { policy } from '@tandem/rpc'
import { findHeaderByName, headerValue, METHOD, SipMessage, scan } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { NextHop } from '../hops/hops.ts'
import { requestUriOf } from '../initial/request-uri-of.ts'
import type { Facing } from '../listeners/facing.ts'
import { StreamPeer } from '../listeners/peers.ts'
import { OwnRequest, ownBranch } from './own-request.ts'

const MAX_RUNNING = 1_000
/** Endpoints that one request is tried at [RFC3263-4.3]. */
const MAX_ATTEMPTS = 4
/** Timer F. */
const LONGEST_MS = 32_000
/** What Via and Contact add to the draft. */
const ADDED_BYTES = 300
const ANY_VIA = 'Via: SIP/2.0/UDP invalid;branch=z9hG4bK\r\n'
const METHODS = { OPTIONS: METHOD.OPTIONS, REGISTER: METHOD.REGISTER } as const
/** Of the response, what policy reads. */
const TOLD = [
  'WWW-Authenticate',
  'Proxy-Authenticate',
  'Authentication-Info',
  'Contact',
  'Expires',
  'Min-Expires',
  'Retry-After',
  'Service-Route',
  'P-Associated-URI',
  'Server',
]
const MAX_TOLD = 32

const LINE = /^[\t -~\xa0-\xff]{0,8192}$/
const TOKEN = /^[\w!%'*+.`~-]{1,100}$/
const URI = /^sips?:[!-~]{1,2000}$/i
const CALL_ID = /^[!-~]{1,255}$/
const CONTACT_USER = /^[\w.+~-]{0,128}$/
const OURS = new Set(
  'via v route record-route max-forwards from f to t call-id i cseq contact m content-length l'.split(' '),
)

/** Carries out what policy pushes. */
export function sendAsked(core: EdgeCore): void {
  const running = new Set<string>()
  core.policy.onPush(({ event }) => {
    if (event?.$case !== 'sendRequest') return
    const command = event.value
    if (running.has(command.commandId)) return
    if (running.size >= MAX_RUNNING || !isWritable(command)) {
      core.counts.askedRequestsDropped += 1
      return
    }
    running.add(command.commandId)
    core.counts.askedRequests += 1
    new Asked(core, command, () => running.delete(command.commandId)).start()
  })
}

function isWritable({
  method,
  requestUri,
  nextHop,
  from,
  to,
  callId,
  contactUser,
  headers,
}: policy.SendRequest): boolean {
  const isAddressed = URI.test(requestUri) && (nextHop === '' || URI.test(nextHop))
  const isNamed = from !== '' && to !== '' && LINE.test(from) && LINE.test(to) && CALL_ID.test(callId)
  if (!(method in METHODS) || !isAddressed || !isNamed || !CONTACT_USER.test(contactUser)) return false
  return headers.every(({ name, value }) => TOKEN.test(name) && LINE.test(value) && !OURS.has(name.toLowerCase()))
}

class Asked {
  private readonly core: EdgeCore
  private readonly command: policy.SendRequest
  private readonly onDone: () => void
  /** [RFC3261-8.1.1.3] Of From where it brings none. */
  private readonly tag: string
  private readonly beganMs: number
  private readonly deadline: NodeJS.Timeout
  private attempts = 0
  private isOver = false

  constructor(core: EdgeCore, command: policy.SendRequest, onDone: () => void) {
    this.core = core
    this.command = command
    this.onDone = onDone
    this.tag = /;\s*tag=/i.test(command.from) ? '' : `;tag=${randomBytes(6).toString('base64url')}`
    this.beganMs = core.now()
    this.deadline = setTimeout(() => this.end(0, undefined), Math.min(command.timeoutMs || LONGEST_MS, LONGEST_MS))
  }

  start(): void {
    const { core, command } = this
    const onHop = (hop: NextHop | undefined): void => (hop === undefined ? this.end(0, undefined) : this.send(hop))
    if (command.nextHop === '') core.hops.toUri(command.requestUri, false, onHop)
    else core.hops.toUriBy(command.nextHop, command.requestUri, onHop)
  }

  private send(wanted: NextHop): void {
    if (this.isOver) return
    const { core } = this
    const draft = Buffer.from(this.text(ANY_VIA, undefined, ''), 'latin1')
    const msg = new SipMessage()
    if (scan(msg, draft, 0, draft.length) !== 0) return this.end(0, undefined)
    const hop = core.hops.forSize(wanted, draft.length + ADDED_BYTES)
    const { peer } = hop
    const branch = ownBranch(core.ring, msg, this.attempts)
    this.attempts += 1
    const bytes = Buffer.from(this.text(peer.facing.via(branch), peer.facing, hop.route), 'latin1')
    const own = new OwnRequest((status, response) => this.onFinal(hop, status, response))
    const method = METHODS[this.command.method as keyof typeof METHODS]
    const client = core.layer.createClient(branch, method, bytes, 0, bytes.length, peer, own)
    if (client === undefined) return own.end(503)
    if (peer instanceof StreamPeer) peer.clients.add(client)
  }

  /** [RFC3263-4.3] Another endpoint where this one says nothing, or that it is out of order. */
  private onFinal(hop: NextHop, status: number, response: SipMessage | undefined): void {
    const next = response === undefined || status === 503 ? hop.alternatives[0] : undefined
    if (next !== undefined && this.attempts < MAX_ATTEMPTS) return this.send(next)
    this.end(response === undefined ? 0 : status, response)
  }

  private text(via: string, facing: Facing | undefined, route: string): string {
    const { method, requestUri, from, to, callId, cseq, headers, contactUser } = this.command
    const contact = contactUser === '' || facing === undefined ? '' : `Contact: ${contactOf(contactUser, facing)}\r\n`
    return [
      `${method} ${requestUriOf(requestUri)} SIP/2.0\r\n${via}Max-Forwards: 70\r\n${route}`,
      `From: ${from}${this.tag}\r\nTo: ${to}\r\nCall-ID: ${callId}\r\nCSeq: ${cseq} ${method}\r\n${contact}`,
      ...headers.map(({ name, value }) => `${name}: ${value}\r\n`),
      'Content-Length: 0\r\n\r\n',
    ].join('')
  }

  private end(status: number, response: SipMessage | undefined): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.deadline)
    this.onDone()
    const { core, command } = this
    const tookMs = Math.round(core.now() - this.beganMs)
    const headers = response === undefined ? [] : toldOf(response)
    const value = { commandId: command.commandId, status, tookMs, headers }
    // Policy's lease ends and it asks again where this gets lost.
    core.policy.call('sent', value, core.config.rpc.timeoutMs, () => undefined)
  }
}

/** `<sip:user@host:port;transport=tcp>`: the place that the far side may call. */
function contactOf(user: string, { host, port, transport }: Facing): string {
  const parameter = transport === 'udp' ? '' : `;transport=${transport === 'wss' ? 'ws' : transport}`
  return `<sip:${user}@${host}:${port}${parameter}>`
}

function toldOf(response: SipMessage): policy.SentHeader[] {
  const told: policy.SentHeader[] = []
  for (const name of TOLD) {
    for (let k = findHeaderByName(response, name); k >= 0; k = findHeaderByName(response, name, k + 1)) {
      if (told.length < MAX_TOLD) told.push({ name, value: headerValue(response, k) })
    }
  }
  return told
}
