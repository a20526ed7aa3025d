// SPDX-License-Identifier: MIT
//
// What an edge shows of its sockets: messages and bytes by transport and direction, connections, and what else became of them.
import { type Metrics, type Series, snakeCase } from '@tandem/service-kit'
import type { StreamTransport, UdpListener } from '@tandem/transport'

export interface MeasuredTransports {
  readonly udp: readonly UdpListener[]
  readonly tcp: readonly StreamTransport[]
}

/** Counters of sockets that have a metric of their own: by direction, and whether they are bytes. */
const FLOWS: Readonly<Record<string, readonly [direction: 'in' | 'out', what: 'messages' | 'bytes']>> = {
  received: ['in', 'messages'],
  receivedBytes: ['in', 'bytes'],
  sent: ['out', 'messages'],
  sentBytes: ['out', 'bytes'],
  messagesReceived: ['in', 'messages'],
  messagesSent: ['out', 'messages'],
  bytesReceived: ['in', 'bytes'],
  bytesSent: ['out', 'bytes'],
}

/** All sockets of one transport together, by name of the count. */
function sums({ udp, tcp }: MeasuredTransports): Map<string, Map<string, number>> {
  const all = new Map<string, Map<string, number>>()
  const add = (transport: string, counters: object): void => {
    const of = all.get(transport) ?? new Map<string, number>()
    all.set(transport, of)
    for (const [name, value] of Object.entries(counters)) of.set(name, (of.get(name) ?? 0) + Number(value))
  }
  for (const { counters } of udp) add('udp', counters)
  for (const { transport, counters } of tcp) add(transport, counters)
  return all
}

function* flows(measured: MeasuredTransports, wanted: 'messages' | 'bytes'): Generator<Series> {
  for (const [transport, counts] of sums(measured)) {
    for (const [name, value] of counts) {
      const [direction, what] = FLOWS[name] ?? []
      if (direction !== undefined && what === wanted) yield { labels: { transport, direction }, value }
    }
  }
}

function* events(measured: MeasuredTransports): Generator<Series> {
  for (const [transport, counts] of sums(measured)) {
    for (const [name, value] of counts) {
      if (FLOWS[name] === undefined) yield { labels: { transport, event: snakeCase(name) }, value }
    }
  }
}

function* perStream({ tcp }: MeasuredTransports, count: (of: StreamTransport) => number): Generator<Series> {
  for (const one of tcp) yield { labels: { transport: one.transport }, value: count(one) }
}

export function registerTransportMetrics(metrics: Metrics, transports: () => MeasuredTransports): void {
  const both = ['transport', 'direction']
  metrics.counterOf('tandem_transport_messages_total', 'Datagrams, or messages of streams.', both, () =>
    flows(transports(), 'messages'),
  )
  metrics.counterOf('tandem_transport_bytes_total', 'Their bytes.', both, () => flows(transports(), 'bytes'))
  metrics.counterOf(
    'tandem_transport_events_total',
    'What else became of datagrams, connections and handshakes.',
    ['transport', 'event'],
    () => events(transports()),
  )
  metrics.gaugeOf('tandem_transport_connections', 'Connections open: flows that this edge holds.', ['transport'], () =>
    merged(perStream(transports(), ({ connectionCount }) => connectionCount)),
  )
  metrics.gaugeOf('tandem_transport_handshakes', 'Connections that have not come to SIP yet.', ['transport'], () =>
    merged(perStream(transports(), ({ arrivalCount }) => arrivalCount)),
  )
}

/** Several transports of one name, the internal listener's among them, are one series. */
function merged(series: Iterable<Series>): Iterable<Series> {
  const byTransport = new Map<string, Series>()
  for (const { labels, value } of series) {
    const transport = labels.transport as string
    byTransport.set(transport, { labels, value: value + (byTransport.get(transport)?.value ?? 0) })
  }
  return byTransport.values()
}
