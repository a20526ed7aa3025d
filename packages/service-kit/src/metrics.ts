// SPDX-License-Identifier: MIT
//
// Metrics of one service, rendered at scrape. Hot counters are plain integer fields of the object that counts; what is
// registered here is a function that reads them. Nothing on a hot path calls into this file; histograms are observed into by histogram.ts.
// Labels have few values: never a user, call or address [DESIGN §3.12].
import { readFileSync } from 'node:fs'
import { type Metric, Registry } from 'prom-client'
import { certificateEnds, certificateFailures } from './certificates.ts'
import { HistogramFamily, IntHistogram } from './histogram.ts'
import { type MetricDescription, nameTrouble } from './metric-names.ts'
import { processFigures } from './process-metrics.ts'

/** A number and the value of its label. */
export type Labelled = readonly [label: string, value: number]

/** One series of a metric with several labels. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface HistogramSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly histogram: IntHistogram
}

/** A field of an object of plain integers, and the labels that it is shown with. */
export type LabelledField<K extends string> = readonly [field: K, ...labels: string[]]

/** A line of the text format. */
interface Sample {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

const { version: VERSION } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const NO_LABELS: Readonly<Record<string, string>> = {}

function* histogramSamples(name: string, { labels, histogram }: HistogramSeries): Generator<Sample> {
  let total = 0
  for (const [index, count] of histogram.counts.entries()) {
    total += count
    const le = histogram.bounds[index] ?? '+Inf'
    yield { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total }
  }
  yield { metricName: `${name}_sum`, labels, value: histogram.sum }
  yield { metricName: `${name}_count`, labels, value: total }
}

function* oneLabel(labelName: string, values: Iterable<Labelled>): Generator<Series> {
  for (const [label, value] of values) yield { labels: { [labelName]: label }, value }
}

export class Metrics {
  readonly registry = new Registry()
  readonly #descriptions: MetricDescription[] = []

  /** `labels` stand on every series of the service, e.g. `{ service: 'edge', edge: 'edge-0' }`. */
  constructor(labels: Readonly<Record<string, string>> = {}) {
    this.registry.setDefaultLabels(labels)
  }

  /** Everything registered, by name. */
  get descriptions(): readonly MetricDescription[] {
    return this.#descriptions
  }

  /** A monotonic count; `read` returns the total since start. */
  counter(name: string, help: string, read: () => number): void {
    this.#register({ name, type: 'counter', help, labels: [] }, () => [{ labels: NO_LABELS, value: read() }])
  }

  /** As `counter`, with one label; series that `read` does not return are absent. */
  labelledCounter(name: string, help: string, labelName: string, read: () => Iterable<Labelled>): void {
    this.counterOf(name, help, [labelName], () => oneLabel(labelName, read()))
  }

  /** As `counter`, with several labels; series that `read` does not return are absent. */
  counterOf(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Series>): void {
    this.#register({ name, type: 'counter', help, labels: labelNames }, read)
  }

  /** One counter `<prefix>_<snake_case field>_total` per field of an object of plain integers. */
  counters<K extends string>(
    prefix: string,
    source: Readonly<Record<K, number>>,
    help: Readonly<Record<K, string>>,
  ): void {
    for (const key of Object.keys(help) as K[]) {
      this.counter(`${prefix}_${snakeCase(key)}_total`, help[key], () => source[key])
    }
  }

  /** One counter with labels out of several fields of an object of plain integers. */
  fieldsCounter<K extends string>(
    name: string,
    help: string,
    labelNames: readonly string[],
    source: () => Readonly<Record<K, number>>,
    fields: readonly LabelledField<K>[],
  ): void {
    const labelled = fields.map(([field, ...values]) => ({
      field,
      labels: Object.fromEntries(labelNames.map((label, at) => [label, values[at] ?? ''])),
    }))
    this.counterOf(name, help, labelNames, () => {
      const counts = source()
      return labelled.map(({ field, labels }) => ({ labels, value: counts[field] }))
    })
  }

  /** A value that goes up and down. */
  gauge(name: string, help: string, read: () => number): void {
    this.#register({ name, type: 'gauge', help, labels: [] }, () => [{ labels: NO_LABELS, value: read() }])
  }

  labelledGauge(name: string, help: string, labelName: string, read: () => Iterable<Labelled>): void {
    this.gaugeOf(name, help, [labelName], () => oneLabel(labelName, read()))
  }

  /** As `gauge`, with several labels; series that `read` does not return are absent. */
  gaugeOf(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Series>): void {
    this.#register({ name, type: 'gauge', help, labels: labelNames }, read)
  }

  /** A histogram to observe into; bounds ascending, in the unit that the name ends with. */
  histogram(name: string, help: string, bounds: readonly number[]): IntHistogram {
    const histogram = new IntHistogram(bounds)
    this.histogramsOf(name, help, [], () => [{ labels: NO_LABELS, histogram }])
    return histogram
  }

  /** Histograms by one label, to observe into. */
  histogramFamily(name: string, help: string, labelName: string, bounds: readonly number[]): HistogramFamily {
    const family = new HistogramFamily(bounds)
    const read = () =>
      [...family.entries()].map(([label, histogram]) => ({ labels: { [labelName]: label }, histogram }))
    this.histogramsOf(name, help, [labelName], read)
    return family
  }

  /** Histograms that somebody else keeps. */
  histogramsOf(name: string, help: string, labelNames: readonly string[], read: () => Iterable<HistogramSeries>): void {
    this.#register({ name, type: 'histogram', help, labels: labelNames }, () =>
      Array.from(read()).flatMap((series) => [...histogramSamples(name, series)]),
    )
  }

  /** CPU, memory, event loop and garbage collection of the process. */
  processMetrics(): void {
    const { standard, lag, busySeconds, idleSeconds } = processFigures()
    for (const metric of standard) this.registry.registerMetric(metric)
    this.gaugeOf('tandem_build_info', 'Always 1; the version of the product is its label.', ['version'], () => [
      { labels: { version: VERSION }, value: 1 },
    ])
    const prefix = 'tandem_process_event_loop'
    this.counter(
      `${prefix}_busy_seconds_total`,
      'Time that the event loop worked: its rate is its utilisation, 0 to 1.',
      busySeconds,
    )
    this.counter(`${prefix}_idle_seconds_total`, 'Time that the event loop waited for something to do.', idleSeconds)
    this.histogramsOf(
      `${prefix}_lag_seconds`,
      'How late a timer of 100 ms was: how long the event loop was held up.',
      [],
      () => [{ labels: NO_LABELS, histogram: lag }],
    )
    this.gaugeOf(
      'tandem_tls_certificate_expiry_timestamp_seconds',
      'When the first of the certificates ends that this process shows, by what they are for: rpc, sip, console.',
      ['use'],
      certificateEnds,
    )
    this.counterOf(
      'tandem_tls_certificate_reload_failures_total',
      'Changed certificate files that could not be used: the old ones stay.',
      ['use'],
      certificateFailures,
    )
  }

  render(): Promise<string> {
    return this.registry.metrics()
  }

  /** @throws Error where the name breaks the rule: a bug */
  #register(description: MetricDescription, read: () => Iterable<Sample>): void {
    const trouble = nameTrouble(description)
    if (trouble !== undefined) throw new Error(trouble)
    this.#descriptions.push(description)
    // What prom-client's registry asks of a metric.
    const { name, type, help } = description
    const get = () => Promise.resolve({ name, help, type, values: [...read()], aggregator: 'sum' })
    this.registry.registerMetric({ name, get } as unknown as Metric)
  }
}

/** `sentOk` → `sent_ok`. */
export function snakeCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
