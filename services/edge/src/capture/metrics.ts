// SPDX-License-Identifier: MIT
//
// What became of messages that were to be mirrored or logged.
import type { Metrics } from '@tandem/service-kit'
import type { EdgeTap } from './tap.ts'

export function registerCaptureMetrics(metrics: Metrics, tap: EdgeTap): void {
  metrics.labelledCounter(
    'tandem_edge_mirrored_messages_total',
    'Messages for the HEP collector: sent, or dropped because it is away or slow, or the message too long.',
    'result',
    () => [
      ['sent', tap.mirror?.sent ?? 0],
      ['dropped', tap.mirror?.dropped ?? 0],
    ],
  )
  metrics.counter(
    'tandem_edge_message_lines_dropped_total',
    'Messages that a filter wanted in the log beyond edge.capture.maxLinesPerSecond.',
    () => tap.linesDropped,
  )
  metrics.gauge(
    'tandem_edge_kept_messages_age_seconds',
    'Age of the oldest message that is kept for tandem trace; 0 where none is.',
    () => (tap.ring === undefined || tap.ring.oldestMs === 0 ? 0 : (Date.now() - tap.ring.oldestMs) / 1_000),
  )
}
