// SPDX-License-Identifier: MIT
//
// The planner and the index as tables; revisions and diffs.
import { describe, expect, test } from 'vitest'
import { diffResources } from './diff.ts'
import type { IndexOptions } from './domain-entry.ts'
import { indexResources } from './lay-out/lay-out.ts'
import { loadResources, type ResourceSet } from './load.ts'
import { plan } from './plan.ts'
import { findDomain } from './resource-index.ts'

const OPTIONS: IndexOptions = {
  localHosts: ['127.0.0.1', '::1'],
  authentication: 'digest',
  accounting: true,
  registration: { minExpiresMs: 60_000, maxExpiresMs: 7_200_000, defaultExpiresMs: 3_600_000, maxContacts: 10 },
}

const document = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})
const IN = { domain: 'example.test' }
const DOCUMENTS = [
  document('Domain', { name: 'example.test' }, { aliases: ['sip.example.test'], alsoBindAddress: true }),
  document('Domain', { name: 'other.test' }, { registration: { maxExpiresMs: 1_800_500, maxContacts: 2 } }),
  document('Subscriber', { name: 'alice', ...IN }),
  document('Subscriber', { name: 'bob', ...IN }, { usernames: ['bob', '1001'] }),
  document('HuntGroup', { name: 'sales', ...IN }, { members: ['alice', 'bob'], ringMs: 20_000 }),
]

async function load(documents: readonly object[]): Promise<ResourceSet> {
  const result = await loadResources(documents as { [key: string]: unknown }[], { baseDir: '/', env: {} })
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.set
}

const set = await load(DOCUMENTS)
const index = indexResources(set, OPTIONS)

const CASES = [
  { method: 'INVITE', user: 'alice', host: 'example.test', targets: ['sip:alice@example.test'] },
  {
    method: 'INVITE',
    user: 'alice',
    host: 'SIP.Example.TEST.',
    targets: ['sip:alice@example.test'],
    cite: 'RFC3261-16.5c',
  },
  { method: 'MESSAGE', user: '1001', host: '127.0.0.1', targets: ['sip:bob@example.test'] },
  { method: 'INVITE', user: 'bob', host: '[::1]', targets: ['sip:bob@example.test'] },
  {
    method: 'INVITE',
    user: 'sales',
    host: 'example.test',
    targets: ['sip:alice@example.test', 'sip:bob@example.test'],
  },
  { method: 'INVITE', user: 'alice', host: 'other.test', status: 404, code: 'unknown_user', cite: 'RFC3261-16.5k' },
  { method: 'INVITE', user: 'Alice', host: 'example.test', status: 404, code: 'unknown_user', cite: 'RFC3261-19.1.4' },
  { method: 'INVITE', user: '+4930123', host: 'example.test', status: 404, code: 'unknown_user' },
  { method: 'INVITE', user: 'alice', host: 'elsewhere.test', status: 403, code: 'relay_refused', cite: 'RFC3261-16.5' },
  { method: 'INVITE', user: '', host: '', status: 404, code: 'unknown_number' },
  { method: 'INVITE', user: '', host: 'example.test', status: 405, code: 'method_not_allowed', cite: 'RFC3261-8.2.1b' },
  { method: 'OPTIONS', user: '', host: 'example.test', status: 200, code: '', cite: 'RFC3261-11.1' },
]

describe('plan', () => {
  test.each(CASES)('$method $user@$host [$cite]', ({ method, user, host, targets, status, code }) => {
    const verdict = plan({ method, user, host }, index)
    expect(verdict.steps.flatMap((step) => step.targets.map((target) => target.aor))).toEqual(targets ?? [])
    expect({ status: verdict.status, code: verdict.code }).toEqual({ status: status ?? 0, code: code ?? '' })
    expect(verdict.reasons.length).toBeGreaterThan(0)
  })

  test('[RFC3261-16.5f] a user that several names reach rings once', () => {
    for (const user of ['bob', '1001']) {
      const { steps } = plan({ method: 'INVITE', user, host: 'example.test' }, index)
      expect(steps.flatMap(({ targets }) => targets.map(({ aor }) => aor))).toEqual(['sip:bob@example.test'])
    }
  })

  test('all members of a ring-all group stand in one step, with its ring time', () => {
    const { steps } = plan({ method: 'INVITE', user: 'sales', host: 'example.test' }, index)
    expect(steps.map(({ targets, ringMs }) => [targets.length, ringMs])).toEqual([[2, 20_000]])
  })

  test('a verdict is shared and cannot be changed', () => {
    const request = { method: 'INVITE', user: 'alice', host: 'example.test' }
    expect(plan(request, index)).toBe(plan({ ...request }, index))
    expect(Object.isFrozen(plan(request, index))).toBe(true)
  })
})

describe('index', () => {
  test('settings complete what a domain leaves open, and the default stays within its bounds', () => {
    expect(findDomain(index, 'example.test')).toMatchObject({ minExpiresS: 60, maxExpiresS: 7_200, maxContacts: 10 })
    expect(findDomain(index, 'other.test')).toMatchObject({
      maxExpiresS: 1_800,
      defaultExpiresS: 1_800,
      maxContacts: 2,
    })
  })

  test('authentication and accounting can be switched off for all', () => {
    const off = indexResources(set, { ...OPTIONS, authentication: 'off', accounting: false })
    expect(off.anyAuthenticated).toBe(false)
    expect(findDomain(off, 'example.test')).toMatchObject({ authenticated: false, accounting: false })
  })
})

describe('revision and diff', () => {
  test('the order of documents does not matter, their content does', async () => {
    expect((await load([...DOCUMENTS].reverse())).revision).toBe(set.revision)
    const changed = await load([
      ...DOCUMENTS.slice(0, 4),
      document('HuntGroup', { name: 'sales', ...IN }, { members: ['bob'] }),
    ])
    expect(changed.revision).not.toBe(set.revision)
    expect(diffResources(set.resources, changed.resources)).toEqual({
      added: [],
      removed: [],
      changed: ['HuntGroup/example.test/sales'],
    })
  })

  test('a changed password is a change', async () => {
    const with_ = (password: string) => [
      ...DOCUMENTS,
      document('Subscriber', { name: 'carol', ...IN }, { credentials: { password } }),
    ]
    const [one, two] = [await load(with_('one-secret')), await load(with_('two-secret'))]
    expect(diffResources(one.resources, two.resources).changed).toEqual(['Subscriber/example.test/carol'])
    expect(diffResources(set.resources, one.resources).added).toEqual(['Subscriber/example.test/carol'])
    expect(diffResources(one.resources, set.resources).removed).toEqual(['Subscriber/example.test/carol'])
  })
})
