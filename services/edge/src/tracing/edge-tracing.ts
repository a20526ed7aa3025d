// SPDX-License-Identifier: MIT
//
// Traces of what an edge does with requests (docs/operations/tracing.md). Which trace a message belongs to is in the message: its Call-ID,
// and of what makes no dialog its CSeq. The span above that of a received request is that of the branch of ours in its Vias, if there
// is one. So what several edges do for one call is one trace, and no header and no state says so.
//
// Leaves out requests that are refused or pass without a transaction, but for the ACK of a 2xx and the hop between edges: those are an
// event in time, and sent when they are sampled; the hop is held with the rest of its call.
import {
  decodeBranch,
  HEADER,
  METHOD,
  type ProxyContext,
  parseVia,
  type ServerTransaction,
  type SipMessage,
  ValueCursor,
  ViaView,
} from '@tandem/sip'
import { randomSpanId, rootIdOf, SPAN_KIND, Span, spanIdOf, type Tracing, traceIdOf } from '@tandem/telemetry'
import type { EdgeCore } from '../core.ts'
import type { NextHop } from '../hops/hops.ts'
import { formsDialog } from '../in-dialog/record-route.ts'
import { methodName } from '../initial/describe.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { type EdgeTraceParts, RequestTrace, type TraceStart } from './request-trace.ts'

type TracedCore = Pick<EdgeCore, 'config' | 'edgeId' | 'location' | 'policy' | 'membership'>

const cursor = new ValueCursor()
const via = new ViaView()

/** What is no dialog and begins none is a trace for each request: phones register with one Call-ID for weeks. */
function traceIdOfRequest(msg: SipMessage): string {
  const isOfDialog = msg.toTagStart >= 0 || formsDialog(msg.method)
  return traceIdOf(msg.text(msg.callIdStart, msg.callIdEnd), isOfDialog ? '' : String(msg.cseq))
}

export class EdgeTracing {
  private readonly core: TracedCore
  private readonly parts: EdgeTraceParts

  constructor(core: TracedCore, tracing: Tracing) {
    const { config, edgeId, location, policy } = core
    this.core = core
    const attributes = {
      'service.namespace': config.clusterName,
      'service.instance.id': edgeId,
      'tandem.edge': config.id,
    }
    const tellFailed = (traceId: string): void => {
      location.keepTrace?.(traceId)
      policy.keepTrace?.(traceId)
    }
    this.parts = { tracing, source: { service: 'tandem-edge', attributes }, tellFailed }
    location.onPush(({ event }) => {
      if (event?.$case !== 'keptTraces') return
      for (const traceId of event.value.traceIds.split(',')) tracing.keep(traceId)
    })
  }

  /**
   * Watches a context that was just opened.
   *
   * @param isInitial it belongs to no dialog
   * @param how this edge came to it where it was another's
   */
  begin(context: ProxyContext, peer: EdgePeer, isInitial: boolean, how = ''): void {
    const { tracing } = this.parts
    const msg = context.request as SipMessage
    const traceId = traceIdOfRequest(msg)
    const sampled = tracing.isSampled(traceId)
    if (!tracing.wants(sampled)) return
    const start = { traceId, sampled, method: methodName(msg), parentId: this.parentOf(msg), isInitial }
    context.trace = this.describe(new RequestTrace(this.parts, start), msg, peer, start)
    if (how !== '') (context.trace as RequestTrace).event(how)
  }

  private describe(trace: RequestTrace, msg: SipMessage, peer: EdgePeer, { method }: TraceStart): RequestTrace {
    for (const [name, value] of Object.entries(this.attributesOf(msg, peer, method))) trace.note(name, value)
    return trace
  }

  private attributesOf(msg: SipMessage, peer: EdgePeer, method: string) {
    const { facing, transport, address, port } = peer
    return {
      'sip.call_id': msg.text(msg.callIdStart, msg.callIdEnd),
      'sip.request.method': method,
      'sip.cseq': msg.cseq,
      'network.transport': transport,
      'network.peer.address': address,
      'network.peer.port': port,
      'server.address': facing.host,
      'server.port': facing.port,
      'tandem.edge': this.core.config.id,
      ...(this.parts.tracing.settings.users ? usersOf(msg) : {}),
    }
  }

  /** Span of the branch of ours that is nearest in the Vias; '' where none is. */
  private parentOf(msg: SipMessage): string {
    cursor.reset(msg, HEADER.VIA)
    while (cursor.next()) {
      if (!parseVia(msg.buf, cursor.start, cursor.end, via) || via.branchStart < 0) continue
      if (decodeBranch(msg.buf, via.branchStart, via.branchEnd) === undefined) continue
      if (!this.core.membership.isOwnAddress(msg.text(via.hostStart, via.hostEnd), via.port)) continue
      return spanIdOf(msg.text(via.branchStart, via.branchEnd))
    }
    return ''
  }

  /** A request that matched its transaction: a retransmission, or the ACK of a failure. */
  onRepeated({ context }: ServerTransaction, msg: SipMessage): void {
    if (msg.method !== METHOD.ACK) traceOf(context as ProxyContext | undefined)?.event('retransmission')
  }

  /** The ACK of a 2xx, which passes without a transaction. @param branch of ours, that it leaves with */
  onAck(msg: SipMessage, peer: EdgePeer, hop: NextHop, branch: string): void {
    const { tracing } = this.parts
    const traceId = traceIdOfRequest(msg)
    if (!tracing.isSampled(traceId)) return
    this.pass(msg, peer, hop, { traceId, spanId: spanIdOf(branch), parentId: rootIdOf(traceId), sampled: true })
  }

  /** A request of another edge on its way down a flow of this one. @param status of the refusal where it has gone nowhere */
  onHop(msg: SipMessage, peer: EdgePeer, hop: NextHop | undefined, status = 0): void {
    const { tracing } = this.parts
    const traceId = traceIdOfRequest(msg)
    const sampled = tracing.isSampled(traceId)
    if (!tracing.wants(sampled)) return
    const parentId = spanIdOf(msg.text(msg.viaBranchStart, msg.viaBranchEnd))
    this.pass(msg, peer, hop, { traceId, spanId: randomSpanId(), parentId, sampled }, status)
  }

  private pass(msg: SipMessage, peer: EdgePeer, hop: NextHop | undefined, place: Place, status = 0): void {
    const { tracing, source } = this.parts
    const { traceId, spanId, parentId, sampled } = place
    const method = methodName(msg)
    const span = new Span(source, traceId, spanId, parentId, method, SPAN_KIND.SERVER, tracing.now())
    Object.assign(span.attributes, this.attributesOf(msg, peer, method))
    if (hop !== undefined) {
      span.attributes['tandem.next_hop.transport'] = hop.peer.transport
      span.attributes['tandem.next_hop.address'] = hop.peer.address
      span.attributes['tandem.next_hop.port'] = hop.peer.port
    }
    if (status !== 0) {
      span.attributes['sip.response.status_code'] = status
      span.failure = String(status)
    }
    span.endMs = tracing.now()
    tracing.add(span, sampled)
  }
}

interface Place {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly sampled: boolean
}

function usersOf(msg: SipMessage) {
  return {
    'sip.request.uri': msg.text(msg.uriStart, msg.uriEnd),
    'sip.from.uri': msg.text(msg.fromUriStart, msg.fromUriEnd),
    'sip.to': msg.text(msg.toStart, msg.toEnd),
  }
}

/** Of a context that is watched. */
export function traceOf(context: ProxyContext | undefined): RequestTrace | undefined {
  return context?.trace as RequestTrace | undefined
}
