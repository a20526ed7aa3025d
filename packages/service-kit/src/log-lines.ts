// SPDX-License-Identifier: MIT
//
// Lines about single calls and requests (docs/operations/observing.md): as many a second as there may be, of which people as much as the
// settings say. Under a flood a line costs one comparison and an addition: what is left out is summed up by its reasons, every SUMMARY_MS.
import { createHmac, hash } from 'node:crypto'
import type { Config } from './config/schema.ts'
import type { KeyRing } from './config/views.ts'
import type { Logger } from './logger.ts'

const SUMMARY_MS = 10_000
const MAX_REASONS = 32
const OTHER = 'other'

/**
 * A logger for lines whose fields are all known and hold no secret: looking for secrets by their names is nine tenths of
 * what a line costs.
 */
export function lineLogger(logger: Logger, fields: Readonly<Record<string, string>> = {}): Logger {
  return logger.child(fields, { redact: [] })
}

/** The bound of one kind of lines in one process. */
export class BoundedLines {
  readonly #logger: Logger
  readonly #kind: string
  readonly #maxPerSecond: number
  readonly #now: () => number
  #second = -1
  #written = 0
  readonly #leftOut = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  /** @param kind as its lines say in `event` @param now monotonic milliseconds */
  constructor(logger: Logger, kind: string, maxPerSecond: number, now: () => number = () => performance.now()) {
    this.#logger = logger
    this.#kind = kind
    this.#maxPerSecond = maxPerSecond
    this.#now = now
  }

  /** Whether a line may be written now. @param reason by which those are summed up that may not */
  admits(reason: string): boolean {
    const second = Math.floor(this.#now() / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#written = 0
    }
    if (this.#written < this.#maxPerSecond) {
      this.#written += 1
      return true
    }
    this.#leaveOut(reason)
    return false
  }

  #leaveOut(reason: string): void {
    const leftOut = this.#leftOut
    const key = leftOut.has(reason) || leftOut.size < MAX_REASONS ? reason : OTHER
    leftOut.set(key, (leftOut.get(key) ?? 0) + 1)
    this.#timer ??= setTimeout(() => this.flush(), SUMMARY_MS).unref()
  }

  /** Says what has been left out, if anything. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#leftOut.size === 0) return
    const byReason = Object.fromEntries(this.#leftOut)
    const count = [...this.#leftOut.values()].reduce((sum, some) => sum + some, 0)
    this.#leftOut.clear()
    this.#logger.warn({ event: 'lines_left_out', kind: this.#kind, count, by_reason: byReason }, 'lines were left out')
  }
}

const HASH_CHARS = 12
const MAX_URI_CHARS = 256
/** Scheme, user part, password, the rest: of sip, sips and tel, and of an address-of-record without a scheme. */
const PERSON = /^(sips?:|tel:)?([^@:;?<>]+)(?::([^@<>]*))?(@.*|[;?].*)?$/i

function keyOf(keyRing: KeyRing): string {
  return createHmac('sha256', keyRing[0]?.secret ?? '')
    .update('names of users in logs')
    .digest('hex')
}

export type UserMode = Config['logging']['users']

/** How lines name people. */
export class UserNames {
  readonly #mode: UserMode
  /** Hexadecimal digits. What is made with it is cut, so that nothing can be made of that. */
  #key: string

  /** @param keyRing its first key names people as long as it is the first */
  constructor(mode: UserMode, keyRing: KeyRing) {
    this.#mode = mode
    this.#key = keyOf(keyRing)
  }

  /** From the next line on. */
  useKeyRing(keyRing: KeyRing): void {
    this.#key = keyOf(keyRing)
  }

  /** The user part as lines have it. */
  user(name: string): string {
    if (this.#mode === 'plain') return name
    return `~${hash('sha256', this.#key + name, 'base64url').slice(0, HASH_CHARS)}`
  }

  /** The URI as lines have it: never with a password; undefined where lines name nobody, or there is none. */
  uri(text: string): string | undefined {
    if (this.#mode === 'off' || text === '') return undefined
    const [, scheme = '', user = '', password, rest = ''] = PERSON.exec(text.slice(0, MAX_URI_CHARS)) ?? []
    const isNumber = scheme.toLowerCase() === 'tel:'
    if (user === '') return this.#mode === 'plain' ? text.slice(0, MAX_URI_CHARS) : undefined
    // `sip:host:5060` names nobody.
    if (!isNumber && scheme !== '' && !rest.startsWith('@')) return text.slice(0, MAX_URI_CHARS)
    if (this.#mode === 'plain' && password === undefined) return text.slice(0, MAX_URI_CHARS)
    return `${scheme}${this.user(user)}${rest}`
  }
}
