// SPDX-License-Identifier: MIT
//
// The rules of one revision, laid out so that a call only meets those that may select it: each rule stands under the narrowest thing that
// it names (account, subscriber, trunk, prefix, source, domain), those that name nothing in a list of their own. Labels are resolved to
// subscribers when the rules are compiled. Hundreds of rules for others cost a call a few lookups.
import {
  type AddressList,
  addressList,
  countryOfNumber,
  type FraudRule,
  type FraudSelection,
  findDomain,
  findUser,
  type ResourceIndex,
  type ResourceSet,
  type Subscriber,
} from '@tandem/resources'
import type { FraudCall } from './fraud-call.ts'
import type { FraudPorts } from './ports.ts'
import { compileRule, type RuleCheck, type RuleEntry } from './rule-checks.ts'

/** A rule that selects a call, of the subject whose counters it looks at. */
export interface Selected {
  readonly rule: RuleEntry
  /** The longest prefix of the rule that the number has, '' for none. */
  readonly prefix: string
}

/** Selections with their names resolved. */
interface Placed {
  readonly rule: RuleEntry
  readonly accounts: ReadonlySet<string> | undefined
  readonly subscribers: ReadonlySet<string> | undefined
  readonly labelled: ReadonlySet<string> | undefined
  readonly domains: ReadonlySet<string> | undefined
  readonly trunks: ReadonlySet<string> | undefined
  readonly prefixes: ReadonlySet<string> | undefined
  readonly sources: AddressList | undefined
  readonly countries: ReadonlySet<string> | undefined
  readonly destinations: ReadonlySet<string> | undefined
  readonly exceptAccounts: ReadonlySet<string> | undefined
  readonly exceptSubscribers: ReadonlySet<string> | undefined
  readonly exceptPrefixes: ReadonlySet<string> | undefined
  readonly exceptSources: AddressList | undefined
}

type Table = Map<string, Placed[]>

const MAX_KNOWN_SOURCES = 10_000
const NONE: readonly Placed[] = []

const setOf = (names: readonly string[] | undefined): ReadonlySet<string> | undefined => names && new Set(names)

const listOf = (ranges: FraudSelection['sources']): AddressList | undefined =>
  ranges === undefined ? undefined : addressList(ranges)

function put(table: Table, key: string, rule: Placed): void {
  const rules = table.get(key)
  if (rules === undefined) table.set(key, [rule])
  else rules.push(rule)
}

/** The longest prefix of `number` in the set; undefined: none. */
function longest(prefixes: ReadonlySet<string>, number: string): string | undefined {
  for (let length = number.length; length > 0; length--) {
    const prefix = number.slice(0, length)
    if (prefixes.has(prefix)) return prefix
  }
  return undefined
}

const hasPrefix = (prefixes: ReadonlySet<string>, { number, dialled }: FraudCall): string | undefined =>
  longest(prefixes, number) ?? (dialled === '' ? undefined : longest(prefixes, dialled))

export class RuleIndex {
  readonly rules: readonly RuleEntry[]
  /** Rules that look at User-Agents, of any request. */
  readonly agents: readonly RuleEntry[]
  /** Some rule blocks accounts: then every account goes through the store. */
  readonly blocks: boolean
  readonly #checks = new Map<string, RuleCheck>()
  readonly #byAccount: Table = new Map()
  readonly #bySubscriber: Table = new Map()
  readonly #byTrunk: Table = new Map()
  readonly #byPrefix: Table = new Map()
  readonly #byDomain: Table = new Map()
  readonly #rest: Placed[] = []
  /** Rules that name sources first, and what they say of an address that was here. */
  readonly #bySource: Placed[] = []
  readonly #sources = new Map<string, readonly Placed[]>()
  #longestPrefix = 0
  readonly #placed = new Map<RuleEntry, Placed>()
  readonly #trunkHosts = new Map<string, string>()

  constructor(set: Pick<ResourceSet, 'resources'>, index: ResourceIndex, dryRun: boolean) {
    const enabled = set.resources.filter((one): one is FraudRule => one.kind === 'FraudRule' && one.spec.enabled)
    const subscribers = enabled.some(({ spec }) => spec.select.labels) ? labelledSubscribers(set, index) : []
    for (const one of set.resources) {
      if (one.kind === 'Trunk') for (const { host } of one.spec.hosts) this.#trunkHosts.set(host, one.metadata.name)
    }
    this.rules = enabled.map((rule) => compileRule(rule, dryRun))
    for (const rule of this.rules) {
      for (const check of rule.checks) this.#checks.set(check.counter, check)
      this.#place(placedOf(rule, index, subscribers))
    }
    this.agents = this.rules.filter(({ checks }) => checks.some(({ kind }) => kind === 'agent'))
    this.blocks = [...this.#checks.values()].some(
      ({ warning, critical }) => warning?.action === 'blockAccount' || critical?.action === 'blockAccount',
    )
  }

