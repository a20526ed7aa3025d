// SPDX-License-Identifier: MIT
//
// Trunks that register at a carrier. Each registration is a piece of leased work and a text of state in the store: one node of all acts at a time, and where it
// dies the lease ends and another goes on from the state. What is sent goes by one edge as long as that lives, since its address is in the Contact. What came of
// it may be told to any node: it takes the next step with the state that it finds, and writes it where nobody wrote before.
// Race: two nodes at one answer: the version decides, the loser stops. A late answer to a command that is not the pending one is passed over.
// What a resource no longer asks for is unregistered, with credentials that this node remembers from the set before; a node that never knew
// them tries without, and the binding ends by itself.
import { randomUUID } from 'node:crypto'
import type { policy } from '@tandem/rpc'
import { answerChallenge } from '@tandem/sip'
import type { PolicyContext } from '../context.ts'
import { newCnonce } from './challenges.ts'
import { edgeFor, edgeName } from './edge-choice.ts'
import { answered, type Identity, newState, type RegistrationState, type Step } from './registration-state.ts'
import type { RegistrationTerms, TrunkTerms } from './trunk-terms.ts'

/** Until a final response: Timer F. */
const TIMEOUT_MS = 32_000
const LEASE_MS = TIMEOUT_MS + 4_000
const NO_EDGE_MS = 1_000
const SEPARATOR = '|'
/** States of trunks that no resource names any more are looked for this often. */
const STRAY_MS = 30_000
/** Credentials of what was removed, in the order in which it was. */
const MAX_REMEMBERED = 1_000

const keyOf = (trunk: string): string => ['r', trunk].join(SEPARATOR)

function identityOf({ registrar, aor, contactUsers, expiresMs }: RegistrationTerms): Identity {
  return { registrar, aor, contactUser: contactUsers[0] ?? '', expiresS: Math.round(expiresMs / 1_000) }
}

const isSame = (state: RegistrationState, identity: Identity): boolean =>
  state.registrar === identity.registrar && state.aor === identity.aor && state.contactUser === identity.contactUser

export function parseState(text: string): RegistrationState | undefined {
  try {
    return text === '' ? undefined : (JSON.parse(text) as RegistrationState)
  } catch {
    return undefined
  }
}

export class Registrations {
  readonly #context: PolicyContext
  readonly #now: () => number
  /** Trunk to what it had when it was removed or changed. */
  readonly #left = new Map<string, RegistrationTerms>()
  /** Trunks with a state and without a registration. */
  #strays: string[] = []
  #lookedMs = Number.NEGATIVE_INFINITY

  /** @param now monotonic milliseconds */
  constructor(context: PolicyContext, now: () => number) {
    this.#context = context
    this.#now = now
  }

  get leaseMs(): number {
    return LEASE_MS
  }

