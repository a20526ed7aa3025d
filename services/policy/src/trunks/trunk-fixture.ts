// SPDX-License-Identifier: MIT
//
// For tests of trunks: a world with one, attempts as an edge tells them, an edge that hands over what is pushed to it, and a registrar that checks digests with
// its own arithmetic.
import { createHash } from 'node:crypto'
import type { policy } from '@tandem/rpc'
import { createReference, type Stored } from '@tandem/store'
import type { PolicyService } from '../options.ts'
import { createWorld, DOCUMENTS, type World } from '../policy-fixture.ts'

export const CONTEXT = { msLeft: 2_000, peer: 'edge-0.1' }
export const HOST = '192.0.2.9:5060;udp'

export const trunkDocument = (spec: object = {}, name = 'carrier') => ({
  apiVersion: 'tandem/v1',
  kind: 'Trunk',
  metadata: { name },
  spec: { hosts: [{ host: '192.0.2.9', port: 5060 }], ...spec },
})

export const trunkWorld = (...trunks: readonly object[]): Promise<World> =>
  createWorld([...DOCUMENTS, ...(trunks as readonly { [key: string]: unknown }[])])

interface Told {
  readonly callRef?: string
  readonly attempt?: number
  readonly trunk?: string
  readonly host?: string
}

const about = ({ callRef = createReference(), attempt = 0, trunk = 'carrier', host = HOST }: Told) => ({
  callRef,
  attempt,
  trunk,
  host,
  ageMs: 0,
})

export async function beginAt(node: PolicyService, told: Told = {}): Promise<policy.TrunkAttemptResponse> {
  const phase = { $case: 'begin' as const, value: {} }
  const result = await node.handlers.trunkAttempt({ ...about(told), phase }, CONTEXT)
  if (result.outcome !== 'done') throw new Error(JSON.stringify(result))
  return result.value
}

export async function endAt(node: PolicyService, how: Partial<policy.TrunkAttemptEnd>, told: Told = {}): Promise<void> {
  const value = { status: 0, lost: false, cancelled: false, ...how }
  const phase = { $case: 'end' as const, value }
  const result = await node.handlers.trunkAttempt({ ...about(told), phase }, CONTEXT)
  if (result.outcome !== 'done') throw new Error(JSON.stringify(result))
}

export async function statusOf(node: PolicyService, trunk = 'carrier'): Promise<policy.TrunkStatus> {
  const result = await node.handlers.listTrunks?.({ trunk }, CONTEXT)
  const [status] = result?.outcome === 'done' ? result.value.trunks : []
  if (status === undefined) throw new Error(JSON.stringify(result))
  return status
}

export function storedValue<T>(result: Stored<T>): T {
  if (result.state !== 'stored') throw new Error(result.detail)
  return result.value
}

/** An edge with a stream at the node. What it is told to send waits in `asked`. */
export class FakeEdge {
  readonly asked: policy.SendRequest[] = []
  readonly plans: policy.EmergencyPlans[] = []
  readonly leave: () => void

  constructor(node: PolicyService, peer = 'edge-0.1') {
    this.leave = node.pushes.subscribe(peer, ({ event }) => {
      if (event?.$case === 'sendRequest') this.asked.push(event.value)
      if (event?.$case === 'emergencyPlans') this.plans.push(event.value)
    })
  }

  /** The last that it was told to send; none is left. */
  take(): policy.SendRequest {
    const last = this.asked.splice(0).at(-1)
    if (last === undefined) throw new Error('nothing was to be sent')
    return last
  }
}

export async function tellSent(
  node: PolicyService,
  { commandId }: policy.SendRequest,
  answer: Partial<policy.SentRequest>,
): Promise<void> {
  const result = await node.handlers.sent({ commandId, status: 0, tookMs: 20, headers: [], ...answer }, CONTEXT)
  if (result.outcome !== 'done') throw new Error(JSON.stringify(result))
}

const paramOf = (value: string, name: string): string =>
  new RegExp(`\\b${name}=(?:"([^"]*)"|([^,\\s]*))`).exec(value)?.slice(1).find(Boolean) ?? ''

interface RegistrarSettings {
  readonly algorithm?: 'MD5' | 'SHA-256'
  readonly minExpiresS?: number
  readonly grantS?: number
  readonly password?: string
  /** Uses of a nonce before it is stale. */
  readonly nonceUses?: number
}

/** A registrar with one user. Counts of a nonce must grow. */
export class FakeRegistrar {
  readonly #settings: RegistrarSettings
  #nonce = 0
  #used = 0
  /** Seconds of the binding; 0: none. */
  boundS = 0
  readonly seen: policy.SendRequest[] = []

  constructor(settings: RegistrarSettings = {}) {
    this.#settings = settings
  }

  answer(request: policy.SendRequest): Partial<policy.SentRequest> {
    this.seen.push(request)
    const { minExpiresS = 0, grantS, nonceUses = 100 } = this.#settings
    const wanted = Number(request.headers.find(({ name }) => name === 'Expires')?.value)
    const credentials = request.headers.find(({ name }) => name === 'Authorization')?.value
    if (credentials === undefined || !this.#isRight(request, credentials)) return this.#challenge(false)
    if (this.#used >= nonceUses) return this.#challenge(true)
    this.#used++
    if (wanted > 0 && wanted < minExpiresS)
      return { status: 423, headers: [{ name: 'Min-Expires', value: String(minExpiresS) }] }
    this.boundS = wanted === 0 ? 0 : (grantS ?? wanted)
    const value = `<sip:${request.contactUser}@198.51.100.1:5060>;expires=${this.boundS}, <sip:other@h>;expires=9`
    return { status: 200, headers: wanted === 0 ? [] : [{ name: 'Contact', value }] }
  }

  #challenge(stale: boolean): Partial<policy.SentRequest> {
    const { algorithm = 'MD5' } = this.#settings
    this.#nonce++
    this.#used = 0
    const value = `Digest realm="carrier.test", nonce="n${this.#nonce}", opaque="o", qop="auth", algorithm=${algorithm}${stale ? ', stale=true' : ''}`
    return { status: 401, headers: [{ name: 'WWW-Authenticate', value }] }
  }

  #isRight({ method, requestUri }: policy.SendRequest, value: string): boolean {
    const { algorithm = 'MD5', password = 'trunk-secret' } = this.#settings
    const h = (text: string) =>
      createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
        .update(text)
        .digest('hex')
    const [nonce, nc, cnonce] = ['nonce', 'nc', 'cnonce'].map((name) => paramOf(value, name))
    const ha1 = h(`${paramOf(value, 'username')}:carrier.test:${password}`)
    const response = h(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${h(`${method}:${requestUri}`)}`)
    const isCounted = Number.parseInt(nc ?? '', 16) === this.#used + 1
    return nonce === `n${this.#nonce}` && isCounted && paramOf(value, 'response') === response
  }
}

/** Answers until nothing more is to be sent. */
export async function converse(node: PolicyService, edge: FakeEdge, registrar: FakeRegistrar): Promise<void> {
  for (let i = 0; i < 10 && edge.asked.length > 0; i++) {
    const request = edge.take()
    await tellSent(node, request, registrar.answer(request))
  }
}
