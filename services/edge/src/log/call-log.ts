// SPDX-License-Identifier: MIT
//
// What an edge writes down of calls and requests (docs/operations/observing.md): a line for each request that it refuses, and one for the end of each
// call that leaves no record; of those that do the records service writes it. Fields are called as records call them.
// Leaves out challenges, what passes without a transaction, and how long a call without a record took: nobody here knows when it began.
//
// Invariant: a line that its bound does not let pass costs no string.
import { BoundedLines, type EdgeConfig, type Logger, lineLogger, snakeCase, UserNames } from '@tandem/service-kit'
import { HEADER, type ProxyContext, type SipMessage } from '@tandem/sip'
import { causeOf } from '../accounting/causes.ts'
import type { EdgeCounts } from '../counts.ts'
import { headerText, methodName } from '../initial/describe.ts'
import type { EdgePeer } from '../listeners/peers.ts'

/** A count of refusals; in a line and at /metrics its reason is the same. */
export type RefusalCount = Extract<keyof EdgeCounts, `refused${string}`>

/** What is known of a call that has failed. */
export interface FailedCall {
  readonly context: ProxyContext
  readonly status: number
  /** Of the INVITE until it rang; undefined where it has not, or nobody knows. */
  readonly pddMs: number | undefined
}

const MAX_TEXT = 256
const labels = new Map<RefusalCount, string>()

/** `refusedMaxForwards` → `max_forwards`. */
export function reasonOf(count: RefusalCount): string {
  const known = labels.get(count)
  if (known !== undefined) return known
  const label = snakeCase(count).slice('refused_'.length)
  labels.set(count, label)
  return label
}

/** undefined where nothing of it is to be written. */
export function createCallLog(config: EdgeConfig, logger: Logger): CallLog | undefined {
  const { calls, refusals } = config.logging
  return (calls || refusals) && logger.isLevelEnabled('info') ? new CallLog(config, logger) : undefined
}

export class CallLog {
  readonly #config: EdgeConfig['logging']
  readonly #logger: Logger
  readonly #names: UserNames
  readonly #calls: BoundedLines
  readonly #refusals: BoundedLines

  constructor({ id, logging, keyRing }: EdgeConfig, logger: Logger) {
    this.#config = logging
    this.#logger = lineLogger(logger, { edge: id })
    this.#names = new UserNames(logging.users, keyRing)
    this.#calls = new BoundedLines(this.#logger, 'call_end', logging.maxLinesPerSecond)
    this.#refusals = new BoundedLines(this.#logger, 'refused', logging.maxLinesPerSecond)
  }

  /** A request that is refused before it has a transaction. */
  refusedAs(count: RefusalCount, msg: SipMessage, peer: EdgePeer, status: number): void {
    this.refused(msg, peer, status, reasonOf(count))
  }

  /** @param reason a code of the edge, of policy or of location; '' where none says more than the status */
  refused(msg: SipMessage, peer: EdgePeer, status: number, reason: string, traceId?: string): void {
    if (!this.#config.refusals || !this.#refusals.admits(reason || String(status))) return
    const why = { final_status: status, reason: reason || undefined, trace_id: traceId }
    const line = { event: 'refused', method: methodName(msg), ...this.#about(msg), ...sourceOf(peer), ...why }
    this.#logger.info(line, 'request refused')
  }

  /** An INVITE without a record has its final failure. */
  failed(msg: SipMessage, peer: EdgePeer, { context, status, pddMs }: FailedCall): void {
    const outcome = causeOf(context, status)
    if (!this.#config.calls || !this.#calls.admits(outcome)) return
    const how = { pdd_ms: pddMs, final_status: status, outcome, ended_by: endedBy(context, outcome) }
    const why = { reason: context.refusal || undefined, trace_id: context.trace?.traceId }
    this.#logger.info({ event: 'call_end', ...this.#about(msg), ...sourceOf(peer), ...how, ...why }, 'call ended')
  }

  /** A BYE of a call without a record. */
  ended(bye: SipMessage, byCaller: boolean, traceId?: string): void {
    if (!this.#config.calls || !this.#calls.admits('answered')) return
    const from = this.#names.uri(textOf(bye, bye.fromUriStart, bye.fromUriEnd))
    const to = this.#names.uri(textOf(bye, bye.toUriStart, bye.toUriEnd))
    const parties = byCaller ? { from_uri: from, to_uri: to } : { from_uri: to, to_uri: from }
    const how = {
      outcome: 'answered',
      ended_by: byCaller ? 'caller' : 'callee',
      reason: headerText(bye, HEADER.REASON).slice(0, MAX_TEXT) || undefined,
    }
    const line = { event: 'call_end', call_id: callIdIn(bye), ...parties, ...how, trace_id: traceId }
    this.#logger.info(line, 'call ended')
  }

  #about(msg: SipMessage) {
    return {
      call_id: callIdIn(msg),
      from_uri: this.#names.uri(textOf(msg, msg.fromUriStart, msg.fromUriEnd)),
      to_uri: this.#names.uri(textOf(msg, msg.toUriStart, msg.toUriEnd)),
      request_uri: this.#names.uri(textOf(msg, msg.uriStart, msg.uriEnd)),
    }
  }

  useKeyRing(ring: EdgeConfig['keyRing']): void {
    this.#names.useKeyRing(ring)
  }

  /** What was left out is summed up now. */
  close(): void {
    this.#calls.flush()
    this.#refusals.flush()
  }
}

/** What has not been read is ''. */
function textOf(msg: SipMessage, start: number, end: number): string {
  return start < 0 || end <= start ? '' : msg.text(start, Math.min(end, start + MAX_TEXT))
}

const callIdIn = (msg: SipMessage): string => textOf(msg, msg.callIdStart, msg.callIdEnd)

function sourceOf({ transport, address, port }: EdgePeer) {
  return { source_transport: transport, source_address: address, source_port: port }
}

function endedBy(context: ProxyContext, outcome: string): string {
  if (context.cancelled) return 'caller'
  const isCallees = outcome === 'rejected' || outcome === 'redirected'
  return isCallees && context.branches.length > 0 ? 'callee' : 'system'
}
