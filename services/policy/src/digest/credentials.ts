// SPDX-License-Identifier: MIT
//
// HA1 of every subscriber, by realm and digest username: a known user costs one lookup, exactly as an unknown one does.
// Passwords of subscribers do not come here: whoever loads the resources turns them into hashes. Those of trunks, which are good in every
// realm, are turned into hashes here, once for each realm in which they are used. HA1 never leaves this service. [DESIGN §5]
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
  type Secret,
  type Sliced,
  type Subscriber,
  type TrunkEntry,
  type UserEntry,
} from '@tandem/resources'
import { ha1 } from '@tandem/sip'

export interface CredentialEntry {
  /** Whose they are. */
  readonly holder: UserEntry | TrunkEntry
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
  return { holder: user, md5: md5?.reveal() ?? '', sha256: sha256?.reveal() ?? '' }
}

function userOf(domain: DomainEntry | undefined, { metadata, spec }: Subscriber): UserEntry | undefined {
  return domain?.users.get(spec.usernames?.[0] ?? metadata.name)
}

/** Realms are those of our domains, so that there is an end to them. */
class TrunkLogin {
  readonly #trunk: TrunkEntry
  readonly #username: string
  readonly #password: Secret
  readonly #entries = new Map<string, CredentialEntry>()

  constructor(trunk: TrunkEntry, username: string, password: Secret) {
    this.#trunk = trunk
    this.#username = username
    this.#password = password
  }

  in(realm: string): CredentialEntry {
    const known = this.#entries.get(realm)
    if (known !== undefined) return known
    const hash = (algorithm: DigestAlgorithm) => ha1(algorithm, this.#username, realm, this.#password.reveal())
    const entry = { holder: this.#trunk, md5: hash('MD5'), sha256: hash('SHA-256') }
    this.#entries.set(realm, entry)
    return entry
  }
}

function trunkLogins({ trunkSecrets }: ResourceSet, index: ResourceIndex): ReadonlyMap<string, TrunkLogin> {
  const found = new Map<string, TrunkLogin>()
  for (const [username, trunk] of index.trunkLogins) {
    const password = trunkSecrets?.get(trunk.name)?.inbound
    if (password !== undefined) found.set(username, new TrunkLogin(trunk, username, password))
  }
  return found
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
  const trunks = trunkLogins(set, index)
  const find = (realm: string, username: string) =>
    entries.get(tableKey(realm, username)) ?? trunks.get(username)?.in(realm)
  return { find, entries }
}