  keys(): string[] {
    const named: string[] = []
    for (const { name, registration } of this.#context.trunks.terms.values())
      if (registration !== undefined) named.push(name)
    return [...new Set([...named, ...this.#strays])].map(keyOf)
  }

  /** What is no longer wanted is remembered, to be taken back. */
  replaced(before: ReadonlyMap<string, TrunkTerms>, after: ReadonlyMap<string, TrunkTerms>): void {
    for (const [name, { registration }] of before) {
      if (registration === undefined) continue
      const now = after.get(name)?.registration
      if (now !== undefined && JSON.stringify(identityOf(now)) === JSON.stringify(identityOf(registration))) continue
      this.#left.delete(name)
      this.#left.set(name, registration)
      if (now === undefined && !this.#strays.includes(name)) this.#strays.push(name)
    }
    for (const oldest of this.#left.keys()) {
      if (this.#left.size <= MAX_REMEMBERED) break
      this.#left.delete(oldest)
    }
    this.#lookedMs = Number.NEGATIVE_INFINITY
  }

  /** Looks now and then for states that nobody wants. */
  async findStrays(): Promise<void> {
    if (this.#now() - this.#lookedMs < STRAY_MS) return
    this.#lookedMs = this.#now()
    const listed = await this.#context.trunkStore.listStates()
    if (!this.#context.health.see(listed)) return
    const { terms } = this.#context.trunks
    this.#strays = listed.value.filter((name) => terms.get(name)?.registration === undefined)
  }

  /** It is due, and this node has it. */
  async do(key: string): Promise<void> {
    const { trunks, trunkStore, health } = this.#context
    const trunk = key.slice(key.indexOf(SEPARATOR) + 1)
    const read = await trunkStore.readState(trunk)
    if (!health.see(read)) return
    const terms = trunks.terms.get(trunk)?.registration
    const known = parseState(read.value.text)
    const state = nextState(known, terms)
    if (state === undefined) {
      this.#strays = this.#strays.filter((name) => name !== trunk)
      return
    }
    await this.#send(trunk, read.value.version, startOf(state))
  }

  /** What came of a command that some node has pushed. */
  async sent(trunk: string, answer: policy.SentRequest): Promise<void> {
    const { trunks, trunkStore, health, counts } = this.#context
    const read = await trunkStore.readState(trunk)
    if (!health.see(read)) return
    const state = parseState(read.value.text)
    if (state === undefined || state.pending !== answer.commandId) return
    const credentials = this.#credentialsOf(trunk, state)
    const realm = credentials?.realm
    const [nowMs, draw] = [this.#context.now(), Math.random()]
    const step = answered(state, answer, { nowMs, draw, realm, hasCredentials: credentials !== undefined })
    if (step.state.failures > state.failures) counts.trunkRegistrationsFailed++
    if (step.next === 'again') return this.#send(trunk, read.value.version, step.state)
    await this.#settle(trunk, read.value.version, state, step, trunks.terms.get(trunk)?.registration)
  }

  /** As it stands; undefined: there is none, or nobody knows. */
  async read(trunk: string): Promise<RegistrationState | undefined> {
    const read = await this.#context.trunkStore.readState(trunk)
    return this.#context.health.see(read) ? parseState(read.value.text) : undefined
  }

  async #settle(
    trunk: string,
    version: number,
    before: RegistrationState,
    { state, next, inMs }: Step,
    terms: RegistrationTerms | undefined,
  ): Promise<void> {
    const { trunkStore, health, logger } = this.#context
    const isGone = next === 'gone'
    const written = await trunkStore.writeState(trunk, version, isGone ? '' : JSON.stringify(state))
    if (!health.see(written) || !written.value) return
    tellPhase(logger, trunk, before, state)
    // What has left makes room for what the resource says now.
    const waitMs = isGone ? 0 : inMs
    if (!isGone || terms !== undefined) health.see(await trunkStore.planWork(keyOf(trunk), waitMs))
    else this.#forget(trunk)
  }

  #forget(trunk: string): void {
    this.#left.delete(trunk)
    this.#strays = this.#strays.filter((name) => name !== trunk)
  }

  #credentialsOf(trunk: string, state: RegistrationState) {
    const now = this.#context.trunks.terms.get(trunk)?.registration
    const of = now !== undefined && isSame(state, identityOf(now)) ? now : this.#left.get(trunk)
    return of?.credentials ?? now?.credentials
  }

  /** Writes what is on its way before it goes: an answer finds it. */
  async #send(trunk: string, version: number, wanted: RegistrationState): Promise<void> {
    const { pushes, trunkStore, health, counts } = this.#context
    const key = keyOf(trunk)
    const peer = edgeFor(pushes.peers(), key, wanted.edge, wanted.passedOver)
    if (peer === undefined) {
      health.see(await trunkStore.planWork(key, NO_EDGE_MS))
      return
    }
    const { challenge } = wanted
    const state: RegistrationState = {
      ...wanted,
      cseq: wanted.cseq + 1,
      pending: [key, randomUUID()].join(SEPARATOR),
      edge: edgeName(peer),
      passedOver: 0,
      challenge: challenge && { ...challenge, count: challenge.count + 1 },
    }
    const written = await trunkStore.writeState(trunk, version, JSON.stringify(state))
    if (!health.see(written) || !written.value) return
    health.see(await trunkStore.planWork(key, LEASE_MS))
    counts.trunkRegistrations++
    const value = registerOf(state, this.#credentialsOf(trunk, state))
    pushes.sendTo(peer, { event: { $case: 'sendRequest', value } })
  }
}

/** undefined: there is nothing to do, and nothing to take back. */
function nextState(
  known: RegistrationState | undefined,
  terms: RegistrationTerms | undefined,
): RegistrationState | undefined {
  if (terms === undefined) return known && { ...known, phase: 'leaving' }
  const identity = identityOf(terms)
  if (known === undefined) return newState(identity, randomUUID())
  if (!isSame(known, identity)) return { ...known, phase: 'leaving' }
  return known.phase === 'leaving' ? { ...known, phase: 'trying' } : known
}

/** A command that nobody has answered says that its edge is gone; the next one has the work. */
function startOf(state: RegistrationState): RegistrationState {
  const isUnanswered = state.pending !== ''
  return { ...state, rounds: 0, passedOver: isUnanswered ? state.passedOver + 1 : state.passedOver, pending: '' }
}

function registerOf(state: RegistrationState, credentials: RegistrationTerms['credentials']): policy.SendRequest {
  const { pending, registrar, aor, callId, cseq, contactUser, expiresS, challenge, phase } = state
  const headers = [{ name: 'Expires', value: String(phase === 'leaving' ? 0 : expiresS) }]
  const uri = uriOf(registrar)
  if (challenge !== undefined && credentials !== undefined) {
    const { username, password } = credentials
    const said = { username, password: password.reveal(), method: 'REGISTER', uri, cnonce: newCnonce() }
    const value = answerChallenge(challenge, { ...said, count: challenge.count, body: Buffer.alloc(0) })
    headers.push({ name: challenge.proxy ? 'Proxy-Authorization' : 'Authorization', value })
  }
  const address = `<${aor}>`
  const rest = { from: address, to: address, callId, cseq, headers, contactUser, timeoutMs: TIMEOUT_MS }
  return { commandId: pending, method: 'REGISTER', requestUri: uri, nextHop: '', ...rest }
}

/** [RFC3261-10.2a] Without user; `transport` and the like stay. */
const uriOf = (registrar: string): string => registrar.replace(/^(sips?:)[^@]*@/i, '$1')

function tellPhase(
  logger: PolicyContext['logger'],
  trunk: string,
  before: RegistrationState,
  { phase, registrar, lastStatus, detail, failures }: RegistrationState,
): void {
  if (before.phase === phase && failures <= 1 && failures === before.failures) return
  if (phase === 'registered' && failures === 0)
    logger.info({ trunk, registrar, event: 'trunk_registered' }, 'registered at a trunk')
  else if (failures > 0)
    logger.warn({ trunk, registrar, status: lastStatus, detail, failures }, 'a registration at a trunk failed')
}
