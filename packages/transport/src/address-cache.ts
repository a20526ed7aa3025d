// SPDX-License-Identifier: MIT
// Texts of addresses from their words, and words from texts, without a string or an object per datagram. Both ways are bounded: sources fall
// on one of a fixed number of places and push out who was there; destinations are forgotten together when there are too many. Whoever
// forges sources can make each of his datagrams cost the making of its text, a microsecond, as it would without a cache.
import { ADDRESS_WORDS, type UdpBatchAddon } from '@tandem/udp-batch'

const SOURCE_BITS = 12
const MAX_DESTINATIONS = 4_096
/** Longest text of an address, zone included. */
const MAX_TEXT = 64
const GOLDEN = 0x9e3779b1 | 0

export type AddressCodec = Pick<UdpBatchAddon, 'parseAddress' | 'formatAddress'>

export class SourceTexts {
  readonly #codec: AddressCodec
  readonly #family: 4 | 6
  readonly #keys = new Int32Array(ADDRESS_WORDS << SOURCE_BITS)
  readonly #texts: string[] = new Array<string>(1 << SOURCE_BITS).fill('')
  readonly #scratch = new Int32Array(ADDRESS_WORDS)

  constructor(codec: AddressCodec, family: 4 | 6) {
    this.#codec = codec
    this.#family = family
  }

  /** The text of the address whose four words start at `at`. */
  textAt(words: Int32Array, at: number, scope: number): string {
    return this.#family === 4 ? this.#text4(words[at] as number) : this.#text6(words, at, scope)
  }

  #text4(word: number): string {
    const place = Math.imul(word, GOLDEN) >>> (32 - SOURCE_BITS)
    const text = this.#texts[place] as string
    if (this.#keys[place] === word && text !== '') return text
    this.#keys[place] = word
    this.#scratch[0] = word
    return this.#make(place)
  }

  #text6(words: Int32Array, at: number, scope: number): string {
    const [a, b] = [words[at] as number, words[at + 1] as number]
    const [c, d] = [words[at + 2] as number, words[at + 3] as number]
    const mixed = Math.imul(Math.imul(a ^ c, GOLDEN) ^ b, GOLDEN) ^ d ^ scope
    const place = Math.imul(mixed, GOLDEN) >>> (32 - SOURCE_BITS)
    const text = this.#texts[place] as string
    const keys = this.#keys
    const key = place * ADDRESS_WORDS
    const isSame = keys[key] === a && keys[key + 1] === b && keys[key + 2] === c && keys[key + 3] === d
    if (isSame && keys[key + 4] === scope && text !== '') return text
    const scratch = this.#scratch
    scratch[0] = a
    scratch[1] = b
    scratch[2] = c
    scratch[3] = d
    scratch[4] = scope
    keys.set(scratch, key)
    return this.#make(place)
  }

  #make(place: number): string {
    const text = this.#codec.formatAddress(this.#family, this.#scratch)
    this.#texts[place] = text
    return text
  }
}

/** The words of a destination. */
export interface Destination {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly scope: number
}

export class Destinations {
  readonly #codec: AddressCodec
  readonly #family: 4 | 6
  /** Undefined: known to be no address. */
  readonly #known = new Map<string, Destination | undefined>()
  #lastText = ''
  #last: Destination | undefined

  constructor(codec: AddressCodec, family: 4 | 6) {
    this.#codec = codec
    this.#family = family
  }

  get size(): number {
    return this.#known.size
  }

  /** Undefined where the text is no numeric address of the family. */
  find(text: string): Destination | undefined {
    if (text === this.#lastText) return this.#last
    const found = this.#known.get(text) ?? this.#learn(text)
    this.#lastText = text
    this.#last = found
    return found
  }

  #learn(text: string): Destination | undefined {
    if (text.length > MAX_TEXT || this.#known.has(text)) return undefined
    const words = new Int32Array(ADDRESS_WORDS)
    const isAddress = this.#codec.parseAddress(this.#family, words, text)
    const [a = 0, b = 0, c = 0, d = 0, scope = 0] = words
    const found = isAddress ? { a, b, c, d, scope } : undefined
    if (this.#known.size >= MAX_DESTINATIONS) this.#known.clear()
    this.#known.set(text, found)
    return found
  }
}
