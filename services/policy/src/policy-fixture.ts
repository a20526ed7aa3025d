// SPDX-License-Identifier: MIT
//
// For this service's tests: a policy node over a memory store with a clock that stands still, requests, and a phone that
// answers challenges with its own arithmetic, so that service and test do not share a mistake.
import { createHash } from 'node:crypto'
import { loadResources, type ResourceSet } from '@tandem/resources'
import type { policy, Result } from '@tandem/rpc'
import {
  type AccountStore,
  type BanStore,
  createMemoryStore,
  type FraudStore,
  type PolicyStore,
  type Store,
  type TrunkStore,
} from '@tandem/store'
import type { FraudPorts } from './fraud/ports.ts'
import type { PolicyService, PolicySettings, PolicyTuning } from './options.ts'
import { createPolicyService } from './service.ts'

export const START_MS = 1_700_000_000_000

export const SETTINGS: PolicySettings = {
  keyRing: [{ id: 1, secret: 'a secret for tests only' }],
  authentication: 'digest',
  accounting: true,
  nonceLifetimeMs: 300_000,
  challengeOrder: ['MD5', 'SHA-256'],
  mintKeepMs: 64_000,
  setupDeadlineMs: 600_000,
  maxDurationMs: 0,
  warnBeforeMs: 0,
  warning: 'This call will end in {seconds} seconds.',
  livenessIntervalMs: 0,
  fraud: { dryRun: false, withoutStore: 'refuse', emergencyNumbers: ['112', '911'] },
  localHosts: ['127.0.0.1'],
  replayWithoutStore: 'oneTime',
  bans: {
    enabled: true,
    windowMs: 600_000,
    pairFailures: 10,
    sourceFailures: 60,
    tokens: true,
    userFailures: 50,
    firstMs: 60_000,
    maxMs: 3_600_000,
    forgetMs: 86_400_000,
    spareMs: 86_400_000,
    allow: [],
    maxBans: 1_000,
    withoutStore: 'local',
  },
  trunks: { withoutStore: 'refuse', qualityWindowMs: 900_000 },
  registration: { minExpiresMs: 60_000, maxExpiresMs: 7_200_000, defaultExpiresMs: 3_600_000, maxContacts: 10 },
}

const resource = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})

const subscriber = (name: string, domain: string) =>
  resource('Subscriber', { name, domain }, { account: 'demo', credentials: { password: `${name}-secret` } })

/** alice and bob in domains of every kind; carol has the second user name 1001; dave has a hash instead of a password. */
export const DOCUMENTS = [
  resource('Account', { name: 'demo' }),
  resource('Domain', { name: 'example.test' }, { alsoBindAddress: true }),
  resource('Domain', { name: 'assert.test' }, { identity: 'assert' }),
  resource('Domain', { name: 'off.test' }, { identity: 'off' }),
  resource('Domain', { name: 'sha.test' }, { challenge: ['SHA-256'] }),
  resource('Domain', { name: 'old.test' }, { legacyDigest: true }),
  resource('Domain', { name: 'inbound.test' }, { anonymous: 'allow' }),
  resource('Domain', { name: 'open.test' }, { authentication: 'none', identity: 'off', accounting: false }),
  resource('Domain', { name: 'believed.test' }, { authentication: 'none' }),
  ...['example', 'assert', 'off', 'sha', 'old', 'inbound'].flatMap((domain) => [
    subscriber('alice', `${domain}.test`),
    subscriber('bob', `${domain}.test`),
  ]),
  resource(
    'Subscriber',
    { name: 'carol', domain: 'example.test' },
    { usernames: ['carol', '1001'], credentials: { password: 'carol-secret' }, maxContacts: 3 },
  ),
  resource(
    'Subscriber',
    { name: 'dave', domain: 'example.test' },
    { credentials: { ha1: { md5: createHash('md5').update('dave:example.test:dave-secret').digest('hex') } } },
  ),
  resource('HuntGroup', { name: 'sales', domain: 'example.test' }, { members: ['bob', 'carol'] }),
  resource('Subscriber', { name: 'bob', domain: 'open.test' }),
  resource('Subscriber', { name: 'alice', domain: 'believed.test' }, { account: 'demo' }),
  resource('Subscriber', { name: 'bob', domain: 'believed.test' }),
]

export async function resourcesOf(documents: readonly { [key: string]: unknown }[] = DOCUMENTS): Promise<ResourceSet> {
  const result = await loadResources(documents, { baseDir: '/', env: {} })
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.set
}

export interface LogLine {
  readonly level: string
  readonly fields: unknown
}

export interface World {
  readonly clock: { ms: number }
  readonly store: Store
  readonly resources: ResourceSet
  readonly lines: LogLine[]
  /** Another policy node over the same store. */
  node(options?: {
    config?: Partial<PolicySettings>
    tuning?: Partial<PolicyTuning>
    store?: PolicyStore
    accounts?: AccountStore
    fraud?: FraudStore
    fraudPorts?: Partial<FraudPorts>
    bans?: BanStore
    trunks?: TrunkStore
  }): PolicyService
}