  get isEmpty(): boolean {
    return this.rules.length === 0
  }

  /** Of this revision; undefined: the rule is gone, or has changed. */
  checkOf(counter: string): RuleCheck | undefined {
    return this.#checks.get(counter)
  }

  /** '' where no trunk has this host. */
  trunkOfHost(host: string): string {
    return this.#trunkHosts.get(host.toLowerCase()) ?? ''
  }

  /** @param unixMs wall clock, for the hours of a selection */
  select(call: FraudCall, ports: FraudPorts, unixMs: number): Selected[] {
    const found: Selected[] = []
    const take = (rules: readonly Placed[] | undefined): void => {
      if (rules === undefined) return
      for (const one of rules) {
        const prefix = match(one, call, ports, unixMs)
        if (prefix !== undefined) found.push({ rule: one.rule, prefix })
      }
    }
    if (call.account !== '') take(this.#byAccount.get(call.account))
    if (call.subscriber !== '') take(this.#bySubscriber.get(call.subscriber))
    if (call.trunk !== '') take(this.#byTrunk.get(call.trunk))
    if (this.#longestPrefix > 0) this.#prefixed(call, take)
    if (this.#bySource.length > 0) take(this.#fromSource(call.source))
    take(this.#byDomain.get(call.domain))
    take(this.#rest)
    return found
  }

  /** Whether a rule selects this request as far as only its source is known. */
  selectsSource(rule: RuleEntry, source: string): boolean {
    const placed = this.#placed.get(rule)
    if (placed === undefined) return false
    if (placed.sources !== undefined && !placed.sources.has(source)) return false
    return placed.exceptSources?.has(source) !== true
  }

  #prefixed(call: FraudCall, take: (rules: readonly Placed[] | undefined) => void): void {
    const seen = new Set<Placed>()
    const walk = (number: string): void => {
      for (let length = Math.min(number.length, this.#longestPrefix); length > 0; length--) {
        const rules = this.#byPrefix.get(number.slice(0, length))?.filter((one) => !seen.has(one))
        for (const one of rules ?? []) seen.add(one)
        take(rules)
      }
    }
    walk(call.number)
    if (call.dialled !== '') walk(call.dialled)
  }

  #fromSource(source: string): readonly Placed[] {
    const known = this.#sources.get(source)
    if (known !== undefined) return known
    const rules = this.#bySource.filter(({ sources }) => sources?.has(source) === true)
    if (this.#sources.size >= MAX_KNOWN_SOURCES) this.#sources.clear()
    this.#sources.set(source, rules.length === 0 ? NONE : rules)
    return rules
  }

  #place(placed: Placed): void {
    this.#placed.set(placed.rule, placed)
    const { accounts, subscribers, labelled, trunks, prefixes, sources, domains } = placed
    const under: readonly (readonly [Table, ReadonlySet<string> | undefined])[] = [
      [this.#bySubscriber, subscribers],
      [this.#byAccount, accounts],
      [this.#bySubscriber, labelled],
      [this.#byTrunk, trunks],
      [this.#byPrefix, prefixes],
    ]
    for (const [table, names] of under) {
      if (names === undefined) continue
      for (const name of names) put(table, name, placed)
      if (table === this.#byPrefix) this.#noteLongest(names)
      return
    }
    if (sources !== undefined) this.#bySource.push(placed)
    else if (domains === undefined) this.#rest.push(placed)
    else for (const name of domains) put(this.#byDomain, name, placed)
  }

  #noteLongest(prefixes: ReadonlySet<string>): void {
    for (const prefix of prefixes) this.#longestPrefix = Math.max(this.#longestPrefix, prefix.length)
  }
}

const hasIt = (names: ReadonlySet<string> | undefined, name: string): boolean => names === undefined || names.has(name)

/** @returns the prefix that counts, '' for none; undefined: not selected */
function match(placed: Placed, call: FraudCall, ports: FraudPorts, unixMs: number): string | undefined {
  const { accounts, subscribers, labelled, domains, trunks, prefixes, sources, countries, destinations, rule } = placed
  if (!hasIt(accounts, call.account) || !hasIt(subscribers, call.subscriber)) return undefined
  if (!hasIt(labelled, call.subscriber) || !hasIt(domains, call.domain) || !hasIt(trunks, call.trunk)) return undefined
  const prefix = prefixes === undefined ? '' : hasPrefix(prefixes, call)
  if (prefix === undefined) return undefined
  if (sources !== undefined && !sources.has(call.source)) return undefined
  if (isExcepted(placed, call, ports)) return undefined
  if (countries !== undefined && !countries.has(call.country())) return undefined
  if (destinations !== undefined && !destinations.has(countryOfNumber(call.number) ?? '')) return undefined
  const { hours, lists } = rule.spec.select
  if (hours !== undefined && ports.isWithin(hours.schedule, unixMs) !== (hours.is === 'within')) return undefined
  if (lists === undefined) return prefix
  const listed = listedPrefix(lists, call, ports)
  return listed === undefined ? undefined : prefix || listed
}

function isExcepted(placed: Placed, call: FraudCall, ports: FraudPorts): boolean {
  const { exceptAccounts, exceptSubscribers, exceptPrefixes, exceptSources, rule } = placed
  if (exceptAccounts?.has(call.account) === true || exceptSubscribers?.has(call.subscriber) === true) return true
  if (exceptSources?.has(call.source) === true) return true
  if (exceptPrefixes !== undefined && hasPrefix(exceptPrefixes, call) !== undefined) return true
  const { lists } = rule.spec.except
  return lists !== undefined && listedPrefix(lists, call, ports) !== undefined
}

/** The prefix by which the number stands on one of the lists. */
export function listedPrefix(
  lists: readonly string[],
  { number, dialled }: Pick<FraudCall, 'number' | 'dialled'>,
  ports: FraudPorts,
): string | undefined {
  for (const name of lists) {
    const list = ports.listOf(name)
    const found = list?.match(number) ?? (dialled === '' ? undefined : list?.match(dialled))
    if (found !== undefined) return found
  }
  return undefined
}

interface Labelled {
  readonly aor: string
  readonly subscriber: Readonly<Record<string, string>>
  readonly account: Readonly<Record<string, string>>
}

/** With their own labels and those of their accounts. */
function labelledSubscribers(set: Pick<ResourceSet, 'resources'>, index: ResourceIndex): Labelled[] {
  const accounts = new Map<string, Readonly<Record<string, string>>>()
  for (const one of set.resources) if (one.kind === 'Account') accounts.set(one.metadata.name, one.metadata.labels)
  return set.resources
    .filter((one): one is Subscriber => one.kind === 'Subscriber')
    .map(({ metadata, spec }) => ({
      aor: aorOf(`${spec.usernames?.[0] ?? metadata.name}@${metadata.domain}`, index),
      subscriber: metadata.labels,
      account: accounts.get(spec.account ?? '') ?? {},
    }))
}

function withLabels(wanted: Readonly<Record<string, string>>, all: readonly Labelled[]): ReadonlySet<string> {
  const has = ({ subscriber, account }: Labelled): boolean =>
    Object.entries(wanted).every(([key, value]) => subscriber[key] === value || account[key] === value)
  return new Set(all.filter(has).map(({ aor }) => aor))
}

/** Of somebody who is not there: as it is written, which is nobody's. */
function aorOf(text: string, index: ResourceIndex): string {
  const at = text.lastIndexOf('@')
  const domain = findDomain(index, text.slice(at + 1))
  return (domain && findUser(domain, text.slice(0, at))?.aor) ?? `sip:${text}`
}

function placedOf(rule: RuleEntry, index: ResourceIndex, labelled: readonly Labelled[]): Placed {
  const { select, except } = rule.spec
  const aors = (names: readonly string[] | undefined) => setOf(names?.map((name) => aorOf(name, index)))
  return {
    rule,
    accounts: setOf(select.accounts),
    subscribers: aors(select.subscribers),
    labelled: select.labels && withLabels(select.labels, labelled),
    domains: setOf(select.domains?.map((name) => findDomain(index, name)?.name ?? name)),
    trunks: setOf(select.trunks),
    prefixes: setOf(select.prefixes),
    sources: listOf(select.sources),
    countries: setOf(select.countries),
    destinations: setOf(select.destinationCountries),
    exceptAccounts: setOf(except.accounts),
    exceptSubscribers: aors(except.subscribers),
    exceptPrefixes: setOf(except.prefixes),
    exceptSources: listOf(except.sources),
  }
}
