// SPDX-License-Identifier: MIT
//
// How long calls take, as their caller sees it, and what could not be read: histograms and integers, read at scrape. Of calls that began at
// another edge nobody knows when they began: they are left out.
import { IntHistogram, LONG_SECONDS, SHORT_SECONDS } from '@tandem/service-kit'
import { SCAN_ERRORS } from '@tandem/sip'

/** Steps of the protocol clock are 10 ms: there is nothing to be seen below that. */
const HOP_SECONDS = [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 16, 32]

export class Measures {
  readonly setUp = new IntHistogram(SHORT_SECONDS)
  readonly postDialDelay = new IntHistogram(LONG_SECONDS)
  readonly answer = new IntHistogram(LONG_SECONDS)
  readonly hop = new IntHistogram(HOP_SECONDS)
  /** By code of the error. */
  readonly scanErrors = new Float64Array(SCAN_ERRORS.length)

  unreadable(code: number): void {
    this.scanErrors[code] = (this.scanErrors[code] as number) + 1
  }

  /** Name and count of each that has come. */
  scanErrorCounts(): [name: string, count: number][] {
    return SCAN_ERRORS.map(({ name }, code): [string, number] => [name, this.scanErrors[code] ?? 0]).filter(
      ([, count]) => count > 0,
    )
  }
}

/** @param startedMs when the request was read, below 0 where that is not known */
export function observeSince(histogram: IntHistogram, startedMs: number, nowMs: number): void {
  if (startedMs >= 0) histogram.observe((nowMs - startedMs) / 1_000)
}
