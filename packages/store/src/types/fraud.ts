// SPDX-License-Identifier: MIT
// What happened by a rule against fraud.

/** One level of one measure that was reached. */
export interface FraudEvent {
  /** Unique; the same for repeats of one finding about one call. */
  readonly id: string
  /** Store clock, milliseconds since 1970. */
  readonly at: number
  /** Name of the FraudRule. */
  readonly rule: string
  /** `account`, `subscriber`, `source`, `trunk`, `destinationPrefix`, `destinationCountry`, `country`. */
  readonly scope: string
  /** Whose value it is: name of the account, `sip:user@domain`, address, name of the trunk, prefix, country. */
  readonly subject: string
  /** As in the rule: `callsPerWindow`, … */
  readonly measure: string
  readonly level: 'warning' | 'critical'
  /** Calls, milliseconds, micro-units, percent: as the measure has it. 1 for a measure that holds or does not. */
  readonly value: bigint
  readonly threshold: bigint
  /** What the rule says; done unless dryRun. */
  readonly action: string
  readonly dryRun: boolean
  /** Call reference; '' for none: the call was refused without a record, or it is no call. */
  readonly ref: string
  /** '' where nobody is known. */
  readonly account: string
  /** Address that the request came from. */
  readonly source: string
  /** URIs of From and Request-URI. */
  readonly caller: string
  readonly callee: string
  /** For a person: the prefix, list, country or User-Agent that matched; how many events were left out. */
  readonly detail: string
}
