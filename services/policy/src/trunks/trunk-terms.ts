// SPDX-License-Identifier: MIT
//
// What this node needs of a trunk that its resource says: bounds, breaker, probe, credentials, registration. Made anew for each set of
// resources. Passwords stay in `Secret`; nothing here is ever sent to an edge as it is.
import { createHmac } from 'node:crypto'
import { type ResourceSet, type Secret, type Trunk, type TrunkEntry, trunkHostKey } from '@tandem/resources'
import type { BreakerTerms } from '@tandem/store'
import type { PolicySettings } from '../options.ts'

export interface TrunkCredentials {
  readonly username: string
  readonly password: Secret
  /** undefined: any. */
  readonly realm: string | undefined
}

export interface RegistrationTerms {
  readonly registrar: string
  /** `sip:user@domain`. */
  readonly aor: string
  /** User part of the Contact; the first is used, all are known when a call comes in. */
  readonly contactUsers: readonly string[]
  /** Nobody can guess it: a call to it is from whom it was told to. */
  readonly isToken: boolean
  readonly expiresMs: number
  readonly credentials: TrunkCredentials | undefined
}

export interface TrunkHostTerms {
  /** As TrunkLeg names it. */
  readonly key: string
  readonly uri: string
}

export interface TrunkTerms {
  readonly name: string
  readonly hosts: readonly TrunkHostTerms[]
  readonly maxCalls: number | undefined
  readonly callsPerSecond: number | undefined
  readonly probe: { readonly intervalMs: number; readonly timeoutMs: number } | undefined
  readonly breaker: BreakerTerms
  readonly credentials: TrunkCredentials | undefined
  readonly registration: RegistrationTerms | undefined
  /** As a sender of requests. Who registers somewhere wants the calls from there. */
  readonly entry: TrunkEntry
  /** Addresses from which its requests come, where the resource names any. */
  readonly addresses: readonly string[]
  /** Of outgoing probes; '' for none. */
  readonly nextHop: string
}

/** For what ends at a trunk that no resource names any more. */
export const NO_BREAKER: BreakerTerms = { failures: 0, windowMs: 1_000, openMs: 1_000, probeFailures: 1_000 }
const DEFAULT_PROBE_FAILURES = 2
const TOKEN_CHARS = 24

type Host = Trunk['spec']['hosts'][number]

const hostTerms = (host: Host): TrunkHostTerms => {
  const place = `${host.host}${host.port === undefined ? '' : `:${host.port}`}`
  return { key: trunkHostKey(host), uri: `sip:${place};transport=${host.transport}` }
}

/** Stable, different for every trunk and cluster; whoever has not been told it can't know it. */
const tokenOf = (secret: string, trunk: string): string =>
  createHmac('sha256', secret).update(`tandem trunk contact 1 ${trunk}`).digest('hex').slice(0, TOKEN_CHARS)

type Keys = Pick<PolicySettings, 'keyRing'>
type Secrets = { readonly credentials?: Secret | undefined; readonly registration?: Secret | undefined }
type Credentials = { readonly username: string; readonly realm?: string | undefined }

const withPassword = (named: Credentials | undefined, password: Secret | undefined): TrunkCredentials | undefined =>
  named && password && { username: named.username, realm: named.realm, password }

/** `sip:host` of a registrar's URI, without parameters. */
export const hostOfUri = (uri: string): string =>
  uri
    .replace(/^<?sips?:/i, '')
    .replace(/[;?>].*$/s, '')
    .replace(/^[^@]*@/, '')
    .replace(/:\d+$/, '')

function registrationTerms(
  { metadata, spec }: Trunk,
  secrets: Secrets,
  { keyRing }: Keys,
): RegistrationTerms | undefined {
  const { registration } = spec
  if (registration === undefined) return undefined
  const { registrar, user, domain, contactUser, expiresMs } = registration
  const own = withPassword(registration.credentials, secrets.registration)
  const tokens = keyRing.map(({ secret }) => tokenOf(secret, metadata.name))
  return {
    registrar,
    aor: `sip:${user}@${domain ?? hostOfUri(registrar)}`,
    contactUsers: contactUser === undefined ? tokens : [contactUser],
    isToken: contactUser === undefined,
    expiresMs,
    credentials: own ?? withPassword(spec.credentials, secrets.credentials),
  }
}

/** undefined: it is switched off, and nothing is sent to it. */
export function trunkTerms(trunk: Trunk, secrets: Secrets, keys: Keys): TrunkTerms {
  const { metadata, spec } = trunk
  const { maxCalls, callsPerSecond, probe, breaker } = spec
  return {
    name: metadata.name,
    hosts: spec.hosts.map(hostTerms),
    maxCalls,
    callsPerSecond,
    probe: spec.enabled ? probe : undefined,
    breaker: { ...breaker, probeFailures: probe?.failures ?? DEFAULT_PROBE_FAILURES },
    credentials: withPassword(spec.credentials, secrets.credentials),
    registration: spec.enabled ? registrationTerms(trunk, secrets, keys) : undefined,
    entry: {
      name: metadata.name,
      trusted: spec.trusted,
      inbound: spec.inbound === undefined ? spec.trusted || spec.registration !== undefined : spec.inbound === 'allow',
    },
    addresses: spec.hosts.map(({ host }) => host.replace(/^\[|\]$/g, '')),
    nextHop: spec.outboundProxy ?? '',
  }
}

export function trunksOf(set: ResourceSet, keys: Keys): ReadonlyMap<string, TrunkTerms> {
  const all = new Map<string, TrunkTerms>()
  for (const resource of set.resources) {
    if (resource.kind !== 'Trunk') continue
    const { name } = resource.metadata
    all.set(name, trunkTerms(resource, set.trunkSecrets?.get(name) ?? {}, keys))
  }
  return all
}
