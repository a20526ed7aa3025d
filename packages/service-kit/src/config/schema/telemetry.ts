// SPDX-License-Identifier: MIT
//
// `telemetry.traces`: OpenTelemetry traces of calls.
import { z } from 'zod'
import { durationMs } from './values.ts'

const traces = z.strictObject({
  exporter: z
    .enum(['off', 'otlp'])
    .default('off')
    .describe('`otlp` sends traces of calls to a collector. Off costs nothing: nothing of OpenTelemetry is loaded.'),
  protocol: z
    .enum(['http/protobuf', 'http/json'])
    .default('http/protobuf')
    .describe('How spans are sent: OTLP over HTTP.'),
  endpoint: z
    .string()
    .regex(/^(https?:\/\/.+)?$/, 'expected an http:// or https:// URL, or nothing')
    .default('')
    .describe(
      'URL of the collector; without a path `/v1/traces` is added. Empty: `OTEL_EXPORTER_OTLP_ENDPOINT` of the environment, else http://localhost:4318.',
    ),
  headers: z
    .record(z.string(), z.string())
    .default({})
    .describe(
      'Secret: headers of each request to the collector. `OTEL_EXPORTER_OTLP_HEADERS` of the environment does too.',
    ),
  sampleRatio: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('Share of the calls whose traces are sent, whatever becomes of them; every node picks the same.'),
  keepFailures: z
    .boolean()
    .default(true)
    .describe(
      'Traces of calls that fail are sent too: their spans are made and held until the call has its final response.',
    ),
  normalStatuses: z
    .array(z.int().min(400).max(699))
    .default([401, 407, 480, 486, 487, 600, 603])
    .describe('Final statuses from 400 that are no failure.'),
  maxFailuresPerSecond: z
    .number()
    .min(1)
    .max(10_000)
    .default(20)
    .describe('Failed calls of one process whose traces are sent, a second; the surplus is counted.'),
  maxSpansHeld: z
    .int()
    .min(100)
    .max(1_000_000)
    .default(20_000)
    .describe('Spans of unsampled calls that one process holds, about 1 KB each; beyond it the oldest calls go.'),
  holdMs: durationMs(1_000, 3_600_000)
    .default(200_000)
    .describe('How long they are held: longer than a call may ring.'),
  maxSpansQueued: z
    .int()
    .min(512)
    .max(1_000_000)
    .default(8_192)
    .describe('Spans that wait to be sent; beyond it new ones are dropped and counted. No call ever waits.'),
  users: z
    .boolean()
    .default(false)
    .describe(
      'Spans say who calls whom (Request-URI, From, To): personal data. Else they have Call-IDs and addresses alone.',
    ),
})

export const telemetry = z.strictObject({
  traces: traces.prefault({}).describe('Traces of calls: [tracing.md](../operations/tracing.md).'),
})
