// SPDX-License-Identifier: MIT
//
// Counts of the policy service: plain integers, read at scrape.
import type { LabelledField, Metrics } from '@tandem/service-kit'

const HELP = {
  decisions: 'Decide items handled.',
  plans: 'Decisions that gave a plan.',
  admits: 'Decisions that admitted a REGISTER.',
  redirects: 'Decisions that sent the caller elsewhere.',
  relays: 'Plans that lead out of the cluster.',
  unpaidLegs: 'Plans without trunks to which somebody sends the call on who has no account that pays for them.',
  forwardersRefused: 'Targets left out of plans because the account that sends the call on can not pay for them.',
  groupLogins: 'Members of hunt groups that logged in or out.',
  groupsUnread: 'Hunt groups that were planned without their turns, logins and idle times: the store did not say.',
  watches: 'Decisions that let somebody watch registrations.',
  trusted: 'Requests believed for the address that they came from.',
  answers: 'Decisions that had the edge answer by itself.',
  challenges: 'Decisions that asked for credentials.',
  rejects: 'Decisions that rejected the request.',
  authenticated: 'Credentials that were right.',
  aclCallers: 'Requests of subscribers known by their source address.',
  certificateCallers: 'Requests of subscribers known by the certificate of their connection.',
  trunkCallers: 'Requests let in for the address or certificate of a trunk that is not trusted.',
  bearerCallers: 'Tokens that were right.',
  badTokens: 'Tokens that were wrong, too old, for others, or too large.',
  keySetsRead: 'Key sets of token issuers that were read again because they had changed.',
  keySetsBroken: 'Key sets that could not be read again: the last good ones stay.',
  badCredentials: 'Credentials that were wrong, for known and unknown users alike.',
  staleNonces: 'Credentials over a nonce that was too old, or given to another source.',
  replayedNonces: 'Nonce counts that another request had used.',
  oneTimeNonces: 'Challenges with a nonce for this node alone, because the store is away.',
  failures: 'Wrong passwords, of known and unknown users alike, from sources that are counted.',
  failuresUncounted: 'Wrong passwords, and notes of right ones, that were not counted: the store was away or slow.',
  bans: 'Bans that this node made for wrong passwords.',
  bannedAttempts: 'Attempts of users who are banned, or are from there.',
  refusedBanned: 'Requests refused for a ban, where the edge let them through.',
  forgedNonces: 'Nonces that were not made by this cluster for this realm.',
  replayedDecisions: 'Decisions repeated for a transaction that had one.',
  storeAway: 'Items refused because the store is away.',
  admittedWithoutStore: 'Calls let through without replay check and record because the store is away.',
  undecided: 'Items of which nobody knows whether they were stored.',
  reports: 'Report items handled.',
  reportsRepeated: 'Reports that were known already.',
  reportsIgnored: 'Reports that could no longer change a record.',
  settled: 'Calls that nobody ended, finished by due work.',
  hangUpsRequested: 'Hang-ups wanted of calls on record.',
  hangUps: 'Hang-ups pushed to an edge.',
  hangUpsRepeated: 'Hang-ups pushed once more, to another edge where there is one.',
  hangUpsRefused: 'Hang-ups that no party took, or that no edge had a way for.',
  hangUpsGivenUp: 'Records ended because nobody could end their call.',
  warnings: 'Warnings pushed before an end.',
  probes: 'Looks whether anybody is left of a call, pushed to an edge.',
  recovered: 'Records ended because nobody was left of their call.',
  holdsRefused: 'Calls refused for want of money or by a bound of their account.',
  renewals: 'Looks at the hold of an answered call.',
  cutOffs: 'Calls that could be granted no more.',
  charged: 'Calls settled with their account.',
  chargesRecovered: 'Charges that were lost with their master and applied again.',
  ledgerEntriesCopied: 'Ledger entries that are copied elsewhere for good.',
  ledgerBatchesRefused: 'Acknowledged parts of ledgers that were not as they had been read: they are copied again.',
  unbilledCalls: 'Calls that went on beyond what was granted.',
  unbilledMs: 'Milliseconds of talk beyond what was granted.',
  unreadableCharges: 'Calls whose terms this version can not read: charged nothing.',
  holdsLapsed: 'Holds of answered calls that lapsed and were taken whole.',
  holdsReleased: 'Holds of unanswered calls that lapsed.',
  topUps: 'Top-ups, repeats included.',
  fraudFindings: 'Levels of rules against fraud that were reached.',
  fraudRefusals: 'Requests that a rule against fraud refused.',
  fraudChallenges: 'Calls whose caller was asked once more who he is, because a rule against fraud says so.',
  fraudCallsEnded: 'Running calls that a rule against fraud wanted ended because of another one.',
  fraudUncounted: 'Ends of calls that counters of rules against fraud did not get.',
  accountsBlocked: 'Blocks of accounts for a time.',
  emergencyCalls: 'Calls to emergency numbers, which nothing stops.',
  blockedCalls: 'Calls and messages that a BlockList stopped.',
  recordsDelivered: 'Records given to consumers of the feed, repeats included.',
  recordsAcknowledged: 'Records acknowledged by consumers of the feed.',
  fraudEvents: 'Fraud events that were stored.',
  fraudEventsDropped: 'Fraud events that found no room while the store was away.',
  trunkAttempts: 'Attempts at trunks with a bound, or at one that is tried again, that edges asked for.',
  trunkRefusedCalls: 'Attempts that a trunk had no place for.',
  trunkRefusedRate: 'Attempts beyond what a trunk may get in a second.',
  trunkRefusedOpen: 'Attempts at a host of a trunk that is left alone.',
  trunkWithoutStore: 'Attempts at trunks with a bound while the store was away or did not say.',
  trunkPlacesFreed: 'Places of trunks that were freed because nobody had told the end of their call.',
  trunkBreakers: 'Breakers of hosts of trunks that opened, closed, or stay open, told to this node.',
  trunkProbes: 'Probes of trunks that were pushed to an edge.',
  trunkProbesFailed: 'Probes of trunks that were not answered, or with a failure.',
  trunkRegistrations: 'REGISTERs to trunks that were pushed to an edge.',
  trunkRegistrationsFailed: 'Registrations at trunks that failed.',
  trunkChallenges: 'Challenges of trunks that edges wanted answered.',
  trunkChallengesRefused: 'Challenges of trunks that were not answered.',
  bugs: 'Exceptions out of handlers.',
} as const

