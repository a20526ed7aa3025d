// SPDX-License-Identifier: MIT
//
// The floor of node:dgram: passes the datagrams of the bench's call on untouched, between caller (port 5080) and callee (5070),
// and answers everything else with 200. What it costs per call no proxy on node:dgram can go below:
//   node ../shared/bench/cpu-per-call.mjs -- node bench/dgram-floor.mjs --vs kamailio …
// It is no SIP proxy.
import { createSocket } from 'node:dgram'

const HOST = '127.0.0.1'
const CALLEE = 5070
const CALLER = 5080

const socket = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) })

socket.on('message', (message, { port, address }) => {
  if (port === CALLEE) socket.send(message, 0, message.length, CALLER, HOST)
  else if (port === CALLER) socket.send(message, 0, message.length, CALLEE, HOST)
  else answer(message, port, address)
})
socket.bind(5060, HOST)

function answer(request, port, address) {
  const lines = request.latin1Slice().split('\r\n')
  const copied = lines.filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line))
  socket.send(`SIP/2.0 200 OK\r\n${copied.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`, port, address)
}
