// SPDX-License-Identifier: MIT
// The functions of the native addon (native/addon.c). They check their arguments and throw a TypeError for wrong ones.

export interface AddonSocketOptions {
  /** Numeric; its family is the socket's. */
  readonly address: string
  readonly port: number
  /** 0 or 1: SO_REUSEPORT. */
  readonly reusePort: number
  /** 0: the system's default. */
  readonly recvBufferBytes: number
  readonly sendBufferBytes: number
  /** 0 to 63. */
  readonly dscp: number
  /** Above some thousand datagrams a second the socket is read at this interval; 0: never. */
  readonly gatherMs: number
  /** Bytes of copies that may wait for the kernel. */
  readonly maxQueuedBytes: number
  readonly receiveSlots: number
  /** Bytes of one receive slot; a longer datagram is counted and dropped. */
  readonly stride: number
  readonly sendSlots: number
  readonly slabBytes: number
  readonly ring: ArrayBuffer
  readonly slab: ArrayBuffer
  readonly words: ArrayBuffer
  readonly counters: ArrayBuffer
  /** `count` records are filled in; they and the ring are the caller's until it returns. */
  readonly onBatch: (count: number) => void
  /** `count` records name destinations that the network reported as unreachable; their slots have what it quotes of the datagram. */
  readonly onUnreachable?: ((count: number) => void) | undefined
}

/** An open socket; opaque. */
export type AddonSocket = object & { readonly '~socket': never }

export interface UdpBatchAddon {
  readonly layout: number
  /** Throws an Error with the `code` of the system call's errno. `address` and `port` are those that were given. */
  open(options: AddonSocketOptions): { readonly handle: AddonSocket; readonly address: string; readonly port: number }
  /** Sends what waits, as far as the kernel takes it now; the port is free on return. Twice does no harm. */
  close(socket: AddonSocket): void
  flush(socket: AddonSocket): void
  /** From now on the kernel drops so many of 65,536 REGISTERs, by chance; 0: none. */
  shedRegisters(socket: AddonSocket, share: number): void
  /** Tests: the next `count` system calls that send fail with `errno`. */
  failSends(socket: AddonSocket, errno: number, count: number): void
  /** Whether `text` is a numeric address of the family; its words are filled in. */
  parseAddress(family: 4 | 6, words: Int32Array, text: string): boolean
  formatAddress(family: 4 | 6, words: Int32Array): string
}