export type PolicyCounts = { -readonly [K in keyof typeof HELP]: number }

export function createCounts(): PolicyCounts {
  return Object.fromEntries(Object.keys(HELP).map((key) => [key, 0])) as PolicyCounts
}

interface Group {
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  readonly fields: readonly LabelledField<keyof PolicyCounts>[]
}

const GROUPS: readonly Group[] = [
  {
    name: 'tandem_policy_verdicts_total',
    help: 'Decisions by what they said.',
    labels: ['verdict'],
    fields: [
      ['plans', 'plan'],
      ['admits', 'admit'],
      ['redirects', 'redirect'],
      ['watches', 'watch'],
      ['answers', 'answer'],
      ['challenges', 'challenge'],
      ['rejects', 'reject'],
    ],
  },
  {
    name: 'tandem_policy_authentications_total',
    help: 'Who calls, by how that was found out: digest, source address, certificate, token, a trunk.',
    labels: ['method', 'result'],
    fields: [
      ['authenticated', 'digest', 'ok'],
      ['badCredentials', 'digest', 'wrong'],
      ['staleNonces', 'digest', 'stale'],
      ['replayedNonces', 'digest', 'replayed'],
      ['forgedNonces', 'digest', 'forged'],
      ['aclCallers', 'address', 'ok'],
      ['trusted', 'trusted_address', 'ok'],
      ['certificateCallers', 'certificate', 'ok'],
      ['trunkCallers', 'trunk', 'ok'],
      ['bearerCallers', 'bearer', 'ok'],
      ['badTokens', 'bearer', 'wrong'],
    ],
  },
  {
    name: 'tandem_policy_trunk_refusals_total',
    help: 'Attempts at trunks that were not let through: no place, beyond the rate, a host left alone, or the store did not say.',
    labels: ['reason'],
    fields: [
      ['trunkRefusedCalls', 'calls'],
      ['trunkRefusedRate', 'rate'],
      ['trunkRefusedOpen', 'breaker'],
      ['trunkWithoutStore', 'store'],
    ],
  },
]

const ELSEWHERE = new Set<string>([...GROUPS.flatMap(({ fields }) => fields.map(([field]) => field)), 'unbilledMs'])

export function registerCounts(metrics: Metrics, counts: PolicyCounts): void {
  for (const { name, help, labels, fields } of GROUPS) metrics.fieldsCounter(name, help, labels, () => counts, fields)
  metrics.counter(
    'tandem_policy_unbilled_seconds_total',
    'Talk beyond what was granted, which nobody pays.',
    () => counts.unbilledMs / 1_000,
  )
  const rest = Object.fromEntries(Object.entries(HELP).filter(([field]) => !ELSEWHERE.has(field)))
  metrics.counters('tandem_policy', counts, rest as Readonly<Record<keyof PolicyCounts, string>>)
}

/** Millionths of currency units by currency; as many as accounts have. */
export type Money = Map<string, number>

export function addMoney(money: Money, currency: string, micros: bigint): void {
  money.set(currency, (money.get(currency) ?? 0) + Number(micros))
}

export function registerMoney(metrics: Metrics, charged: Money): void {
  metrics.labelledCounter(
    'tandem_policy_charged_currency_units_total',
    'What calls were charged, in units of the currency.',
    'currency',
    () => Array.from(charged, ([currency, micros]): [string, number] => [currency, micros / 1e6]),
  )
}
