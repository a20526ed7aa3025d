// SPDX-License-Identifier: MIT
//
// What no single document can show: names that are taken twice, and names that lead nowhere. Each host name belongs to
// one domain, each user part of a domain to one subscriber or hunt group.
import type { ProblemCode, ResourceProblem } from './errors.ts'
import type { LocatedResource } from './parse-yaml.ts'
import { resourceKey } from './resource.ts'

type Claims = Map<string, string>

class References {
  readonly problems: ResourceProblem[] = []
  readonly keys: Claims = new Map()
  readonly hosts: Claims = new Map()
  readonly users: Claims = new Map()
  /** Realm of each domain, by name. */
  readonly realms: Claims = new Map()
  readonly logins: Claims = new Map()

  report({ origin }: LocatedResource, code: ProblemCode, path: string, expected: string): void {
    this.problems.push({ ...origin, code, path, expected })
  }

  claim(claims: Claims, name: string, located: LocatedResource, path: string): void {
    const key = resourceKey(located.resource)
    const holder = claims.get(name)
    if (holder === undefined) claims.set(name, key)
    else this.report(located, 'duplicate', path, `expected a name of its own; ${holder} has this one`)
  }

  require(key: string, located: LocatedResource, path: string): void {
    if (!this.keys.has(key)) this.report(located, 'dangling', path, `expected an existing resource; there is no ${key}`)
  }
}

function claimNames(refs: References, located: LocatedResource): void {
  const { resource } = located
  refs.claim(refs.keys, resourceKey(resource), located, 'metadata.name')
  if (resource.kind === 'Domain') {
    refs.claim(refs.hosts, resource.metadata.name, located, 'metadata.name')
    for (const [i, alias] of resource.spec.aliases.entries())
      refs.claim(refs.hosts, alias, located, `spec.aliases[${i}]`)
    if (resource.spec.alsoBindAddress) refs.claim(refs.hosts, 'bind address', located, 'spec.alsoBindAddress')
  }
  if (resource.kind === 'Subscriber') {
    const { domain, name } = resource.metadata
    for (const user of resource.spec.usernames ?? [name]) {
      refs.claim(refs.users, `${user}@${domain}`, located, 'spec.usernames')
    }
  }
  if (resource.kind === 'HuntGroup') {
    const { domain, name } = resource.metadata
    refs.claim(refs.users, `${resource.spec.username ?? name}@${domain}`, located, 'spec.username')
  }
}

function checkTargets(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Subscriber' && resource.kind !== 'HuntGroup') return
  const { domain } = resource.metadata
  refs.require(`Domain/${domain}`, located, 'metadata.domain')
  if (resource.kind === 'Subscriber') {
    if (resource.spec.account !== undefined) refs.require(`Account/${resource.spec.account}`, located, 'spec.account')
    return
  }
  for (const [i, member] of resource.spec.members.entries()) {
    refs.require(`Subscriber/${domain}/${member}`, located, `spec.members[${i}]`)
  }
}

/** Domains may share a realm; within it each digest username is one subscriber's. */
function claimLogin(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Subscriber' || resource.spec.credentials === undefined) return
  const { metadata, spec } = resource
  const username = spec.credentials?.username ?? spec.usernames?.[0] ?? metadata.name
  const realm = refs.realms.get(metadata.domain) ?? metadata.domain
  refs.claim(refs.logins, `${username} in ${realm}`, located, 'spec.credentials.username')
}

function noteRealm(refs: References, { resource }: LocatedResource): void {
  if (resource.kind === 'Domain' && resource.spec.realm !== undefined) {
    refs.realms.set(resource.metadata.name, resource.spec.realm)
  }
}

/** Problems between resources; empty when the set holds together. */
export function checkReferences(located: readonly LocatedResource[]): readonly ResourceProblem[] {
  const refs = new References()
  for (const one of located) claimNames(refs, one)
  for (const one of located) noteRealm(refs, one)
  for (const one of located) claimLogin(refs, one)
  for (const one of located) checkTargets(refs, one)
  return refs.problems
}
