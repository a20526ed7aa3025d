// SPDX-License-Identifier: MIT
// A worker that echoes datagrams through the addon, and ends as it is told while the socket is open (udp-batch.test.ts).
import { parentPort } from 'node:worker_threads'
import { buildAddon, loadAddon } from '@tandem/udp-batch'
import { openBatchListener } from './udp-batch.ts'

const listener = openBatchListener(loadAddon().addon, {
  address: '127.0.0.1',
  port: 0,
  sink: {
    onDatagram: (buf, start, end, address, port, from) => from.send(buf, start, end, port, address),
  },
})
parentPort.once('message', (how) => {
  if (how === 'exit') process.exit(0)
  // The socket alone must not keep a worker that was told to end: it is closed.
  void listener.close()
})
parentPort.postMessage({ port: listener.port, file: buildAddon().file })
