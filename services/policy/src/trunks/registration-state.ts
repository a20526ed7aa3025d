// SPDX-License-Identifier: MIT
//
// One registration at somebody else's registrar, as arithmetic on its state: what is sent next, and what an answer makes of it. [RFC3261-10.2]
// No clock, store or edge here. The state is kept as text in the store (registrations.ts); no password is in it, and a nonce is no secret.
// Leaves out: several contacts, outbound flows (RFC 5626), and Service-Route of the registrar.
import type { policy } from '@tandem/rpc'
import { chooseChallenges, type DigestChallenge } from '@tandem/sip'

export interface RegistrationState {
  /** `failed`: the last try failed, and the binding, if there was one, is over. */
  readonly phase: 'trying' | 'registered' | 'failed' | 'leaving'
  readonly registrar: string
  readonly aor: string
  readonly contactUser: string
  /** The same for all REGISTERs of this registration. [RFC3261-10.2c] */
  readonly callId: string
  readonly cseq: number
  /** Command that is on its way; '' for none. */
  readonly pending: string
  /** Name of the edge that sends. */
  readonly edge: string
  /** Edges that did not answer a command. */
  readonly passedOver: number
  /** What is asked for. */
  readonly expiresS: number
  /** Wall clock of whoever got the answer; 0: there is no binding. For people, and for how a failure is shown. */
  readonly untilMs: number
  /** Of the registrar: used again until it wants another. */
  readonly challenge: (Omit<DigestChallenge, 'stale'> & { readonly proxy: boolean; readonly count: number }) | undefined
  /** Challenges answered and intervals mended in this try. */
  readonly rounds: number
  readonly failures: number
  readonly lastStatus: number
  readonly detail: string
}

export interface Identity {
  readonly registrar: string
  readonly aor: string
  readonly contactUser: string
  readonly expiresS: number
}

export const newState = (identity: Identity, callId: string): RegistrationState => ({
  ...identity,
  phase: 'trying',
  callId,
  cseq: 0,
  pending: '',
  edge: '',
  passedOver: 0,
  untilMs: 0,
  challenge: undefined,
  rounds: 0,
  failures: 0,
  lastStatus: 0,
  detail: '',
})

/** A binding is refreshed when this part of its time is over. */
const REFRESH_PART = 0.75
const MIN_REFRESH_MS = 5_000
const MAX_REFRESH_MS = 24 * 3_600_000
const FIRST_BACK_OFF_MS = 10_000
const MAX_BACK_OFF_MS = 600_000
/** A wrong password is not tried often: many registrars ban for it. */
const REFUSED_BACK_OFF_MS = 120_000
const MAX_RETRY_AFTER_S = 3_600
const MAX_ROUNDS = 3
const MAX_EXPIRES_S = 7 * 86_400
const MAX_DETAIL_CHARS = 200

/** What comes of an answer: `again`: send at once, with credentials where there is a challenge. */
export interface Step {
  readonly state: RegistrationState
  readonly next: 'again' | 'wait' | 'gone'
  readonly inMs: number
}

export interface Happened {
  readonly nowMs: number
  /** 0 <= draw < 1: spreads what many do at once. */
  readonly draw: number
  /** Only challenges of this realm are answered; undefined: any. */
  readonly realm: string | undefined
  readonly hasCredentials: boolean
}

export function headerOf({ headers }: Pick<policy.SentRequest, 'headers'>, name: string): string[] {
  return headers.flatMap((one) => (one.name.toLowerCase() === name ? [one.value] : []))
}

const numberOf = (text: string | undefined): number | undefined => {
  const digits = /^\s*(\d{1,10})/.exec(text ?? '')?.[1]
  return digits === undefined ? undefined : Number(digits)
}

const escaped = (text: string): string => text.replace(/[^A-Za-z0-9]/g, '\\$&')

/** What the registrar has granted: at our contact, else for all. [RFC3261-10.2.4] */
export function grantedS(answer: policy.SentRequest, { contactUser, expiresS }: RegistrationState): number {
  const ours = new RegExp(`sips?:${escaped(contactUser)}@[^,]*`, 'i')
  for (const value of headerOf(answer, 'contact')) {
    const granted = /;\s*expires\s*=\s*"?(\d{1,10})/i.exec(ours.exec(value)?.[0] ?? '')?.[1]
    if (granted !== undefined) return Math.min(Number(granted), MAX_EXPIRES_S)
  }
  return Math.min(numberOf(headerOf(answer, 'expires')[0]) ?? expiresS, MAX_EXPIRES_S)
}

/** Later each time, to a bound, and never for all at once. */
export function backOffMs(failures: number, draw: number, leastMs = 0): number {
  const full = Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(20, failures - 1))
  return Math.max(leastMs, full * (0.5 + draw / 2))
}

