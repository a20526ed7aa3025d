// SPDX-License-Identifier: MIT
//
// The spans of one request at this edge: a SERVER span for the request as it was received, a CLIENT span for each branch and for each
// question to a service. They wait here until the final response goes upstream; then the trace is sent, because it is sampled or has
// failed, or held, because a 401 or 407 may be followed by a failure, or it is forgotten.
//
// Invariants: spans of one request have a bound; the SERVER span of the request that begins a call has the id that all others hang on.
// Races: branches and questions that end later follow the decision that was made.
import type { ContextTrace, ProxyBranch } from '@tandem/sip'
import {
  type AttributeValue,
  type CallOutcome,
  type ClientSpan,
  noteOutcome,
  randomSpanId,
  rootIdOf,
  SPAN_KIND,
  Span,
  type SpanSource,
  spanIdOf,
  type TraceScope,
  type Tracing,
} from '@tandem/telemetry'
import type { EdgePeer } from '../listeners/peers.ts'

/** What the traces of an edge share. */
export interface EdgeTraceParts {
  readonly tracing: Tracing
  readonly source: SpanSource
  /** Tells the services of a call that has failed. */
  readonly tellFailed: (traceId: string) => void
}

export interface TraceStart {
  readonly traceId: string
  readonly sampled: boolean
  readonly method: string
  /** Of the branch of ours that brought it here, '' for none. */
  readonly parentId: string
  /** It may be what its call begins with. */
  readonly isInitial: boolean
}

const MAX_SPANS = 256
const isChallenge = (status: number): boolean => status === 401 || status === 407

/** Until the decision: in `ended`. Then: sent; held; nothing more is made of it. */
type Fate = 'open' | 'sent' | 'held' | 'forgotten'

export class RequestTrace implements ContextTrace, TraceScope {
  readonly traceId: string
  readonly span: Span
  private readonly parts: EdgeTraceParts
  private readonly start: TraceStart
  private readonly branches = new Map<ProxyBranch, Span>()
  private ended: Span[] = []
  private fate: Fate = 'open'

  constructor(parts: EdgeTraceParts, start: TraceStart) {
    const { traceId, method, parentId, isInitial } = start
    this.parts = parts
    this.start = start
    this.traceId = traceId
    const above = parentId === '' && !isInitial ? rootIdOf(traceId) : parentId
    this.span = this.make(method, SPAN_KIND.SERVER, randomSpanId(), above)
  }

  note(name: string, value: AttributeValue): void {
    this.span.attributes[name] = value
  }

  noteBranch(branch: ProxyBranch, name: string, value: AttributeValue): void {
    const span = this.branches.get(branch)
    if (span !== undefined && value !== '') span.attributes[name] = value
  }

  event(name: string): void {
    if (this.fate === 'open') this.span.event(name, this.parts.tracing.now())
  }

  client(service: string, method: string): ClientSpan | undefined {
    if (this.fate === 'forgotten') return undefined
    const span = this.make(`${service}/${method}`, SPAN_KIND.CLIENT, randomSpanId(), this.span)
    span.attributes['rpc.system'] = 'grpc'
    span.attributes['rpc.service'] = service
    span.attributes['rpc.method'] = method
    const end = (result: CallOutcome): void => {
      noteOutcome(span, result)
      this.end(span)
    }
    return { traceparent: span.traceparent(this.start.sampled), end }
  }

  onForked(branch: ProxyBranch): void {
    if (this.branches.size >= MAX_SPANS) return
    const span = this.make(this.start.method, SPAN_KIND.CLIENT, spanIdOf(branch.id), this.span)
    const { transport, address, port } = branch.peer as EdgePeer
    span.attributes['sip.request.method'] = this.start.method
    span.attributes['network.transport'] = transport
    span.attributes['network.peer.address'] = address
    span.attributes['network.peer.port'] = port
    if (this.parts.tracing.settings.users) span.attributes['sip.request.uri'] = branch.uri
    this.branches.set(branch, span)
  }

  onProvisional(branch: ProxyBranch, status: number): void {
    this.branches.get(branch)?.event(String(status), this.parts.tracing.now())
    if (status > 100) this.event(String(status))
  }

  onBranchEnd(branch: ProxyBranch, status: number, isReplaced: boolean): void {
    const span = this.branches.get(branch)
    if (span === undefined) return
    this.branches.delete(branch)
    span.attributes['sip.response.status_code'] = status
    if (branch.lost) span.failure = 'the connection was lost, or there was none'
    else if (branch.timedOut || (status === 408 && branch.provisional === 0)) span.failure = 'no answer'
    else if (this.parts.tracing.failures.isFailure(status)) span.failure = String(status)
    if (isReplaced) this.event('failover')
    this.end(span)
  }

  onTrying(): void {
    this.event('100')
  }

  onCancel(): void {
    this.event('CANCEL')
  }

  onFinal(status: number): void {
    if (this.fate !== 'open') return
    const { tracing, tellFailed } = this.parts
    const { span, traceId } = this
    span.attributes['sip.response.status_code'] = status
    if (tracing.failures.isFailure(status)) span.failure = String(status)
    // Of requests that were challenged and come again with credentials, the one that is decided is what the rest hangs on.
    if (this.start.isInitial && this.start.parentId === '' && !isChallenge(status)) span.spanId = rootIdOf(traceId)
    const isKept = !this.start.sampled && tracing.keepsFailure(traceId, status)
    if (isKept) {
      tracing.keep(traceId)
      tellFailed(traceId)
    }
    this.decide(this.start.sampled || isKept ? 'sent' : isChallenge(status) ? 'held' : 'forgotten')
  }

  onGone(): void {
    if (this.fate !== 'open') return
    this.note('tandem.handed_over', true)
    this.decide(this.start.sampled ? 'sent' : 'held')
  }

  private decide(fate: Fate): void {
    this.fate = fate
    const waiting = this.ended
    this.ended = []
    this.end(this.span)
    for (const span of waiting) this.submit(span)
    if (fate === 'forgotten') this.parts.tracing.forget(this.traceId)
  }

  private make(name: string, kind: Span['kind'], spanId: string, parent: Span | string): Span {
    const { tracing, source } = this.parts
    return new Span(source, this.traceId, spanId, parent, name, kind, tracing.now())
  }

  private end(span: Span): void {
    span.endMs = this.parts.tracing.now()
    if (this.fate !== 'open') this.submit(span)
    else if (this.ended.length < MAX_SPANS) this.ended.push(span)
  }

  private submit(span: Span): void {
    const { tracing } = this.parts
    if (this.fate === 'sent') tracing.add(span, true)
    else if (this.fate === 'held') tracing.add(span, false)
  }
}
