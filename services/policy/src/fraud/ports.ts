// SPDX-License-Identifier: MIT
//
// What the rules need from outside: where events go, what lists, schedules and GeoIP say. Each has a default that knows nothing.
import type { FraudEvent } from '@tandem/store'

/** A list of number prefixes, with any content. */
export interface NumberMatcher {
  /** @param number canonical (`+4930…` or digits) @returns the longest prefix on the list; undefined for none */
  match(number: string): string | undefined
}

export interface FraudPorts {
  /** Never throws and never waits. */
  emit(event: FraudEvent): void
  /** @param address without brackets @returns two letters of ISO 3166; undefined where nobody knows */
  countryOf(address: string): string | undefined
  /** Whether the instant is within the hours of a Schedule. A schedule that is not there has no hours. */
  isWithin(schedule: string, unixMs: number): boolean
  /** Of a NumberList by name. */
  listOf(name: string): NumberMatcher | undefined
}

export const NO_PORTS: FraudPorts = Object.freeze({
  emit: () => undefined,
  countryOf: () => undefined,
  isWithin: () => false,
  listOf: () => undefined,
})
