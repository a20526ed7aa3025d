// SPDX-License-Identifier: MIT
// Walks `;name[=value]` without allocating (generic-param, RFC 3261 §25.1). White space around ';' and '=' is allowed.
// An empty parameter (";;") is an error [RFC4475-3.1.2.1]; a missing value behind '=' is an empty value.
import {
  bytesOf,
  DQUOTE,
  EQUAL,
  isWord,
  PARAM_VALUE,
  SEMICOLON,
  skipClass,
  skipLws,
  skipQuoted,
  TOKEN,
} from '../message/chars.ts'

export class ParamCursor {
  #buf: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0
  /** Set when next() returned false because of bad syntax. */
  failed = false
  nameStart = -1
  nameEnd = -1
  /** -1 without '='. A quoted value keeps its quotes. */
  valueStart = -1
  valueEnd = -1

  /** `at` is where a ';' (or white space before one) may stand. */
  reset(buf: Uint8Array, at: number, end: number): void {
    this.#buf = buf
    this.#at = at
    this.#end = end
    this.failed = false
  }

  /** Where the walk stands: behind the last parameter after next() returned false without failing. */
  get offset(): number {
    return this.#at
  }

  /** Moves to the next parameter. False at the first byte that is no ';', or on bad syntax (`failed`). */
  next(): boolean {
    const buf = this.#buf
    const end = this.#end
    let i = skipLws(buf, this.#at, end)
    if (i >= end || buf[i] !== SEMICOLON) {
      this.#at = i
      return false
    }
    i = skipLws(buf, i + 1, end)
    this.nameStart = i
    i = skipClass(buf, i, end, TOKEN)
    this.nameEnd = i
    if (i === this.nameStart) return this.#fail(i)
    i = skipLws(buf, i, end)
    this.valueStart = -1
    this.valueEnd = -1
    if (i < end && buf[i] === EQUAL) return this.#value(skipLws(buf, i + 1, end))
    this.#at = i
    return true
  }

  #value(at: number): boolean {
    const buf = this.#buf
    const quoted = at < this.#end && buf[at] === DQUOTE
    const valueEnd = quoted ? skipQuoted(buf, at, this.#end) : skipClass(buf, at, this.#end, PARAM_VALUE)
    if (valueEnd < 0) return this.#fail(at)
    this.valueStart = at
    this.valueEnd = valueEnd
    this.#at = valueEnd
    return true
  }

  #fail(at: number): boolean {
    this.failed = true
    this.#at = at
    return false
  }

  /** Whether the current name is this lower-case word. */
  isNamed(lower: Uint8Array): boolean {
    return isWord(this.#buf, this.nameStart, this.nameEnd, lower)
  }
}

const shared = new ParamCursor()

/** Offsets of one parameter's value; `start` is -1 without a value. */
export class ParamView {
  nameStart = -1
  start = -1
  end = -1
}

/** Finds the first parameter called `name` in `;a=b;c` = [start, end). False: absent, or bad syntax before it. */
export function findParam(buf: Uint8Array, start: number, end: number, name: string, out: ParamView): boolean {
  const lower = bytesOf(name.toLowerCase())
  shared.reset(buf, start, end)
  while (shared.next()) {
    if (!shared.isNamed(lower)) continue
    out.nameStart = shared.nameStart
    out.start = shared.valueStart
    out.end = shared.valueEnd
    return true
  }
  return false
}
