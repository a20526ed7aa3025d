// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest'
import { document, domain, load, problemsOf } from './testing.ts'

const rule = (spec: object) => document('FraudRule', { name: 'r' }, spec)
const REJECT = { critical: { above: 10, action: 'reject' } }

test('a rule has defaults that need no thought: of accounts, every call, an event every ten seconds', async () => {
  const set = await load([rule({ measures: { callsPerWindow: { windowMs: 60_000, critical: { above: 10 } } } })])
  expect(set.resources[0]?.spec).toMatchObject({
    enabled: true,
    dryRun: false,
    scope: 'account',
    select: {},
    except: {},
    eventEveryMs: 10_000,
    measures: { callsPerWindow: { critical: { above: 10, action: 'event' } } },
  })
})

test.each([
  ['nothing measured', { measures: {} }, /one measure/],
  ['a measure without a level', { measures: { concurrentCalls: {} } }, /warning, critical or both/],
  [
    'a warning that comes with or after the critical level',
    { measures: { concurrentCalls: { warning: { above: 5 }, critical: { above: 5 } } } },
    /more than the warning/,
  ],
  ['a window that is too short', { measures: { callsPerWindow: { windowMs: 999, ...REJECT } } }, /1000/],
  ['a window that is too long', { measures: { callsPerWindow: { windowMs: 32 * 86_400_000, ...REJECT } } }, /26784/],
  ['a status that no refusal has', { measures: { concurrentCalls: { critical: { above: 1, status: 200 } } } }, /403/],
  [
    'a status where nothing is refused',
    { measures: { concurrentCalls: { critical: { above: 1, action: 'event', status: 603 } } } },
    /status only where/,
  ],
  [
    'a block without blockAccount',
    { measures: { concurrentCalls: { critical: { above: 1, action: 'reject', blockMs: 5_000 } } } },
    /blockMs only with/,
  ],
  [
    'more distinct destinations than are counted',
    { measures: { distinctDestinations: { windowMs: 60_000, critical: { above: 1_000 } } } },
    /999/,
  ],
  [
    'a refusal by the duration of one call',
    { measures: { singleDuration: { critical: { above: 1, action: 'reject' } } } },
    /call that is answered/,
  ],
  [
    'a block by User-Agent, before anybody is known',
    { scope: 'source', measures: { userAgent: { critical: { action: 'blockAccount' } } } },
    /before anybody/,
  ],
  ['User-Agents of accounts', { measures: { userAgent: { critical: {} } } }, /expected source/],
  ['countries of accounts', { measures: { countriesAtOnce: { critical: {} } } }, /expected subscriber/],
  [
    'prefixes without prefixes',
    { scope: 'destinationPrefix', measures: { concurrentCalls: REJECT } },
    /prefixes or lists/,
  ],
  [
    'an unknown account',
    { select: { accounts: ['nobody'] }, measures: { concurrentCalls: REJECT } },
    /Account\/nobody/,
  ],
  ['an unknown list', { measures: { destinationList: { lists: ['none'], critical: {} } } }, /NumberList\/none/],
  ['an unknown schedule', { measures: { offHours: { schedule: 'none', critical: {} } } }, /Schedule\/none/],
])('%s is refused', async (_, spec, expected) => {
  expect((await problemsOf(domain(), rule(spec))).join('\n')).toMatch(expected)
})
