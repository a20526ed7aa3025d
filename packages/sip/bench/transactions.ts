// SPDX-License-Identifier: MIT
//
// What the transactions of a call cost a proxy: INVITE and BYE, a server and a client transaction each, with 100, 180 and
// 200 to the INVITE; CPU per call with building, matching and ending them, and memory per lingering transaction.
// Leaves out parsing and writing of messages: those are scanned once, before, and used again with the branch patched.
// Run: node --expose-gc --conditions=@tandem/source packages/sip/bench/transactions.ts [calls]
import { Buffer } from 'node:buffer'
import { type Peer, SipMessage, scan, TransactionLayer, type TransactionUser } from '@tandem/sip'

const CALLS = Number(process.argv[2] ?? 100_000)
const CALLS_PER_SECOND = 1000
const DIGITS = 8
const UDP: Peer = { reliable: false }

const io = {
  send: () => true,
}
const nothing = () => {}
const user: TransactionUser = {
  onResponse: nothing,
  onClientTimeout: nothing,
  onClientTransportError: nothing,
  onClientTerminated: nothing,
  onAck: nothing,
  onServerTransportError: nothing,
  onServerTerminated: nothing,
}

const headers = (method: string): string =>
  [
    `Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-4711-${'0'.repeat(DIGITS)}-7`,
    'Record-Route: <sip:AVUWAQAAAAIAAAAAAAEAAAACAAAAAADR2w5eMjZGxAabcdefghijklmnopqrstuv@127.0.0.1:5060;lr>',
    'From: sipp <sip:alice@127.0.0.1:5070>;tag=4711SIPpTag001',
    'To: bob <sip:bob@127.0.0.1:5060>',
    'Call-ID: 1-4711@127.0.0.1',
    `CSeq: 1 ${method}`,
    'Contact: <sip:alice@127.0.0.1:5070>',
    'Max-Forwards: 70',
    'Content-Type: application/sdp',
    'Content-Length: 129\r\n',
    'v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n',
  ].join('\r\n')

const scanned = (text: string): SipMessage => {
  const msg = new SipMessage()
  const buf = Buffer.from(text, 'latin1')
  if (scan(msg, buf, 0, buf.length) !== 0) throw new Error('bench message does not scan')
  return msg
}

const request = (method: string) => scanned(`${method} sip:bob@127.0.0.1:5060 SIP/2.0\r\n${headers(method)}`)
const response = (status: number, method: string) => scanned(`SIP/2.0 ${status} Reason\r\n${headers(method)}`)

const invite = request('INVITE')
const bye = request('BYE')
const provisionals = [response(100, 'INVITE'), response(180, 'INVITE')]
const answer = response(200, 'INVITE')
const byeAnswer = response(200, 'BYE')
const all = [invite, bye, ...provisionals, answer, byeAnswer]

const patch = (call: number): void => {
  for (const msg of all) {
    let rest = call
    for (let at = msg.viaBranchEnd - 3; at > msg.viaBranchEnd - 3 - DIGITS; at--) {
      msg.buf[at] = 0x30 + (rest % 10)
      rest = Math.floor(rest / 10)
    }
  }
}

const transaction = (layer: TransactionLayer, msg: SipMessage, responses: SipMessage[], branch: string): void => {
  const key = layer.serverKey(msg)
  if (layer.findServer(msg, key) !== undefined) throw new Error('bench branches repeat')
  const server = layer.createServer(msg, key, UDP, undefined)
  const client = layer.createClient(branch, msg.method, msg.buf, msg.start, msg.end, UDP, undefined)
  if (server === undefined || client === undefined) throw new Error('bench transaction refused')
  for (const one of responses) {
    const found = layer.findClient(one)
    if (found !== client) throw new Error('bench response not matched')
    layer.receiveResponse(client, one)
    layer.respond(server, one.status, one.buf, one.start, one.end)
  }
}

const runCall = (layer: TransactionLayer, call: number): void => {
  patch(2 * call)
  const branch = invite.text(invite.viaBranchStart, invite.viaBranchEnd)
  transaction(layer, invite, [...provisionals, answer], branch)
  patch(2 * call + 1)
  transaction(layer, bye, [byeAnswer], bye.text(bye.viaBranchStart, bye.viaBranchEnd))
}

/** Calls at a steady rate on an injected clock; 100 ticks a second. Gives microseconds of CPU per call. */
const run = (layer: TransactionLayer, calls: number, firstCall: number): number => {
  const from = process.cpuUsage()
  for (let call = 0; call < calls; call++) {
    if (call % (CALLS_PER_SECOND / 100) === 0) layer.tick(((firstCall + call) * 1000) / CALLS_PER_SECOND)
    runCall(layer, firstCall + call)
  }
  const used = process.cpuUsage(from)
  return (used.user + used.system) / calls
}

/** Several collections with turns between: buffers are given back behind the collector's back. */
const memory = async (): Promise<number> => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const before = await memory()
const lingering = new TransactionLayer({ io, user })
for (let call = 0; call < CALLS / 4; call++) runCall(lingering, call)
const transactions = lingering.serverCount + lingering.clientCount
const perTransaction = ((await memory()) - before) / transactions
console.log(
  `memory per lingering transaction: ${perTransaction.toFixed(0)} bytes, ${(lingering.keptBytes / transactions).toFixed(0)} of them messages (${transactions} transactions)`,
)

const layer = new TransactionLayer({ io, user })
const warmUp = run(layer, 40_000, 0)
const costUs = run(layer, CALLS, 40_000)
const patchFrom = process.cpuUsage()
for (let call = 0; call < CALLS; call++) patch(call)
const patched = process.cpuUsage(patchFrom)
const patchUs = (2 * (patched.user + patched.system)) / CALLS
console.log(
  `CPU per call: ${costUs.toFixed(2)} µs (first 40,000: ${warmUp.toFixed(2)} µs), of it ${patchUs.toFixed(2)} µs the bench's own patching`,
)
console.log(
  `lingering at ${CALLS_PER_SECOND} calls/s: ${layer.serverCount} server, ${layer.clientCount} client, ${layer.keptBytes} bytes of messages`,
)
