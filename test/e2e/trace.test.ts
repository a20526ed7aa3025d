// SPDX-License-Identifier: MIT
// A call over two edges as people look at it afterwards, every service a process of its own: the ladder that `tandem trace` draws, the file that
// tshark reads, what a HEP collector is sent as tshark decodes it, and a message in the log of an edge because a filter asked for it.
// Not tested here: what is read and made unreadable (services/edge/src/capture), the drawing (cli/src/trace), secrets over all outputs.
import { execFile } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram, sippAvailable, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { forget } from './support/phone.ts'
import { beginSipp, expectPlayed, newCallId, playSipp, registerSipp } from './support/sipp.ts'
import { runTandem } from './support/tandem.ts'

const run = promisify(execFile)
const sipp = sippAvailable()
const tshark = findProgram(['tshark'], 'tshark')

let cluster: Cluster
let collector: Socket
const packets: Buffer[] = []
let callId = ''

const tandem = (...args: string[]) => runTandem(args, { TANDEM_POLICY_ADDRESS: `127.0.0.1:${cluster.basePort + 21}` })

beforeAll(async () => {
  if (!sipp.available) return
  collector = createSocket('udp4')
  collector.bind(0, '127.0.0.1')
  await once(collector, 'listening')
  collector.on('message', (packet) => packets.push(packet))
  const env = {
    TANDEM_EDGE_HEP_ADDRESS: `127.0.0.1:${collector.address().port}`,
    TANDEM_EDGE_HEP_LEAVE_OUT: '["OPTIONS","REGISTER"]',
  }
  cluster = await Cluster.start({ processes: 'many', env })
}, 60_000)

beforeEach((context) => {
  if (!sipp.available) context.skip(sipp.reason)
})

afterAll(async () => {
  collector?.close()
  await cluster?.stop()
})

/** alice at edge 0 calls bob at edge 1, hangs up. */
async function call(): Promise<string> {
  const [near, far] = [cluster.sipPort(0), cluster.sipPort(1)]
  await Promise.all([forget('alice', near), forget('bob', near)])
  const id = newCallId('trace')
  const bob = await beginSipp({ scenario: 'answer-by-via', pauseMs: 200, keys: { callee: 'bob' } })
  await Promise.all([registerSipp('alice', near, 5099), registerSipp('bob', far, bob.port)])
  const keys = { callee: 'bob' }
  expectPlayed(
    await playSipp({ scenario: 'call-and-hang-up', port: near, user: 'alice', callId: id, pauseMs: 200, keys }),
  )
  expectPlayed(await bob.result)
  return id
}

it('tandem trace draws the ladder of a call, with secrets made unreadable', { timeout: 40_000 }, async () => {
  callId = await call()
  const { out, err, status } = await tandem('trace', callId)
  expect(status, err).toBe(0)
  const [heading = '', ...lines] = out.trimEnd().split('\n')
  expect(heading).toMatch(/^ +127\.0\.0\.1:\d+ +edge-0 +127\.0\.0\.1:\d+$/)
  const titles = lines.map((line) => /[<-]-+ (.+) -+[>-]/.exec(line)?.[1])
  const inOrder = ['INVITE (SDP)', 'INVITE (SDP)', '180 Ringing', '200 OK (SDP)', 'ACK', 'BYE', '200 OK to BYE']
  let at = -1
  for (const title of inOrder) {
    at = titles.indexOf(title, at + 1)
    expect(at, `${title} in\n${out}`).toBeGreaterThan(-1)
  }
  const full = await tandem('trace', callId, '--full')
  expect(full.out).toMatch(/Proxy-Authorization: Digest .*response="x{32,64}"/i)
  expect(full.out).toContain(`Call-ID: ${callId}`)
})

it('says what to do where nothing is kept of a call', async () => {
  const { status, err } = await tandem('trace', 'nobody-has-made-it')
  expect(status).toBe(1)
  expect(err).toMatch(/No edge keeps a message of the call nobody-has-made-it\..*tandem cdr --call-id/)
})

