// SPDX-License-Identifier: MIT
// What a UDP listener is opened with, whichever implementation serves it.
import type { DatagramSink } from './types.ts'

export interface UdpOptions {
  /** Numeric; a wildcard ('0.0.0.0', '::') listens on all addresses of its family. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  readonly sink: DatagramSink
  /** Several processes share the port (SO_REUSEPORT). */
  readonly reusePort?: boolean
  /** The kernel cuts both to its limits, unless the process may pass them (CAP_NET_ADMIN, with the addon). */
  readonly recvBufferBytes?: number
  readonly sendBufferBytes?: number
  /** Differentiated services code point of what is sent, 0 to 63. The addon only: node:dgram can not set it. */
  readonly dscp?: number
  /** Above some thousand datagrams a second the socket is read at this interval (ms); 0, or absent: never. The addon only. */
  readonly gatherMs?: number
  /** Bytes that may wait for the kernel before further datagrams are dropped and counted. 4 MiB where absent. */
  readonly maxQueuedBytes?: number
  /** The setting that chooses address and port, named when they are taken. */
  readonly setting?: string
  /** Each error of the socket after it was opened; they are counted too. */
  readonly onError?: (error: Error) => void
  /** `auto` (where absent): the native addon where it can be loaded, node:dgram elsewhere. `require`: the addon, or an error. */
  readonly batch?: 'auto' | 'off' | 'require'
  /** `auto` found no addon: why, as part of a sentence. */
  readonly onFallback?: (reason: string) => void
  /**
   * The network says that a destination can't be reached (ICMP). Anybody can forge that, but for [start, end) of buf: what it quotes of the
   * datagram, valid during the call, maybe nothing. The addon only: a socket of node:dgram that is not connected is told of no such error.
   */
  readonly onUnreachable?: (address: string, port: number, buf: Buffer, start: number, end: number) => void
  /** Tests: each datagram is overwritten when its sink returns. */
  readonly poison?: boolean
}

export const MAX_UDP_PAYLOAD = 65_507
export const DEFAULT_MAX_QUEUED_BYTES = 4 << 20
export const POISON = 0xa5