function logTo(lines: LogLine[]) {
  const at = (level: string) => (fields: unknown) => {
    lines.push({ level, fields })
  }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

export async function createWorld(documents?: readonly { [key: string]: unknown }[]): Promise<World> {
  const clock = { ms: START_MS }
  const now = () => clock.ms
  const store = createMemoryStore({ now })
  const resources = await resourcesOf(documents)
  const lines: LogLine[] = []
  return {
    clock,
    store,
    resources,
    lines,
    node: ({ config, tuning, store: other, accounts, bans, trunks, fraud, fraudPorts } = {}) =>
      createPolicyService({
        store: other ?? store.policy,
        accounts: accounts ?? store.accounts,
        bans: bans ?? store.bans,
        trunks: trunks ?? store.trunks,
        groups: store.groups,
        fraud: fraud ?? store.fraud,
        ...(fraudPorts && { fraudPorts }),
        config: { ...SETTINGS, ...config },
        resources,
        logger: logTo(lines),
        now,
        ...(tuning && { tuning }),
      }),
  }
}

let keys = 0

/** An INVITE of alice to bob, changed by `parts`; each with a transaction of its own. */
export function request(parts: Partial<policy.DecideRequest> = {}): policy.DecideRequest {
  keys++
  return {
    transactionKey: `key-${keys}`,
    edgeId: 'edge-0.1',
    method: 'INVITE',
    requestUri: 'sip:bob@example.test',
    from: '"Alice" <sip:alice@example.test>;tag=a1',
    to: '<sip:bob@example.test>',
    callId: `call-${keys}`,
    fromTag: 'a1',
    cseq: 1,
    source: { transport: 'udp', address: '192.0.2.1', port: 5062 },
    credentials: [],
    userAgent: 'phone/1',
    assertedIdentities: [],
    preferredIdentities: [],
    privacy: '',
    event: '',
    ...parts,
  }
}

const CONTEXT = { msLeft: 2_000, peer: 'edge-0.1' }

export async function decideOn(node: PolicyService, asked: policy.DecideRequest): Promise<policy.DecideResponse> {
  const result = await node.handlers.decide(asked, CONTEXT)
  if (result.outcome !== 'done') throw new Error(`expected a decision, got ${JSON.stringify(result)}`)
  return result.value
}

export const rawDecide = (
  node: PolicyService,
  asked: policy.DecideRequest,
): Result<policy.DecideResponse> | Promise<Result<policy.DecideResponse>> => node.handlers.decide(asked, CONTEXT)

export const reportTo = (node: PolicyService, asked: policy.ReportRequest) => node.handlers.report(asked, CONTEXT)

export const listOf = (node: PolicyService, limit = 0) => node.handlers.listCalls({ limit }, CONTEXT)

/** The case of a verdict with its status: `challenge 407`, `plan`, `reject 404 unknown_user`. */
export function outcomeOf({ verdict }: policy.DecideResponse): string {
  if (verdict === undefined) return 'nothing'
  if (verdict.$case === 'plan' || verdict.$case === 'admit' || verdict.$case === 'watchRegistrations')
    return verdict.$case
  const code = verdict.$case === 'reject' ? ` ${verdict.value.code}` : ''
  return `${verdict.$case} ${verdict.value.status}${code}`
}

export interface Answer {
  readonly username?: string
  readonly password?: string
  readonly realm?: string
  readonly algorithm?: 'MD5' | 'SHA-256'
  readonly nc?: string
  readonly uri?: string
  readonly nonce?: string
  /** Without: as RFC 2069. */
  readonly qop?: boolean
}

function paramOf(challenge: string, name: string): string {
  return new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? ''
}

/** The credentials with which a phone answers `challenge`. */
export function answerTo(
  challenge: policy.DecideResponse,
  asked: policy.DecideRequest,
  how: Answer = {},
): policy.Credentials {
  if (challenge.verdict?.$case !== 'challenge') throw new Error(`expected a challenge, got ${outcomeOf(challenge)}`)
  const { status, values } = challenge.verdict.value
  const { username = 'alice', nc = '00000001', uri = asked.requestUri, qop = true } = how
  const algorithm = how.algorithm ?? (values[0]?.includes('algorithm=MD5') ? 'MD5' : 'SHA-256')
  const realm = how.realm ?? paramOf(values[0] ?? '', 'realm')
  const nonce = how.nonce ?? paramOf(values[0] ?? '', 'nonce')
  const h = (text: string) =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex')
  const ha1 = h(`${username}:${realm}:${how.password ?? `${username}-secret`}`)
  const middle = qop ? `${nonce}:${nc}:c0ffee:auth` : nonce
  const response = h(`${ha1}:${middle}:${h(`${asked.method}:${uri}`)}`)
  const protection = qop ? `, qop=auth, nc=${nc}, cnonce="c0ffee"` : ''
  return {
    proxy: status === 407,
    value: `Digest username="${username}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=${algorithm}${protection}`,
  }
}

/** Asks, answers the challenge as `how` says, and asks again in a new transaction of the same call. */
export async function authenticated(
  node: PolicyService,
  parts: Partial<policy.DecideRequest> = {},
  how: Answer = {},
): Promise<policy.DecideResponse> {
  const first = request(parts)
  const credentials = [answerTo(await decideOn(node, first), first, how)]
  return decideOn(node, { ...first, transactionKey: `${first.transactionKey}-2`, credentials })
}

/** Every finished record, read as a sink would. */
export async function recordsOf(store: PolicyStore) {
  const read = await store.openRecords('test', 'test').read(1_000)
  if (read.state !== 'stored') throw new Error('the records can not be read')
  return read.value.map(({ record }) => record)
}
