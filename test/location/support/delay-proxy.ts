// SPDX-License-Identifier: MIT
// A TCP proxy before a server under test: what passes is held back for a while, each way half of it, in order. What a side sent before it
// closed still arrives, as on a network.
import { connect, createServer, type Socket } from 'node:net'

export interface DelayProxy {
  readonly port: number
  /** Added to the round trip of what passes from now on. */
  delayMs: number
  close(): void
}

export async function startDelayProxy(targetPort: number): Promise<DelayProxy> {
  const sockets = new Set<Socket>()
  const settings = { delayMs: 0 }
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
    }
    pass(client, upstream, settings)
    pass(upstream, client, settings)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return Object.assign(settings, {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
}

function pass(from: Socket, to: Socket, settings: { readonly delayMs: number }): void {
  let freeAtMs = 0
  const later = (act: () => void): void => {
    freeAtMs = Math.max(freeAtMs, performance.now() + settings.delayMs / 2)
    setTimeout(act, Math.max(0, freeAtMs - performance.now()))
  }
  from.on('data', (bytes: Buffer) => later(() => void to.write(bytes)))
  from.on('close', () => later(() => to.end()))
}
