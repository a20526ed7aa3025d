// SPDX-License-Identifier: MIT
// Puts commands (RESP2) together in one buffer, each argument written once where it will be sent from. The buffer that comes out
// belongs to whoever took it: the next commands go into a new one.

import type { Argument } from './batcher.ts'

const FIRST_BYTES = 16_384
/** Of a UTF-16 unit in UTF-8, at most. */
const UNIT_BYTES = 3
/** "$", ten digits, CR LF before an argument and CR LF after it. */
const FRAME_BYTES = 15
const HEADS = 64
const headFor = (length: number): string => `$${length}\r\n`
const heads: readonly string[] = Array.from({ length: HEADS }, (_, length) => headFor(length))
const [CR, LF, DOLLAR, ZERO] = [13, 10, 36, 48]

export class RespWriter {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES)
  #at = 0

  /** Text that is a part of a command already, all of it ASCII. */
  raw(text: string): void {
    this.#room(text.length)
    this.#at += this.#buffer.write(text, this.#at, 'latin1')
  }

  /** Arguments one after another: texts and numbers that are ASCII, as nearly all are, go in one write for all of them. */
  arguments(values: readonly Argument[]): void {
    let text = ''
    for (const [at, value] of values.entries()) {
      if (typeof value === 'object') {
        this.#all(text, values, at)
        this.#bytes(value)
        text = ''
      } else {
        const word = typeof value === 'string' ? value : String(value)
        text += `${word.length < HEADS ? heads[word.length] : headFor(word.length)}${word}\r\n`
      }
    }
    this.#all(text, values, values.length)
  }

  /** @param text what the values before `end` make, as far as they are no bytes, if all of it is ASCII */
  #all(text: string, values: readonly Argument[], end: number): void {
    if (text === '') return
    this.#room(text.length * UNIT_BYTES)
    const length = this.#buffer.write(text, this.#at)
    if (length === text.length) {
      this.#at += length
      return
    }
    let from = end
    while (from > 0 && typeof values[from - 1] !== 'object') from--
    for (const value of values.slice(from, end)) this.argument(value)
  }

  argument(value: Argument): void {
    if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'number') this.#text(String(value))
    else this.#bytes(value)
  }

  /** All that was written since the last time. */
  take(): Buffer {
    const written = this.#buffer.subarray(0, this.#at)
    this.#buffer = this.#buffer.subarray(this.#at)
    this.#at = 0
    return written
  }

  /** Its length goes before it: the place for the digits is guessed, which is right wherever all is ASCII. */
  #text(text: string): void {
    this.#room(text.length * UNIT_BYTES + FRAME_BYTES)
    const guess = digitsOf(text.length)
    const body = this.#at + 1 + guess + 2
    const length = this.#buffer.write(text, body)
    const digits = digitsOf(length)
    if (digits !== guess) this.#buffer.copyWithin(body + digits - guess, body, body + length)
    this.#head(length, digits)
    this.#at += length
    this.#end()
  }

  #bytes(value: Uint8Array): void {
    this.#room(value.length + FRAME_BYTES)
    this.#head(value.length, digitsOf(value.length))
    this.#buffer.set(value, this.#at)
    this.#at += value.length
    this.#end()
  }

  #head(length: number, digits: number): void {
    const buffer = this.#buffer
    buffer[this.#at] = DOLLAR
    let rest = length
    for (let at = this.#at + digits; at > this.#at; at--) {
      buffer[at] = ZERO + (rest % 10)
      rest = (rest - (rest % 10)) / 10
    }
    this.#at += 1 + digits
    this.#end()
  }

  #end(): void {
    this.#buffer[this.#at] = CR
    this.#buffer[this.#at + 1] = LF
    this.#at += 2
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * (this.#at + bytes)))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}

function digitsOf(length: number): number {
  if (length < 10) return 1
  if (length < 100) return 2
  if (length < 1_000) return 3
  return String(length).length
}
