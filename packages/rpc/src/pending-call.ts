// SPDX-License-Identifier: MIT
//
// One call from `call()` to its result, and the queue of those that wait to be sent. All fields are initialised, so that
// every call has the same shape; links and places are kept on the call, so that leaving any list is O(1).
import type { ClientSpan, ServerSpan } from '@tandem/telemetry'
import type { Breaker } from './breaker.ts'
import type { OnResult } from './caller.ts'
import type { Timed } from './deadline-list.ts'

export class PendingCall implements Timed {
  method: string
  /** The request itself (in process) or its encoded body (stream). */
  request: unknown
  /** The next time at which something is to be done about it: its end, or that of its first try. */
  deadlineMs: number
  readonly untilMs: number
  /** When it was handed over. */
  readonly madeMs: number
  /** Taken away when the call has ended: whoever takes it delivers the one result. */
  onResult: OnResult<never> | undefined
  slot = -1
  place = -1
  queue: CallQueue | undefined = undefined
  previous: PendingCall | undefined = undefined
  next: PendingCall | undefined = undefined
  /** Id on the stream that it was sent on, and that stream's calls in flight. */
  id = 0
  inFlight: Map<number, PendingCall> | undefined = undefined
  /** Its first stream broke; it has been given to another. */
  isRepeat = false
  /** Of the replica that has it. */
  breaker: Breaker | undefined = undefined
  /** The caller's span, and in one process the service's. */
  span: ClientSpan | undefined = undefined
  served: ServerSpan | undefined = undefined

  constructor(method: string, request: unknown, madeMs: number, deadlineMs: number, onResult: OnResult<never>) {
    this.method = method
    this.request = request
    this.deadlineMs = deadlineMs
    this.untilMs = deadlineMs
    this.madeMs = madeMs
    this.onResult = onResult
  }

  get bytes(): number {
    return this.request instanceof Uint8Array ? this.request.length : 0
  }
}

/** First in, first out; anything may leave from the middle. */
export class CallQueue {
  #head: PendingCall | undefined
  #tail: PendingCall | undefined
  count = 0
  bytes = 0

  get head(): PendingCall | undefined {
    return this.#head
  }

  push(call: PendingCall): void {
    call.queue = this
    call.previous = this.#tail
    if (this.#tail === undefined) this.#head = call
    else this.#tail.next = call
    this.#tail = call
    this.count++
    this.bytes += call.bytes
  }

  remove(call: PendingCall): void {
    if (call.queue !== this) return
    if (call.previous === undefined) this.#head = call.next
    else call.previous.next = call.next
    if (call.next === undefined) this.#tail = call.previous
    else call.next.previous = call.previous
    call.queue = undefined
    call.previous = undefined
    call.next = undefined
    this.count--
    this.bytes -= call.bytes
  }

  /** Takes calls off the front: at most maxItems, and at most maxBytes unless the first alone is larger. */
  take(maxItems: number, maxBytes: number): PendingCall[] {
    const taken: PendingCall[] = []
    let bytes = 0
    for (let call = this.#head; call !== undefined && taken.length < maxItems; call = this.#head) {
      bytes += call.bytes
      if (bytes > maxBytes && taken.length > 0) break
      this.remove(call)
      taken.push(call)
    }
    return taken
  }
}
