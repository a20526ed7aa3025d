// SPDX-License-Identifier: MIT
// TCP: the contract of streams (stream-contract.ts), and flow ids. Not tested here: TLS.
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { describeStreams, Recorder } from './stream-contract.ts'
import { createFlowIds } from './stream-transport.ts'
import { TcpTransport } from './tcp.ts'

describeStreams({ name: 'tcp', make: (options) => new TcpTransport(options), writesOf: () => 1, blockBytes: 1 << 20 })

const transports: TcpTransport[] = []
const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  await Promise.all(transports.splice(0).map((transport) => transport.close(50)))
})

it('gives flow ids that are unique where transports share the generator, and that fit a uint32', async () => {
  const nextFlowId = createFlowIds(0xffff_ffff)
  expect([nextFlowId(), nextFlowId()]).toEqual([0xffff_ffff, 1])
  const server = createServer()
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const ids = [1, 2].map(() => {
    const transport = new TcpTransport({ sink: new Recorder(), nextFlowId })
    transports.push(transport)
    return transport.connect('127.0.0.1', port)?.id
  })
  expect(ids).toEqual([2, 3])
})
