// SPDX-License-Identifier: MIT
import type { DatagramSink, UdpListener } from './types.ts'

export interface UdpOptions {
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  readonly sink: DatagramSink
  /** Several processes share the port (SO_REUSEPORT). */
  readonly reusePort?: boolean
  readonly recvBufferBytes?: number
  readonly sendBufferBytes?: number
  /** Bytes that may wait for the kernel before further datagrams are dropped and counted. */
  readonly maxQueuedBytes?: number
  /** The setting that chooses address and port, named when they are taken. */
  readonly setting?: string
  readonly onError?: (error: Error) => void
}

/** Opens a UDP socket. Rejects with a TransportError whose message is a sentence for the user. */
export async function createUdpListener(options: UdpOptions): Promise<UdpListener> {
  throw new Error(`surface only ${options.port}`)
}
