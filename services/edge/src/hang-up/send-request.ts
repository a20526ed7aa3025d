// SPDX-License-Identifier: MIT
//
// A request of ours inside a dialog on its way: by the Route set of its party, else down the flow or to the place that our token names, else
// to its Contact; with the further endpoints of a host where one fails (RFC 3263 section 4.3), and, where its flow is gone, by a binding that
// the same user has now. The token proves that the dialog is one of this cluster's: nobody is sent to on the word of a record alone.

import type { location } from '@tandem/rpc'
import { METHOD, RouteView, type SipMessage, type VerifiedToken } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { NextHop } from '../hops/hops.ts'
import { nextHop } from '../in-dialog/in-dialog.ts'
import { StreamPeer } from '../listeners/peers.ts'
import { OwnRequest, ownBranch } from '../own/own-request.ts'
import { type DialogRequest, draftOf, encodeDialogRequest, partyOf } from './dialog-request.ts'

/** Endpoints and flows that one request is tried at. */
const MAX_ATTEMPTS = 4
/** What Via and the Route between edges add to the draft. */
const ADDED_BYTES = 200
/** There is no way to the party from here. */
export const NO_WAY = 0
/** ICMP says that nobody listens there: as if he had kept silent. A connection that can't be made says less: phones connect anew. */
const NOBODY = 408

const view = new RouteView<VerifiedToken>()

/** @param onFinal told once: the final status, 408 where nobody answers, NO_WAY */
export function sendDialogRequest(core: EdgeCore, request: DialogRequest, onFinal: (status: number) => void): void {
  const draft = draftOf(request)
  if (draft === undefined) return onFinal(NO_WAY)
  new Sending(core, request, draft, onFinal).start()
}

class Sending {
  private readonly core: EdgeCore
  private readonly request: DialogRequest
  private readonly draft: SipMessage
  private readonly onFinal: (status: number) => void
  private attempts = 0
  private hasAsked = false

  constructor(core: EdgeCore, request: DialogRequest, draft: SipMessage, onFinal: (status: number) => void) {
    this.core = core
    this.request = request
    this.draft = draft
    this.onFinal = onFinal
  }

  start(): void {
    const { core, draft } = this
    view.read(draft, core.routeOwner)
    const { token } = view
    if (token === undefined) return this.onFinal(NO_WAY)
    const side = token.isInitiatorA ? token.callee : token.caller
    const isGone = side.kind === 'flow' && view.nextStart < 0 && core.hops.toSide(side, draft) === undefined
    const onHop = (hop: NextHop | undefined): void => this.onHop(hop)
    if (!isGone) return nextHop(core, draft, view, token, onHop)
    this.askBinding((hop) => {
      if (hop !== undefined) return this.send(hop)
      view.read(draft, core.routeOwner)
      nextHop(core, draft, view, token, onHop)
    })
  }

  private onHop(hop: NextHop | undefined): void {
    if (hop !== undefined) return this.send(hop)
    this.elsewhere(NO_WAY)
  }

  private send(wanted: NextHop): void {
    const { core, request, draft } = this
    const hop = core.hops.forSize(wanted, draft.end - draft.start + ADDED_BYTES)
    const { peer } = hop
    const branch = ownBranch(core.ring, draft, this.attempts)
    this.attempts += 1
    const bytes = encodeDialogRequest(request, peer.facing.via(branch), hop.route, hop.uri)
    const own = new OwnRequest((status, response) => this.onEnd(hop, status, response !== undefined))
    const method = request.method === 'BYE' ? METHOD.BYE : METHOD.OPTIONS
    const client = core.layer.createClient(branch, method, bytes, 0, bytes.length, peer, own)
    if (client === undefined) return own.end(503)
    if (peer instanceof StreamPeer) peer.clients.add(client)
  }

  /** [RFC3263-4.3] [RFC5626-5.3] */
  private onEnd(hop: NextHop, status: number, isAnswered: boolean): void {
    const next = !isAnswered || status === 503 ? hop.alternatives[0] : undefined
    if (next !== undefined && this.attempts < MAX_ATTEMPTS) return this.send(next)
    if (!isAnswered && status === 503) return this.elsewhere(hop.peer instanceof StreamPeer ? NO_WAY : NOBODY)
    if (status === 430) return this.elsewhere(NO_WAY)
    this.onFinal(status)
  }

  /** The user may have another binding by now. */
  private elsewhere(status: number): void {
    if (this.attempts >= MAX_ATTEMPTS) return this.onFinal(status)
    this.askBinding((hop) => (hop === undefined ? this.onFinal(status) : this.send(hop)))
  }

  /** Once: the binding refreshed last whose contact has the same user part. */
  private askBinding(onHop: (hop: NextHop | undefined) => void): void {
    const { core, draft } = this
    const { aor, target } = partyOf(this.request)
    if (aor === '' || this.hasAsked) return onHop(undefined)
    this.hasAsked = true
    core.location.call('locate', { aor }, core.config.rpc.timeoutMs, (result) => {
      const bindings = result.outcome === 'done' ? result.value.bindings : []
      const binding = bindings.find((one) => isSameUser(one, target))
      if (binding === undefined) onHop(undefined)
      else core.hops.toBinding(binding, draft, onHop)
    })
  }
}

const userOf = (uri: string): string => /^sips?:([^@]*)@/i.exec(uri)?.[1] ?? ''

/** A phone that connects anew keeps its user part, and changes its port. */
function isSameUser({ uri }: location.Binding, target: string): boolean {
  return userOf(uri) === userOf(target)
}
