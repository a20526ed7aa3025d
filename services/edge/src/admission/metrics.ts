// SPDX-License-Identifier: MIT
//
// What an edge shows of its admission at /metrics. Seconds; 0 where nothing is limited.
import type { Metrics } from '@tandem/service-kit'
import type { Admission } from './admission.ts'

export function registerAdmissionMetrics(metrics: Metrics, admission: Admission, now: () => number): void {
  const perClass = (name: string, help: string, counts: () => Readonly<Record<string, number>>): void => {
    metrics.labelledCounter(name, help, 'class', () => Object.entries(counts()))
  }
  perClass('tandem_edge_admission_admitted_total', 'Requests let in while there was a rate.', () => admission.admitted)
  perClass(
    'tandem_edge_admission_refused_total',
    'Requests refused for want of a token, by what they said they were.',
    () => admission.refused,
  )
  const perRate = (name: string, help: string, values: () => Readonly<Record<string, number>>): void => {
    metrics.labelledGauge(name, help, 'rate', () => Object.entries(values()))
  }
  perRate('tandem_edge_admission_rate', 'Requests a second that are let in.', () => admission.rates)
  perRate('tandem_edge_admission_tokens', 'Tokens in the bucket of the rate.', () => admission.tokens)
  perRate('tandem_edge_admission_latency_seconds', 'Latency that the rate follows, smoothed.', () => ({
    all: admission.latencyMs.all / 1000,
    registers: admission.latencyMs.registers / 1000,
  }))
  const gauge = (name: string, help: string, value: () => number): void => metrics.gauge(name, help, value)
  gauge('tandem_edge_admission_wait_seconds', 'How long messages wait before they are read.', () => {
    return admission.waitMs / 1000
  })
  gauge('tandem_edge_admission_answers', 'Refusals over UDP that are answered a second.', () => admission.answerRate)
  gauge(
    'tandem_edge_admission_kernel_drop_ratio',
    'Share of REGISTERs that the kernel drops.',
    () => admission.kernelShare,
  )
  gauge('tandem_edge_admission_backlog', 'Requests that were told when to come back and are still to come.', () =>
    admission.backlog(now()),
  )
}
