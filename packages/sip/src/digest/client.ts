// SPDX-License-Identifier: MIT
// The client's half of digest: reads challenges, chooses, answers (RFC 7616 §3.4, RFC 8760 §2.4, RFC 3261 §22). Pure: cnonce and
// count are given. Leaves out userhash, and session keys that outlive one answer.
import { Buffer } from 'node:buffer'
import { encodeAuth, parseAuth } from '../header/auth.ts'
import { type DigestAlgorithm, digestAlgorithmOf, digestResponse, ha1 } from './digest.ts'

export interface DigestChallenge {
  readonly realm: string
  readonly nonce: string
  /** undefined: none came, none goes back. */
  readonly opaque: string | undefined
  readonly algorithm: DigestAlgorithm
  /** As it stood in the challenge, '' for none: it is said again as it was. */
  readonly algorithmText: string
  /** What is answered with; '' for the digest of RFC 2069. */
  readonly qop: '' | 'auth' | 'auth-int'
  /** The last answer was right but for its nonce. */
  readonly stale: boolean
}

/** `auth` where it is offered; undefined: something that nobody here knows. [RFC7616-3.3] */
function qopOf(text: string | undefined): DigestChallenge['qop'] | undefined {
  if (text === undefined) return ''
  const offered = text.toLowerCase().split(/[\s,]+/)
  if (offered.includes('auth')) return 'auth'
  return offered.includes('auth-int') ? 'auth-int' : undefined
}

/** undefined: another scheme, algorithm or qop than those that are known, or no challenge at all. */
export function readChallenge(value: string): DigestChallenge | undefined {
  const auth = parseAuth(value)
  if (auth?.scheme !== 'digest') return undefined
  const { params } = auth
  const [realm, nonce] = [params.get('realm'), params.get('nonce')]
  const algorithm = digestAlgorithmOf(params.get('algorithm'))
  const qop = qopOf(params.get('qop'))
  if (realm === undefined || nonce === undefined || algorithm === undefined || qop === undefined) return undefined
  const stale = params.get('stale')?.toLowerCase() === 'true'
  const algorithmText = params.get('algorithm') ?? ''
  return { realm, nonce, opaque: params.get('opaque'), algorithm, algorithmText, qop, stale }
}

/**
 * One for each realm, the topmost that is known: whoever challenges puts the algorithm first that he likes best. [RFC8760-2.4]
 *
 * @param realm the only one to answer; undefined: any
 */
export function chooseChallenges(values: readonly string[], realm: string | undefined): DigestChallenge[] {
  const chosen = new Map<string, DigestChallenge>()
  for (const value of values) {
    const challenge = readChallenge(value)
    if (challenge === undefined || (realm !== undefined && challenge.realm !== realm)) continue
    if (!chosen.has(challenge.realm)) chosen.set(challenge.realm, challenge)
  }
  return [...chosen.values()]
}

export interface DigestAnswer {
  readonly username: string
  readonly password: string
  readonly method: string
  /** Request-URI, as it is sent. */
  readonly uri: string
  /** How often this nonce was used, this time too; from 1. */
  readonly count: number
  readonly cnonce: string
  readonly body: Buffer
}

/** Text that people typed, as the bytes that a message has. */
const asBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

/** Value of Authorization or Proxy-Authorization. [RFC7616-3.4] [RFC3261-22.4] */
export function answerChallenge(challenge: Omit<DigestChallenge, 'stale'>, answer: DigestAnswer): string {
  const { realm, nonce, opaque, algorithm, algorithmText, qop } = challenge
  const { username, password, method, uri, body } = answer
  const nc = qop === '' ? '' : answer.count.toString(16).padStart(8, '0')
  // A session key is made with a cnonce also where qop is absent. [RFC7616-3.4.2]
  const cnonce = qop === '' && !algorithm.endsWith('-sess') ? '' : answer.cnonce
  const secret = ha1(algorithm, username, Buffer.from(realm, 'latin1').toString('utf8'), password)
  const response = digestResponse({ algorithm, ha1: secret, method, uri, nonce, qop, nc, cnonce, body })
  const params: [string, string][] = [
    ['username', asBytes(username)],
    ['realm', realm],
    ['nonce', nonce],
    ['uri', uri],
    ['response', response],
  ]
  if (algorithmText !== '') params.push(['algorithm', algorithmText])
  if (cnonce !== '') params.push(['cnonce', cnonce])
  if (opaque !== undefined) params.push(['opaque', opaque])
  if (qop !== '') params.push(['qop', qop], ['nc', nc])
  return encodeAuth('Digest', params, false)
}
