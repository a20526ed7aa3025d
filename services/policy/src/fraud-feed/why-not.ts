// SPDX-License-Identifier: MIT
//
// Why a rule does not look at a call, for a person: the first thing of its selection that the call is not.
import { countryOfNumber, type FraudSelection } from '@tandem/resources'
import type { FraudPorts } from '../fraud/ports.ts'
import type { RuleEntry } from '../fraud/rule-checks.ts'
import { listedPrefix } from '../fraud/rule-index.ts'
import type { TrialCall } from './trial-call.ts'

const shown = (text: string): string => (text === '' ? 'none' : text)

const begins = (prefixes: readonly string[], { number, dialled }: TrialCall): boolean =>
  prefixes.some((prefix) => number.startsWith(prefix) || (dialled !== '' && dialled.startsWith(prefix)))

type Look = (select: FraudSelection, call: TrialCall, ports: FraudPorts, unixMs: number) => string | undefined

/** In the order in which a selection stands in the docs; what none of them explains are labels, subscribers and addresses. */
const LOOKS: readonly Look[] = [
  ({ accounts }, { account }) =>
    accounts?.includes(account) === false ? `accounts: the call's is ${shown(account)}` : undefined,
  ({ domains }, { domain }) =>
    domains?.includes(domain) === false ? `domains: the call's is ${shown(domain)}` : undefined,
  ({ trunks }) => (trunks === undefined ? undefined : 'trunks: a tried call has none'),
  ({ prefixes }, call) =>
    prefixes !== undefined && !begins(prefixes, call) ? `prefixes: the number is ${shown(call.number)}` : undefined,
  ({ lists }, call, ports) =>
    lists !== undefined && listedPrefix(lists, call, ports) === undefined
      ? `lists: ${shown(call.number)} is on none`
      : undefined,
  ({ countries }, call) =>
    countries?.includes(call.country()) === false ? `countries: the source's is ${shown(call.country())}` : undefined,
  ({ destinationCountries }, { number }) =>
    destinationCountries?.includes(countryOfNumber(number) ?? '') === false
      ? `destinationCountries: the number's is ${shown(countryOfNumber(number) ?? '')}`
      : undefined,
  ({ hours }, _, ports, unixMs) =>
    hours !== undefined && ports.isWithin(hours.schedule, unixMs) !== (hours.is === 'within')
      ? `hours: the time is not ${hours.is} ${hours.schedule}`
      : undefined,
]

export function whyNot({ spec }: RuleEntry, call: TrialCall, ports: FraudPorts, unixMs: number): string {
  for (const look of LOOKS) {
    const why = look(spec.select, call, ports, unixMs)
    if (why !== undefined) return `not selected by ${why}`
  }
  const { subscribers, labels, sources } = spec.select
  const rest = Object.entries({ subscribers, labels, sources }).filter(([, value]) => value !== undefined)
  if (rest.length > 0) return `not selected by ${rest.map(([key]) => key).join(', ')}, or excepted`
  return 'excepted'
}
