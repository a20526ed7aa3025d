// SPDX-License-Identifier: MIT
//
// For this package's tests: documents in short, loaded and indexed.
import type { IndexOptions } from './domain-entry.ts'
import { describeProblem } from './errors.ts'
import { indexResources } from './lay-out/lay-out.ts'
import { loadResources, type ResourceSet } from './load.ts'
import { plan } from './plan.ts'
import type { PlanVerdict } from './plan-verdict.ts'
import type { ResourceIndex } from './resource-index.ts'

export const OPTIONS: IndexOptions = {
  localHosts: ['192.0.2.1'],
  authentication: 'digest',
  accounting: true,
  registration: { minExpiresMs: 60_000, maxExpiresMs: 7_200_000, defaultExpiresMs: 3_600_000, maxContacts: 10 },
}

export const document = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})
export const domain = (spec: object = {}, name = 'example.test') => document('Domain', { name }, spec)
export const subscriber = (name: string, spec: object = {}) =>
  document('Subscriber', { name, domain: 'example.test' }, spec)
export const group = (spec: object) => document('HuntGroup', { name: 'sales', domain: 'example.test' }, spec)
export const redirect = (spec: object) => document('Redirect', { name: 'moved', domain: 'example.test' }, spec)

const read = (documents: readonly object[]) =>
  loadResources(documents as { [key: string]: unknown }[], { baseDir: '/', env: {} })

export async function load(documents: readonly object[]): Promise<ResourceSet> {
  const result = await read(documents)
  if (!result.ok) throw new Error(result.problems.map(describeProblem).join('\n'))
  return result.set
}

export const indexOf = async (...documents: object[]): Promise<ResourceIndex> =>
  indexResources(await load(documents), OPTIONS)

export async function problemsOf(...documents: object[]): Promise<string[]> {
  const result = await read(documents)
  return result.ok ? [] : result.problems.map(({ path, expected }) => `${path}: ${expected}`)
}

export const planOf = (index: ResourceIndex, user: string, method = 'INVITE'): PlanVerdict =>
  plan({ method, user, host: 'example.test' }, index)
