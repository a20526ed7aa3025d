// SPDX-License-Identifier: MIT
// The PROXY protocol, version 2 (haproxy's specification of 2020): a header in front of a stream, by which a load balancer tells for whom
// it speaks. Pure. Taken: PROXY and LOCAL over IPv4 and IPv6 streams; everything else of it says nothing about an address.
// Left out: version 1 (text, no bound on trust) and the type-length values behind the addresses, which are skipped.

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const VERSION_1 = Buffer.from('PROXY ', 'latin1')
const FIXED_BYTES = 16
/** Room for the addresses and some values; a longer header is refused. */
export const MAX_PROXY_HEADER_BYTES = 2_048

const COMMAND = { LOCAL: 0x20, PROXY: 0x21 } as const
const TCP_OVER_IPV4 = 0x11
const TCP_OVER_IPV6 = 0x21
const IPV4_BYTES = 12
const IPV6_BYTES = 36

export type ProxyHeader =
  /** More bytes are needed. */
  | { readonly state: 'partial' }
  | { readonly state: 'bad' }
  /** `length` bytes of it; without an address (LOCAL, or an unknown family) the connection is the balancer's own. */
  | { readonly state: 'whole'; readonly length: number; readonly address: string; readonly port: number }

const PARTIAL: ProxyHeader = { state: 'partial' }
const BAD: ProxyHeader = { state: 'bad' }

/** Reads the header at the beginning of a stream, of which `bytes` is what has come so far. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  const signed = Math.min(bytes.length, SIGNATURE.length)
  if (bytes.compare(SIGNATURE, 0, signed, 0, signed) !== 0) return BAD
  if (bytes.length < FIXED_BYTES) return PARTIAL
  const command = bytes[12] as number
  const length = FIXED_BYTES + bytes.readUInt16BE(14)
  if (length > MAX_PROXY_HEADER_BYTES) return BAD
  if (command !== COMMAND.LOCAL && command !== COMMAND.PROXY) return BAD
  if (bytes.length < length) return PARTIAL
  if (command === COMMAND.LOCAL) return { state: 'whole', length, address: '', port: 0 }
  return readAddresses(bytes, bytes[13] as number, length)
}

function readAddresses(bytes: Buffer, family: number, length: number): ProxyHeader {
  const room = length - FIXED_BYTES
  if (family === TCP_OVER_IPV4) {
    if (room < IPV4_BYTES) return BAD
    const address = bytes.subarray(FIXED_BYTES, FIXED_BYTES + 4).join('.')
    return { state: 'whole', length, address, port: bytes.readUInt16BE(FIXED_BYTES + 8) }
  }
  if (family === TCP_OVER_IPV6) {
    if (room < IPV6_BYTES) return BAD
    return { state: 'whole', length, address: ipv6(bytes), port: bytes.readUInt16BE(FIXED_BYTES + 32) }
  }
  return { state: 'whole', length, address: '', port: 0 }
}

/** In the shortest form, as sockets give it [RFC5952-4]; an IPv4 address in IPv6 clothes in its own. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, k) => bytes.readUInt16BE(FIXED_BYTES + 2 * k).toString(16))
  const text = new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
  if (!text.startsWith('::ffff:')) return text
  return bytes.subarray(FIXED_BYTES + 12, FIXED_BYTES + 16).join('.')
}

/** Watches the first bytes of a stream that must have no header: of a stranger, who would choose its own address. */
export class StrangerWatch {
  #seen = 0
  #isV1 = true
  #isV2 = true

  /** False once nothing of it can be a header any more. */
  get isOpen(): boolean {
    return this.#isV1 || this.#isV2
  }

  /** True: the stream begins with a PROXY header, of either version. */
  sees(chunk: Buffer): boolean {
    for (let k = 0; k < chunk.length && this.isOpen; k++) {
      const byte = chunk[k]
      if (byte !== VERSION_1[this.#seen]) this.#isV1 = false
      if (byte !== SIGNATURE[this.#seen]) this.#isV2 = false
      this.#seen++
      if (this.#isV1 && this.#seen === VERSION_1.length) return true
      if (this.#isV2 && this.#seen === SIGNATURE.length) return true
    }
    return false
  }
}
