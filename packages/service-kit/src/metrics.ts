// SPDX-License-Identifier: MIT
//
// Metrics of one service, rendered at scrape. Hot counters are plain integer fields of the object that counts; what is
// registered here is a function that reads them. Nothing on a hot path calls into this file but `IntHistogram.observe`,
// which adds to a typed array. Labels have few values: never a user, call or address [DESIGN §3.12].
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client'

/** A number and the value of its label. */
export type Labelled = readonly [label: string, value: number]

/** Cheap histogram: fixed bucket bounds, one increment per observation. */
export class IntHistogram {
  readonly bounds: Float64Array
  readonly counts: Float64Array
  sum = 0
  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds)
    this.counts = new Float64Array(bounds.length + 1)
  }
  observe(value: number): void {
    const { bounds } = this
    let index = 0
    while (index < bounds.length && value > (bounds[index] as number)) index++
    this.counts[index] = (this.counts[index] as number) + 1
    this.sum += value
  }
}

/** What prom-client's registry asks of a metric of our own. */
interface Renderable {
  readonly name: string
  get(): Promise<{ name: string; help: string; type: string; values: object[]; aggregator: string }>
}

function histogramValues(name: string, histogram: IntHistogram): object[] {
  let total = 0
  const values: object[] = []
  for (const [index, count] of histogram.counts.entries()) {
    total += count
    values.push({ metricName: `${name}_bucket`, labels: { le: histogram.bounds[index] ?? '+Inf' }, value: total })
  }
  values.push({ metricName: `${name}_sum`, labels: {}, value: histogram.sum })
  values.push({ metricName: `${name}_count`, labels: {}, value: total })
  return values
}

export class Metrics {
  readonly registry = new Registry()

  /** `labels` stand on every series of the service, e.g. `{ service: 'edge', edge: 'edge-0' }`. */
  constructor(labels: Readonly<Record<string, string>> = {}) {
    this.registry.setDefaultLabels(labels)
  }

  /** A monotonic count; `read` returns the total since start. */
  counter(name: string, help: string, read: () => number): void {
    this.register(
      new Counter({
        name,
        help,
        registers: [],
        collect() {
          this.reset()
          this.inc(read())
        },
      }),
    )
  }

  /** As `counter`, with one label; series that `read` does not return are absent. */
  labelledCounter(name: string, help: string, labelName: string, read: () => Iterable<Labelled>): void {
    this.register(
      new Counter({
        name,
        help,
        labelNames: [labelName],
        registers: [],
        collect() {
          this.reset()
          for (const [label, value] of read()) this.inc({ [labelName]: label }, value)
        },
      }),
    )
  }

  /** As `counter`, with several labels; series that `read` does not return are absent. */
  counterOf(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => Iterable<{ readonly labels: Readonly<Record<string, string>>; readonly count: number }>,
  ): void {
    this.register(
      new Counter({
        name,
        help,
        labelNames: [...labelNames],
        registers: [],
        collect() {
          this.reset()
          for (const { labels, count } of read()) this.inc({ ...labels }, count)
        },
      }),
    )
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

  /** A value that goes up and down. */
  gauge(name: string, help: string, read: () => number): void {
    this.register(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(read())
        },
      }),
    )
  }

  labelledGauge(name: string, help: string, labelName: string, read: () => Iterable<Labelled>): void {
    this.register(
      new Gauge({
        name,
        help,
        labelNames: [labelName],
        registers: [],
        collect() {
          this.reset()
          for (const [label, value] of read()) this.set({ [labelName]: label }, value)
        },
      }),
    )
  }

  /** A histogram to observe into; bounds ascending, in the unit that the name ends with. */
  histogram(name: string, help: string, bounds: readonly number[]): IntHistogram {
    const histogram = new IntHistogram(bounds)
    const metric: Renderable = {
      name,
      get: () =>
        Promise.resolve({ name, help, type: 'histogram', values: histogramValues(name, histogram), aggregator: 'sum' }),
    }
    this.register(metric as unknown as Metric)
    return histogram
  }

  /** CPU, memory, event loop and garbage collection of the process: once per process. */
  processMetrics(): void {
    collectDefaultMetrics({ register: this.registry })
  }

  render(): Promise<string> {
    return this.registry.metrics()
  }

  private register(metric: Metric): void {
    this.registry.registerMetric(metric)
  }
}

/** `sentOk` → `sent_ok`. */
export function snakeCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
