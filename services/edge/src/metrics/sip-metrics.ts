// SPDX-License-Identifier: MIT
//
// What an edge shows of SIP itself: messages by method and status, retransmissions, transactions, timers, parse errors, call times.
// Statuses that no RFC has count as their class (`4xx`), so that nobody can make series by inventing them.
import { type IntHistogram, type Metrics, type Series, snakeCase } from '@tandem/service-kit'
import type { SipTraffic, TrafficCount } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'

/** The IANA registry of SIP response codes. */
const REGISTERED = new Set(
  '100 180 181 182 183 199 200 202 204 300 301 302 305 380 400 401 402 403 404 405 406 407 408 410 412 413 414 415 416 417 420 421 422 423 424 425 428 429 430 433 436 437 438 439 440 469 470 480 481 482 483 484 485 486 487 488 489 491 493 494 500 501 502 503 504 505 513 555 580 600 603 604 606 607 608'
    .split(' ')
    .map(Number),
)

const DIRECTIONS = ['in', 'out'] as const

function* requestSeries(traffic: SipTraffic): Generator<Series> {
  for (const direction of DIRECTIONS)
    for (const { method, count } of traffic.requests(direction)) yield { labels: { direction, method }, value: count }
}

function* responseSeries(traffic: SipTraffic): Generator<Series> {
  for (const direction of DIRECTIONS) yield* byCode(direction, traffic.responses(direction))
}

/** One series for all statuses of a method that nobody has registered and that share a class. */
function byCode(direction: string, counts: readonly TrafficCount[]): Iterable<Series> {
  const series = new Map<string, Series>()
  for (const { method, status, count } of counts) {
    const family = `${Math.floor(status / 100)}xx`
    const code = REGISTERED.has(status) ? String(status) : family
    const key = `${method} ${code}`
    const value = (series.get(key)?.value ?? 0) + count
    series.set(key, { labels: { direction, method, class: family, code }, value })
  }
  return series.values()
}

/** Statuses sums of a layer's counts that are told by themselves. */
const TOLD_ELSEWHERE = new Set([
  'inviteClients',
  'nonInviteClients',
  'inviteServers',
  'nonInviteServers',
  'resent',
  'repeatedRequests',
  'clientTimeouts',
  'timerB',
  'timerF',
  'missingAcks',
])

function registerTransactions(metrics: Metrics, core: EdgeCore): void {
  const counts = () => core.layer.counts
  metrics.fieldsCounter('tandem_sip_transactions_total', 'Transactions begun.', ['machine'], counts, [
    ['inviteServers', 'invite_server'],
    ['nonInviteServers', 'server'],
    ['inviteClients', 'invite_client'],
    ['nonInviteClients', 'client'],
  ])
  metrics.gaugeOf(
    'tandem_sip_transactions_alive',
    'Transactions alive, by machine and state of RFC 3261 section 17.',
    ['machine', 'state'],
    () => core.layer.states().map(({ machine, state, count }) => ({ labels: { machine, state }, value: count })),
  )
  metrics.gauge('tandem_sip_kept_bytes', 'Bytes of messages that transactions keep.', () => core.layer.keptBytes)
  const timeouts = () => ({ ...core.layer.counts, ...core.proxy.counts })
  metrics.fieldsCounter(
    'tandem_sip_timeouts_total',
    'Transactions that ended because nothing came: timers B and F a response, H an ACK, C a final response (or the ring time ended it).',
    ['timer'],
    timeouts,
    [
      ['timerB', 'B'],
      ['timerF', 'F'],
      ['missingAcks', 'H'],
      ['timerC', 'C'],
    ],
  )
  metrics.labelledCounter(
    'tandem_sip_transaction_events_total',
    'Further events of the transaction layer.',
    'event',
    () =>
      Object.entries(core.layer.counts)
        .filter(([name]) => !TOLD_ELSEWHERE.has(name))
        .map(([name, count]): [string, number] => [snakeCase(name), count]),
  )
}

function registerTraffic(metrics: Metrics, core: EdgeCore): void {
  const help = 'retransmissions and messages between edges included'
  metrics.counterOf('tandem_sip_requests_total', `Requests, ${help}.`, ['direction', 'method'], () =>
    requestSeries(core.layer.traffic),
  )
  metrics.counterOf(
    'tandem_sip_responses_total',
    `Responses, ${help}. Statuses that no RFC has are counted by class.`,
    ['direction', 'method', 'class', 'code'],
    () => responseSeries(core.layer.traffic),
  )
  metrics.fieldsCounter(
    'tandem_sip_retransmissions_total',
    'Requests and final responses sent again, or received again.',
    ['direction', 'kind'],
    () => core.layer.traffic,
    [
      ['repeatedRequests', 'in', 'request'],
      ['repeatedResponses', 'in', 'response'],
      ['resentRequests', 'out', 'request'],
      ['resentResponses', 'out', 'response'],
    ],
  )
  metrics.labelledCounter(
    'tandem_sip_parse_errors_total',
    'Messages that could not be read, by what is wrong.',
    'code',
    () => core.measures.scanErrorCounts(),
  )
}

function registerTimes(metrics: Metrics, core: EdgeCore): void {
  const time = (name: string, help: string, read: () => IntHistogram): void =>
    metrics.histogramsOf(name, help, [], () => [{ labels: {}, histogram: read() }])
  time(
    'tandem_call_set_up_seconds',
    'From an INVITE until its first branch leaves: what the cluster adds.',
    () => core.measures.setUp,
  )
  time(
    'tandem_call_post_dial_delay_seconds',
    'From an INVITE until the caller hears of ringing, or of the answer where nothing rang.',
    () => core.measures.postDialDelay,
  )
  time('tandem_call_answer_seconds', 'From an INVITE until its answer goes to the caller.', () => core.measures.answer)
  time(
    'tandem_sip_hop_seconds',
    'From a request that was forwarded until the next hop says anything, in steps of 10 ms.',
    () => core.measures.hop,
  )
}

export function registerSipMetrics(metrics: Metrics, core: EdgeCore): void {
  registerTraffic(metrics, core)
  registerTransactions(metrics, core)
  registerTimes(metrics, core)
}
