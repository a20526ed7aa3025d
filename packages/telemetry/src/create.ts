// SPDX-License-Identifier: MIT
//
// Tracing by the settings of the cluster file. Off: nothing is made, and nothing of OpenTelemetry is loaded.

import type { OtlpSettings } from './otlp.ts'
import { type TraceSettings, Tracing } from './tracing.ts'

export interface TelemetryConfig {
  readonly traces: TraceSettings & OtlpSettings & { readonly exporter: 'off' | 'otlp' }
}

interface Log {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

/** Undefined where traces are off. */
export async function createTracing({ traces }: TelemetryConfig, log: Log): Promise<Tracing | undefined> {
  if (traces.exporter === 'off') return undefined
  const { createOtlpExporter } = await import('./otlp.ts')
  return new Tracing(traces, await createOtlpExporter(traces), log)
}
