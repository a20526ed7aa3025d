// SPDX-License-Identifier: MIT
//
// Which rules select a call: pure, on an index of one revision.
import { indexResources } from '@tandem/resources'
import { expect, test } from 'vitest'
import { resourcesOf, SETTINGS } from '../policy-fixture.ts'
import type { FraudCall } from './fraud-call.ts'
import { ruleOf } from './fraud-fixture.ts'
import { NO_PORTS } from './ports.ts'
import { levelFor } from './rule-checks.ts'
import { RuleIndex } from './rule-index.ts'

const MEASURES = { concurrentCalls: { warning: { above: 5 }, critical: { above: 10, action: 'reject' } } }

const document = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})

const DOCUMENTS = [
  document('Account', { name: 'acme', labels: { tier: 'gold' } }),
  document('Account', { name: 'other' }),
  document('Domain', { name: 'a.test' }, { aliases: ['alias.test'] }),
  document('Subscriber', { name: 'alice', domain: 'a.test' }, { account: 'acme', usernames: ['alice', '1000'] }),
  document('Subscriber', { name: 'bob', domain: 'a.test', labels: { tier: 'gold' } }, { account: 'other' }),
  document('Subscriber', { name: 'carol', domain: 'a.test' }, { account: 'other' }),
  document('Trunk', { name: 'carrier' }, { hosts: [{ host: 'sip.carrier.test' }] }),
  document('NumberList', { name: 'irsf' }, { prefixes: ['+882'] }),
  document('Schedule', { name: 'office' }, { timeZone: 'UTC', weekly: [{ days: ['mon'] }] }),
]

const PORTS = {
  ...NO_PORTS,
  isWithin: () => true,
  listOf: () => ({ match: (number: string) => (number.startsWith('+882') ? '+882' : undefined) }),
}

const CALL: FraudCall = {
  account: 'acme',
  subscriber: 'sip:alice@a.test',
  domain: 'a.test',
  source: '192.0.2.7',
  trunk: '',
  number: '+4930123',
  dialled: '030123',
  caller: 'sip:alice@a.test',
  callee: 'sip:030123@a.test',
  country: () => 'DE',
}

async function indexOf(...rules: { readonly [key: string]: unknown }[]): Promise<RuleIndex> {
  const set = await resourcesOf([...DOCUMENTS, ...rules])
  return new RuleIndex(set, indexResources(set, SETTINGS), false)
}

const ALL = { scope: 'source', measures: MEASURES }

test.each([
  ['nothing set: every call', {}, {}, true],
  ['the account', { select: { accounts: ['acme'] } }, {}, true],
  ['another account', { select: { accounts: ['other'] } }, {}, false],
  ['a subscriber by another of its names', { select: { subscribers: ['1000@alias.test'] } }, {}, true],
  ['another subscriber', { select: { subscribers: ['bob@a.test'] } }, {}, false],
  ['a label of the account', { select: { labels: { tier: 'gold' } } }, {}, true],
  ['a label of the subscriber', { select: { labels: { tier: 'gold' } } }, { subscriber: 'sip:bob@a.test' }, true],
  ['no such label', { select: { labels: { tier: 'gold' } } }, { subscriber: 'sip:carol@a.test' }, false],
  ['the domain by its name', { select: { domains: ['a.test'] } }, {}, true],
  ['a source range', { select: { sources: ['192.0.2.0/24'] } }, {}, true],
  ['another source range', { select: { sources: ['198.51.100.0/24'] } }, {}, false],
  ['a trunk', { select: { trunks: ['carrier'] } }, { trunk: 'carrier' }, true],
  ['no trunk', { select: { trunks: ['carrier'] } }, {}, false],
  ['a prefix of the global number', { select: { prefixes: ['+49'] } }, {}, true],
  ['a prefix as it was dialled', { select: { prefixes: ['03'] } }, {}, true],
  ['another prefix', { select: { prefixes: ['+44'] } }, {}, false],
  ['a list', { select: { lists: ['irsf'] } }, { number: '+8823' }, true],
  ['not on the list', { select: { lists: ['irsf'] } }, {}, false],
  ['a country', { select: { countries: ['DE', 'FR'] } }, {}, true],
  ['another country', { select: { countries: ['FR'] } }, {}, false],
  ['a destination country', { select: { destinationCountries: ['DE'] } }, {}, true],
  ['another destination country', { select: { destinationCountries: ['XG'] } }, {}, false],
  ['a service of no country', { select: { destinationCountries: ['XG'] } }, { number: '+8823' }, true],
  ['no number, no country', { select: { destinationCountries: ['DE'] } }, { number: '', dialled: '' }, false],
  ['within hours', { select: { hours: { schedule: 'office', is: 'within' } } }, {}, true],
  ['outside of hours', { select: { hours: { schedule: 'office' } } }, {}, false],
  ['all that is set must fit', { select: { accounts: ['acme'], prefixes: ['+44'] } }, {}, false],
  ['an excepted account', { except: { accounts: ['acme'] } }, {}, false],
  ['an excepted subscriber', { except: { subscribers: ['alice@a.test'] } }, {}, false],
  ['an excepted prefix', { except: { prefixes: ['+4930'] } }, {}, false],
  ['an excepted source', { except: { sources: ['192.0.2.7'] } }, {}, false],
  ['an excepted list', { except: { lists: ['irsf'] } }, { number: '+8823' }, false],
  ['a rule that is off', { enabled: false }, {}, false],
])('%s', async (_, spec, call, selected) => {
  const index = await indexOf(ruleOf('r', { ...ALL, ...spec }))
  expect(index.select({ ...CALL, ...call }, PORTS, 0)).toHaveLength(selected ? 1 : 0)
})

test('the longest prefix of a rule counts, once', async () => {
  const rule = ruleOf('r', {
    scope: 'destinationPrefix',
    select: { prefixes: ['+4', '+49', '+4930', '0'] },
    measures: MEASURES,
  })
  const index = await indexOf(rule)
  expect(index.select(CALL, PORTS, 0).map(({ prefix }) => prefix)).toEqual(['+4930'])
})

test('the host of a trunk is known, whatever its case', async () => {
  const index = await indexOf()
  expect(index.trunkOfHost('SIP.carrier.test')).toBe('carrier')
  expect(index.trunkOfHost('other.test')).toBe('')
})

test('a level is reached above its value, the critical one first', async () => {
  const [check] = (await indexOf(ruleOf('r', ALL))).rules[0]?.checks ?? []
  if (check === undefined) throw new Error('no check')
  expect([5n, 6n, 10n, 11n].map((value) => levelFor(check, value))).toEqual([
    undefined,
    'warning',
    'warning',
    'critical',
  ])
})

test('a counter is named by rule, measure and window: a changed window begins anew', async () => {
  const windows = [60_000, 61_000].map((windowMs) =>
    ruleOf(`w${windowMs}`, { measures: { callsPerWindow: { windowMs, warning: { above: 1 } } } }),
  )
  const names = (await indexOf(...windows)).rules.flatMap(({ checks }) => checks.map(({ counter }) => counter))
  expect(names).toEqual(['w60000.calls.1aao', 'w61000.calls.1b2g'])
})