function failed(state: RegistrationState, detail: string, { nowMs, draw }: Happened, leastMs = 0): Step {
  const failures = state.failures + 1
  const isBound = state.untilMs > nowMs
  const phase = state.phase === 'leaving' ? 'leaving' : isBound ? 'registered' : 'failed'
  const kept = { ...state, phase, failures, pending: '', rounds: 0, detail: detail.slice(0, MAX_DETAIL_CHARS) } as const
  // Who can't be reached to be told that we leave forgets us in time.
  if (phase === 'leaving') return { state: kept, next: failures >= 2 ? 'gone' : 'wait', inMs: FIRST_BACK_OFF_MS }
  return { state: kept, next: 'wait', inMs: backOffMs(failures, draw, leastMs) }
}

function registered(state: RegistrationState, answer: policy.SentRequest, { nowMs, draw }: Happened): Step {
  const done = { ...state, pending: '', rounds: 0, failures: 0, passedOver: 0, lastStatus: answer.status, detail: '' }
  if (state.phase === 'leaving') return { state: { ...done, untilMs: 0 }, next: 'gone', inMs: 0 }
  const granted = grantedS(answer, state) * 1_000
  if (granted === 0)
    return failed({ ...done, failures: state.failures }, 'the registrar grants no time', {
      nowMs,
      draw,
      realm: undefined,
      hasCredentials: false,
    })
  const inMs = Math.min(MAX_REFRESH_MS, Math.max(MIN_REFRESH_MS, granted * REFRESH_PART * (1 - 0.1 * draw)))
  const challenge = nextNonce(done.challenge, answer)
  return { state: { ...done, phase: 'registered', untilMs: nowMs + granted, challenge }, next: 'wait', inMs }
}

/** [RFC7616-3.5] */
function nextNonce(challenge: RegistrationState['challenge'], answer: policy.SentRequest) {
  const nonce = /(?:^|[\s,])nextnonce="([^"\\]*)"/i.exec(headerOf(answer, 'authentication-info')[0] ?? '')?.[1]
  return challenge === undefined || nonce === undefined ? challenge : { ...challenge, nonce, count: 0 }
}

/** [RFC3261-22.2] [RFC3261-22.3] */
function challenged(state: RegistrationState, answer: policy.SentRequest, happened: Happened): Step {
  const proxy = answer.status === 407
  const values = headerOf(answer, proxy ? 'proxy-authenticate' : 'www-authenticate')
  const [found] = chooseChallenges(values, happened.realm)
  if (found === undefined) return failed(state, 'a challenge that can not be answered', happened, REFUSED_BACK_OFF_MS)
  if (!happened.hasCredentials) return failed(state, 'the registrar wants credentials', happened, REFUSED_BACK_OFF_MS)
  const { stale, ...challenge } = found
  // Answered in this try, and not for an old nonce: the password is wrong.
  const isRefused = state.rounds > 0 && !stale && state.challenge?.realm === challenge.realm
  const without = { ...state, challenge: undefined }
  if (isRefused || state.rounds >= MAX_ROUNDS)
    return failed(without, 'the credentials are refused', happened, REFUSED_BACK_OFF_MS)
  const next = { ...state, challenge: { ...challenge, proxy, count: 0 }, rounds: state.rounds + 1, pending: '' }
  return { state: next, next: 'again', inMs: 0 }
}

/** [RFC3261-10.2.8] */
function tooBrief(state: RegistrationState, answer: policy.SentRequest, happened: Happened): Step {
  const least = numberOf(headerOf(answer, 'min-expires')[0])
  const isUsable = least !== undefined && least > state.expiresS && least <= MAX_EXPIRES_S && state.rounds < MAX_ROUNDS
  if (!isUsable) return failed(state, 'the registrar finds the time too brief', happened)
  return { state: { ...state, expiresS: least, rounds: state.rounds + 1, pending: '' }, next: 'again', inMs: 0 }
}

/** The command that is on its way has been answered. */
export function answered(state: RegistrationState, answer: policy.SentRequest, happened: Happened): Step {
  const { status } = answer
  const heard = { ...state, lastStatus: status }
  if (status >= 200 && status < 300) return registered(heard, answer, happened)
  if (status === 401 || status === 407) return challenged(heard, answer, happened)
  if (status === 423) return tooBrief(heard, answer, happened)
  const retryS = Math.min(MAX_RETRY_AFTER_S, numberOf(headerOf(answer, 'retry-after')[0]) ?? 0)
  // Perhaps another edge has a way there.
  const passedOver = status === 0 ? state.passedOver + 1 : state.passedOver
  const detail = status === 0 ? 'no answer' : `refused with ${status}`
  const leastMs = status === 403 || status === 404 ? REFUSED_BACK_OFF_MS : retryS * 1_000
  return failed({ ...heard, passedOver }, detail, happened, leastMs)
}
