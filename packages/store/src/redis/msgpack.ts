// SPDX-License-Identifier: MIT
// Reads what Lua's cmsgpack packs, and packs for it what a script gets: nil, booleans, numbers, strings, arrays, maps. Integers are below 2^53 by contract.
// What scripts pack is trusted; a truncated value throws, and the caller turns that into a result.

export type Packed = null | boolean | number | string | Packed[] | { [key: string]: Packed }

export function unpack(bytes: Buffer): Packed {
  return new Reader(bytes).value()
}

type Word = string | number

/** An array of texts and whole numbers, below 2^53. */
export function pack(words: readonly Word[]): Uint8Array {
  const size = words.reduce<number>((sum, word) => sum + 9 + (typeof word === 'string' ? 3 * word.length : 0), 3)
  const bytes = Buffer.allocUnsafe(size)
  let at = bytes.writeUInt8(0xdc)
  at = bytes.writeUInt16BE(words.length, at)
  for (const word of words) at = typeof word === 'string' ? packText(bytes, word, at) : packNumber(bytes, word, at)
  return bytes.subarray(0, at)
}

function packText(bytes: Buffer, text: string, at: number): number {
  const length = bytes.write(text, at + 5)
  bytes[at] = 0xdb
  bytes.writeUInt32BE(length, at + 1)
  return at + 5 + length
}

function packNumber(bytes: Buffer, value: number, at: number): number {
  if (value >= 0 && value < 0x80) return bytes.writeUInt8(value, at)
  bytes[at] = 0xcb
  return bytes.writeDoubleBE(value, at + 1)
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  value(): Packed {
    const tag = this.#uint(1)
    if (tag < 0x80) return tag
    if (tag < 0x90) return this.#map(tag & 0x0f)
    if (tag < 0xa0) return this.#array(tag & 0x0f)
    if (tag < 0xc0) return this.#text(tag & 0x1f)
    if (tag >= 0xe0) return tag - 0x100
    return this.#tagged(tag)
  }

  #tagged(tag: number): Packed {
    switch (tag) {
      case 0xc0:
        return null
      case 0xc2:
      case 0xc3:
        return tag === 0xc3
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#text(this.#uint(1 << (tag - 0xc4)))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (tag - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(tag === 0xdc ? 2 : 4))
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(tag === 0xde ? 2 : 4))
      default:
        return this.#number(tag)
    }
  }

  #number(tag: number): number {
    const at = this.#at
    if (tag >= 0xcc && tag <= 0xce) return this.#uint(1 << (tag - 0xcc))
    if (tag >= 0xd0 && tag <= 0xd2) {
      const size = 1 << (tag - 0xd0)
      this.#at += size
      return this.#bytes.readIntBE(at, size)
    }
    this.#at += tag === 0xca ? 4 : 8
    if (tag === 0xca) return this.#bytes.readFloatBE(at)
    if (tag === 0xcb) return this.#bytes.readDoubleBE(at)
    if (tag === 0xcf) return Number(this.#bytes.readBigUInt64BE(at))
    if (tag === 0xd3) return Number(this.#bytes.readBigInt64BE(at))
    throw new RangeError(`msgpack tag ${tag}`)
  }

  #uint(size: number): number {
    const at = this.#at
    this.#at += size
    return this.#bytes.readUIntBE(at, size)
  }

  #text(length: number): string {
    const at = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) throw new RangeError('msgpack text ends early')
    return this.#bytes.toString('utf8', at, this.#at)
  }

  #array(length: number): Packed[] {
    const values: Packed[] = []
    for (let i = 0; i < length; i++) values.push(this.value())
    return values
  }

  #map(length: number): { [key: string]: Packed } {
    const values: { [key: string]: Packed } = {}
    for (let i = 0; i < length; i++) {
      const key = String(this.value())
      values[key] = this.value()
    }
    return values
  }
}
