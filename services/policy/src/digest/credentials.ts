// SPDX-License-Identifier: MIT
//
// HA1 of every subscriber, by realm and digest username: computed once per revision, so that passwords are not kept and
// a known user costs one lookup, exactly as an unknown one does. HA1 never leaves this service. [DESIGN §5]
import { randomBytes } from 'node:crypto'
import {
  type DigestAlgorithm,
  type DomainEntry,
  type ResourceIndex,
  type ResourceSet,
  resourceKey,
  type Subscriber,
  type UserEntry,
} from '@tandem/resources'
import { ha1 as digestHa1 } from '@tandem/sip'

export interface CredentialEntry {
  readonly user: UserEntry
  /** Hexadecimal; '' where the subscriber has none for the algorithm. */
  readonly md5: string
  readonly sha256: string
}

export interface CredentialTable {
  find(realm: string, username: string): CredentialEntry | undefined
}

const tableKey = (realm: string, username: string): string => `${realm}\n${username}`

/** Stand-ins for users that do not exist: as long as the real ones, different in each process. */
const NOBODY = { md5: randomBytes(16).toString('hex'), sha256: randomBytes(32).toString('hex') }

/** HA1 to verify with; a stand-in when there is none, so that the same work is done. */
export function ha1Of(entry: CredentialEntry | undefined, algorithm: DigestAlgorithm): string {
  const field = algorithm === 'MD5' ? 'md5' : 'sha256'
  return entry?.[field] || NOBODY[field]
}

export function hasHa1(entry: CredentialEntry | undefined, algorithm: DigestAlgorithm): entry is CredentialEntry {
  return entry !== undefined && entry[algorithm === 'MD5' ? 'md5' : 'sha256'] !== ''
}

function usernameOf({ metadata, spec }: Subscriber): string {
  return spec.credentials?.username ?? spec.usernames?.[0] ?? metadata.name
}

function entryOf(subscriber: Subscriber, user: UserEntry, password: string | undefined): CredentialEntry {
  const { realm } = user.domain
  if (password === undefined) {
    const ha1 = subscriber.spec.credentials?.ha1
    return { user, md5: ha1?.md5 ?? '', sha256: ha1?.sha256 ?? '' }
  }
  const of = (algorithm: DigestAlgorithm) => digestHa1(algorithm, usernameOf(subscriber), realm, password)
  return { user, md5: of('MD5'), sha256: of('SHA-256') }
}

function userOf(domain: DomainEntry | undefined, { metadata, spec }: Subscriber): UserEntry | undefined {
  return domain?.users.get(spec.usernames?.[0] ?? metadata.name)
}

export function indexCredentials(set: ResourceSet, index: ResourceIndex): CredentialTable {
  const entries = new Map<string, CredentialEntry>()
  for (const resource of set.resources) {
    if (resource.kind !== 'Subscriber' || resource.spec.credentials === undefined) continue
    const user = userOf(index.domains.get(resource.metadata.domain), resource)
    if (user === undefined) continue
    const password = set.secrets.get(resourceKey(resource))?.reveal()
    entries.set(tableKey(user.domain.realm, usernameOf(resource)), entryOf(resource, user, password))
  }
  return { find: (realm, username) => entries.get(tableKey(realm, username)) }
}