it('tandem trace --pcap writes what tshark reads', { timeout: 40_000 }, async (context) => {
  if (!tshark.available) context.skip(tshark.reason)
  else {
    const file = join(cluster.folder, 'call.pcap')
    const { err, status } = await tandem('trace', callId, '--pcap', file)
    expect(status, err).toBe(0)
    const fields = ['sip.Method', 'sip.Status-Code', 'sip.Call-ID', 'udp.checksum.status'].flatMap((name) => [
      '-e',
      name,
    ])
    const dissect = ['-d', 'udp.port==1-65535,sip', '-o', 'udp.check_checksum:TRUE']
    const { stdout } = await run(tshark.path, ['-r', file, ...dissect, '-T', 'fields', ...fields])
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((row) => row.split('\t'))
    expect(rows.map(([method, code]) => method || code)).toEqual(
      expect.arrayContaining(['INVITE', '180', '200', 'ACK', 'BYE']),
    )
    for (const [, , id, checksum] of rows) expect([id, checksum]).toEqual([callId, '1'])
  }
})

it('a HEP collector gets the call, as tshark decodes it', { timeout: 40_000 }, async (context) => {
  if (!tshark.available) return context.skip(tshark.reason)
  const isThere = () => packets.some((packet) => packet.includes('BYE sip:'))
  await waitUntil('BYE at the collector', isThere, 10_000)
  const file = join(cluster.folder, 'hep.pcap')
  writeFileSync(file, datagrams(packets, 9060))
  const fields = ['hep.src_port', 'hep.dst_port', 'hep.correlation_id', 'hep.capture_node_name', 'sip.Method']
  const names = fields.flatMap((name) => ['-e', name])
  const { stdout } = await run(tshark.path, ['-r', file, '-d', 'udp.port==9060,hep', '-T', 'fields', ...names]).catch(
    async () => run(tshark.path, ['-r', file, '-d', 'udp.port==9060,hep', '-V']),
  )
  expect(stdout).toContain(callId)
  expect(stdout).toContain('INVITE')
  expect(stdout).not.toMatch(/REGISTER sip:/)
  expect(stdout).not.toMatch(/malformed/i)
})

it('a filter has the messages of a user logged for a time, and no others', { timeout: 40_000 }, async () => {
  const logged = (): string[] =>
    cluster.process
      .output()
      .split('\n')
      .filter((line) => line.includes('"message":"'))
  expect(logged()).toEqual([])
  const set = await tandem('filter', 'add', '--user', 'alice', '--for', '1m')
  expect(set.status, set.err).toBe(0)
  expect(set.out).toMatch(/edge-0 .*alice .*log .*\d+ s/)
  expect(set.out).toMatch(/edge-1 .*alice .*log .*\d+ s/)
  const id = await call()
  await waitUntil('BYE in the log', () => logged().some((line) => line.includes('BYE sip:')), 10_000)
  expect(logged().some((line) => line.includes(id) && line.includes('INVITE sip:bob'))).toBe(true)
  expect(logged().join('\n')).not.toMatch(/response=\\"[0-9a-f]{32}/)
  expect((await tandem('filter', 'clear')).out).toMatch(/^No filter is set at edge-0, edge-1\./)
  const before = logged().length
  await call()
  expect(logged().length).toBe(before)
})

/** A capture of these as UDP from loopback to a port. */
function datagrams(all: readonly Buffer[], port: number): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(262_144, 16)
  header.writeUInt32LE(101, 20)
  const records = all.flatMap((payload) => {
    const head = Buffer.alloc(16 + 20 + 8)
    const length = 28 + payload.length
    head.writeUInt32LE(length, 8)
    head.writeUInt32LE(length, 12)
    head.set([0x45, 0, length >> 8, length & 0xff, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1], 16)
    head.writeUInt16BE(40_000, 36)
    head.writeUInt16BE(port, 38)
    head.writeUInt16BE(8 + payload.length, 40)
    return [head, payload]
  })
  return Buffer.concat([header, ...records])
}
