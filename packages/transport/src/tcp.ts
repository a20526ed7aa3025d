// SPDX-License-Identifier: MIT
// TCP: a request goes over the open connection to that address and port, whoever opened it, else over a new one.
// Left out: the alias parameter of RFC 5923 (an inbound connection is reused for its real remote port only, since nothing proves more).
import { type Socket, connect as tcpConnect } from 'node:net'
import { StreamConnection } from './stream-connection.ts'
import { type Arrival, StreamTransport } from './stream-transport.ts'
import type { StreamOptions } from './stream-types.ts'
import type { Connection } from './types.ts'

export class TcpTransport extends StreamTransport {
  constructor(options: StreamOptions) {
    super('tcp', options)
  }

  /**
   * The open connection to that numeric address and port, whoever opened it, else a new one that queues until it is established.
   * undefined: the limit of connections is reached. A failure comes as onClose with connectFailed or connectTimeout.
   */
  connect(address: string, port: number): Connection | undefined {
    const open = this.findRemote(address, port)
    if (open !== undefined) return open
    const socket = this.takePlace(() => dial(address, port, this.options.localAddress))
    if (socket === undefined) return undefined
    const conn = new StreamConnection(this.host, socket, {
      id: this.nextFlowId(),
      transport: 'tcp',
      inbound: false,
      remoteAddress: address,
      remotePort: port,
    })
    this.add(conn)
    return conn
  }

  protected welcome(arrival: Arrival): void {
    const { socket, address, port } = arrival
    this.adopt(arrival, (id) => {
      const identity = { id, transport: 'tcp', inbound: true, remoteAddress: address, remotePort: port } as const
      return new StreamConnection(this.host, socket, identity)
    })
    if (socket.isPaused()) socket.resume() // behind a PROXY header
  }
}

/** @param local the source address, where it is of the same family */
function dial(address: string, port: number, local: string | undefined): Socket {
  return tcpConnect({
    host: address,
    port,
    noDelay: true,
    ...(local === undefined || local.includes(':') !== address.includes(':') ? {} : { localAddress: local }),
  })
}
