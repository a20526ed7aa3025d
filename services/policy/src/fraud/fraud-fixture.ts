// SPDX-License-Identifier: MIT
//
// For tests of rules against fraud: the bench of charging with rules, lists, schedules, countries and the events that came.
import type { FraudEvent, FraudStore, Stored } from '@tandem/store'
import { type Bench, begin, createBench, documentsWith } from '../charging/charging-fixture.ts'
import type { PolicyService } from '../options.ts'
import { outcomeOf, resourcesOf } from '../policy-fixture.ts'
import type { FraudPorts } from './ports.ts'

export const ruleOf = (name: string, spec: object) => ({
  apiVersion: 'tandem/v1',
  kind: 'FraudRule',
  metadata: { name },
  spec,
})

export const REJECT = { action: 'reject' }

export interface FraudBench {
  readonly bench: Bench
  readonly node: PolicyService
  readonly events: FraudEvent[]
  /** A node more. @param withoutStore of one whose counters of rules are not to be reached */
  add(withoutStore?: 'refuse' | 'admit'): PolicyService
}

const AWAY: Stored<never> = { state: 'notStored', reason: 'away', detail: 'no connection' }
const NO_COUNTERS: FraudStore = {
  begin: () => AWAY,
  cancel: () => AWAY,
  renew: () => AWAY,
  end: () => AWAY,
  live: () => AWAY,
}

export const LISTED: Readonly<Record<string, readonly string[]>> = { irsf: ['+882', '+2246'] }

/** Countries by the second byte of an address; `office` is open unless `isNight`. */
export async function createFraudBench(
  rules: readonly { readonly [key: string]: unknown }[],
  more: {
    readonly accounts?: Readonly<Record<string, object>>
    readonly rates?: readonly object[]
    readonly isNight?: () => boolean
    readonly documents?: readonly { readonly [key: string]: unknown }[]
    readonly dryRun?: boolean
  } = {},
): Promise<FraudBench> {
  const { accounts = { acme: {} }, rates, isNight = () => false, documents = [], dryRun = false } = more
  const bench = await createBench(accounts, rates)
  const resources = await resourcesOf([...documentsWith(accounts, rates), ...documents, ...rules])
  const events: FraudEvent[] = []
  const fraudPorts: Partial<FraudPorts> = {
    emit: (event) => events.push(event),
    countryOf: (address) => ({ '0': 'DE', '1': 'FR' })[address.split('.')[1] ?? ''],
    isWithin: () => !isNight(),
    listOf: (name) => {
      const prefixes = LISTED[name]
      return prefixes && { match: (number) => prefixes.find((prefix) => number.startsWith(prefix)) }
    },
  }
  const add = (withoutStore?: 'refuse' | 'admit') => {
    const fraud = { dryRun, withoutStore: withoutStore ?? ('refuse' as const), emergencyNumbers: ['112'] }
    const node = bench.add({ fraudPorts, config: { fraud }, ...(withoutStore && { fraud: NO_COUNTERS }) })
    node.replaceResources(resources)
    return node
  }
  return { bench, node: add(), events, add }
}

export const to = (number: string) => ({ requestUri: `sip:${number}@pay.test`, to: `<sip:${number}@pay.test>` })
export const from = (address: string) => ({ source: { transport: 'udp', address, port: 5060 } })

/** Outcome of each of so many calls, one after another. */
export async function calls(node: PolicyService, count: number, parts: object = {}): Promise<string[]> {
  const outcomes: string[] = []
  for (let i = 0; i < count; i++) outcomes.push(outcomeOf((await begin(node, 'acme', parts)).decision))
  return outcomes
}
