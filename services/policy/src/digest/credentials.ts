// SPDX-License-Identifier: MIT
//
// HA1 of every subscriber, by realm and digest username: a known user costs one lookup, exactly as an unknown one does.
// Passwords do not come here: whoever loads the resources turns them into hashes. HA1 never leaves this service. [DESIGN §5]
import { randomBytes } from 'node:crypto'
import {
  type DigestAlgorithm,
  type DomainEntry,
  eachOf,
  type Ha1,
  type LayOutChanges,
  loginOf,
  type ResourceIndex,
  type ResourceSet,
  resourceKey,
  type Sliced,
  type Subscriber,
  type UserEntry,
} from '@tandem/resources'

export interface CredentialEntry {
  readonly user: UserEntry
  /** Hexadecimal; '' where the subscriber has none for the algorithm. */
  readonly md5: string
  readonly sha256: string
}

export interface CredentialTable {
  find(realm: string, username: string): CredentialEntry | undefined
  /** All of them, by realm and username. */
  readonly entries: ReadonlyMap<string, CredentialEntry>
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

function entryOf(user: UserEntry, { md5, sha256 }: Ha1): CredentialEntry {
  return { user, md5: md5?.reveal() ?? '', sha256: sha256?.reveal() ?? '' }
}

function userOf(domain: DomainEntry | undefined, { metadata, spec }: Subscriber): UserEntry | undefined {
  return domain?.users.get(spec.usernames?.[0] ?? metadata.name)
}

/** A table of a revision, and what is different in one whose domains are the same. */
export interface CredentialBase {
  readonly table: CredentialTable
  readonly changes: Pick<LayOutChanges, 'put' | 'gone'>
}

/** In slices. @param from what stays the same is copied */
export function* layOutCredentials(
  set: ResourceSet,
  index: ResourceIndex,
  from?: CredentialBase,
): Sliced<CredentialTable> {
  const entries = new Map<string, CredentialEntry>()
  yield* eachOf(from?.table.entries ?? [], ([key, entry]) => entries.set(key, entry))
  yield* eachOf(from?.changes.gone ?? [], (resource) => {
    const realm = index.homes.get(resource.metadata.domain)?.settings.realm ?? ''
    entries.delete(tableKey(realm, loginOf(resource)))
  })
  yield* eachOf(from?.changes.put ?? set.resources, (resource) => {
    if (resource.kind !== 'Subscriber' || resource.spec.credentials === undefined) return
    const user = userOf(index.domains.get(resource.metadata.domain), resource)
    const ha1 = set.secrets.get(resourceKey(resource))
    if (user === undefined || ha1 === undefined) return
    entries.set(tableKey(user.domain.realm, loginOf(resource)), entryOf(user, ha1))
  })
  return { find: (realm, username) => entries.get(tableKey(realm, username)), entries }
}
