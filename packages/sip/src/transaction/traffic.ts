// SPDX-License-Identifier: MIT
// Requests and responses in and out, by method and status: integers in arrays, one increment a message; metrics read them at scrape time.
// The layer counts what it sends; who receives messages, or sends some without a transaction, counts those by `requestIn` and the like.
// Retransmissions count among them, and once more by themselves.
import { METHOD_NAMES } from '../message/index.ts'

const METHODS = METHOD_NAMES.length
/** Statuses 100 to 699. */
const STATUSES = 600

/** One series: `count` messages of this method, and of this status where they are responses. */
export interface TrafficCount {
  /** OTHER for methods that the table does not know. */
  readonly method: string
  readonly status: number
  readonly count: number
}

export class SipTraffic {
  readonly #requestsIn = new Float64Array(METHODS)
  readonly #requestsOut = new Float64Array(METHODS)
  readonly #responsesIn = new Float64Array(METHODS * STATUSES)
  readonly #responsesOut = new Float64Array(METHODS * STATUSES)
  /** Sent again by Timer A or E. */
  resentRequests = 0
  /** Sent again by Timer G, or because the request came again. */
  resentResponses = 0
  /** Matched a transaction that had them. */
  repeatedRequests = 0
  /** Final responses to transactions that had one: repeated, or of another fork. */
  repeatedResponses = 0

  /** @param method one of METHOD */
  requestIn(method: number): void {
    this.#requestsIn[method] = (this.#requestsIn[method] as number) + 1
  }

  requestOut(method: number): void {
    this.#requestsOut[method] = (this.#requestsOut[method] as number) + 1
  }

  /** @param status 100 to 699 */
  responseIn(method: number, status: number): void {
    const at = method * STATUSES + status - 100
    this.#responsesIn[at] = (this.#responsesIn[at] as number) + 1
  }

  responseOut(method: number, status: number): void {
    const at = method * STATUSES + status - 100
    this.#responsesOut[at] = (this.#responsesOut[at] as number) + 1
  }

  /** Those that are not 0; status 0. */
  requests(direction: 'in' | 'out'): TrafficCount[] {
    return seriesOf(direction === 'in' ? this.#requestsIn : this.#requestsOut, 1, 0)
  }

  responses(direction: 'in' | 'out'): TrafficCount[] {
    return seriesOf(direction === 'in' ? this.#responsesIn : this.#responsesOut, STATUSES, 100)
  }
}

function seriesOf(counts: Float64Array, perMethod: number, firstStatus: number): TrafficCount[] {
  const series: TrafficCount[] = []
  for (const [at, count] of counts.entries()) {
    if (count === 0) continue
    const method = METHOD_NAMES[Math.floor(at / perMethod)] || 'OTHER'
    series.push({ method, status: firstStatus + (at % perMethod), count })
  }
  return series
}
