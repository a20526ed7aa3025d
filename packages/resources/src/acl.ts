// SPDX-License-Identifier: MIT
//
// Who is known by where a request comes from: trunks, and subscribers with an `acl`. The longest range that holds the address
// decides, of those whose transports fit. Several subscribers may share a range: who of them speaks is then what From says.
// Over UDP an address is what the sender wrote: a range can be kept to transports with a handshake.
import { isIP } from 'node:net'
import type { SourceRange, SourceTransport } from './addresses.ts'
import { PrefixTable } from './prefix-table.ts'
import type { Trunk } from './trunk.ts'
import type { UserEntry } from './user-entry.ts'

/** A trunk laid out for decisions. */
export interface TrunkEntry {
  readonly name: string
  /** Within the trust domain. */
  readonly trusted: boolean
  /** Its calls need no credentials. */
  readonly inbound: boolean
}

export interface SourceMatch {
  readonly trunk: TrunkEntry | undefined
  readonly user: UserEntry | undefined
}

interface Claim {
  readonly transports: readonly SourceTransport[]
  readonly trunk: TrunkEntry | undefined
  readonly user: UserEntry | undefined
}

/** All that claim one range and one set of transports. */
interface Owners {
  readonly transports: ReadonlySet<string>
  trunk: TrunkEntry | undefined
  readonly users: Set<UserEntry>
}

export const trunkEntry = ({ metadata, spec }: Trunk): TrunkEntry => ({
  name: metadata.name,
  trusted: spec.trusted,
  inbound: spec.inbound === undefined ? spec.trusted : spec.inbound === 'allow',
})

const bare = (host: string): string => host.replace(/^\[|\]$/g, '')

/** Addresses of hosts with TLS are left out: those are known by their certificate. */
function sourcesOf({ spec }: Trunk): SourceRange[] {
  const hosts = spec.hosts.flatMap(({ host, transport }) =>
    transport !== 'tls' && isIP(bare(host)) !== 0 ? [{ range: bare(host), transports: [] }] : [],
  )
  return [...hosts, ...spec.sources]
}

/** Collects claims; `build` gives the table. */
export class AclBuilder {
  readonly #claims: (readonly [range: string, claim: Claim])[] = []

  addTrunk(trunk: Trunk, entry: TrunkEntry): void {
    for (const { range, transports } of sourcesOf(trunk))
      this.#claims.push([range, { transports, trunk: entry, user: undefined }])
  }

  addUser(user: UserEntry): void {
    for (const { range, transports } of user.subscriber?.spec.acl?.sources ?? []) {
      this.#claims.push([range, { transports, trunk: undefined, user }])
    }
  }

  /** undefined where nobody is known by an address. */
  build(): SourceAcl | undefined {
    return this.#claims.length === 0 ? undefined : new SourceAcl(this.#claims)
  }
}

export class SourceAcl {
  readonly #table: PrefixTable<Owners>

  constructor(claims: readonly (readonly [range: string, claim: Claim])[]) {
    this.#table = new PrefixTable(mergedClaims(claims))
  }

  /**
   * @param address without brackets
   * @param named whom From says, if it says somebody of ours
   */
  find(address: string, transport: string, named: UserEntry | undefined): SourceMatch | undefined {
    for (let node = this.#table.find(address); node !== undefined; node = node.parent) {
      let match: SourceMatch | undefined
      for (const { transports, trunk, users } of node.values) {
        if (transports.size > 0 && !transports.has(transport)) continue
        if (named !== undefined && users.has(named)) return { trunk: undefined, user: named }
        match ??= { trunk, user: trunk === undefined && users.size === 1 ? onlyOf(users) : undefined }
      }
      if (match !== undefined) return match
    }
    return undefined
  }
}

const onlyOf = (users: ReadonlySet<UserEntry>): UserEntry | undefined => users.values().next().value

/** One value for each range and set of transports, however many claim it. The first trunk counts, of those whose calls are let in if there are any. */
function mergedClaims(
  claims: readonly (readonly [range: string, claim: Claim])[],
): Iterable<readonly [string, Owners]> {
  const merged = new Map<string, readonly [string, Owners]>()
  for (const [range, { transports, trunk, user }] of claims) {
    const key = `${range} ${[...transports].sort().join()}`
    const known = merged.get(key) ?? [range, { transports: new Set<string>(transports), trunk, users: new Set() }]
    merged.set(key, known)
    if (trunk !== undefined && (known[1].trunk === undefined || (!known[1].trunk.inbound && trunk.inbound)))
      known[1].trunk = trunk
    if (user !== undefined) known[1].users.add(user)
  }
  return merged.values()
}
