// SPDX-License-Identifier: MIT
//
// Histograms that hot paths observe into: one increment in a typed array an observation, rendered at scrape.

/** Fixed bucket bounds, ascending. */
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

/** Values of a family's label; further ones count as `other`. */
const MAX_FAMILY = 256

/** Histograms of the same bounds by the value of one label. */
export class HistogramFamily {
  readonly #bounds: readonly number[]
  readonly #byLabel = new Map<string, IntHistogram>()

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
  }

  observe(label: string, value: number): void {
    const known = this.#byLabel.get(label)
    if (known !== undefined) known.observe(value)
    else this.#add(this.#byLabel.size < MAX_FAMILY ? label : 'other').observe(value)
  }

  entries(): Iterable<readonly [label: string, histogram: IntHistogram]> {
    return this.#byLabel
  }

  #add(label: string): IntHistogram {
    const histogram = this.#byLabel.get(label) ?? new IntHistogram(this.#bounds)
    this.#byLabel.set(label, histogram)
    return histogram
  }
}

/** Bounds for what takes milliseconds: a decision, a look-up, a script, a relay. */
export const SHORT_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.5, 1, 2.5, 5,
]
/** Bounds for what people wait for: ringing, an answer. */
export const LONG_SECONDS: readonly number[] = [0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60, 120]
