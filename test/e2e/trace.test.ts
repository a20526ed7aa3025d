// SPDX-License-Identifier: MIT
// A call over two edges as people look at it afterwards, every service a process of its own: the ladder that `tandem trace` draws, the file that
// tshark reads, what sngrep hears as a HEP collector, and a message in the log of an edge because a filter asked for it.
// Not tested here: what is read and made unreadable (services/edge/src/capture), the drawing (cli/src/trace), secrets over all outputs.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram, freePort, type ManagedProcess, sippAvailable, startProcess, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { forget } from './support/phone.ts'
import { beginSipp, expectPlayed, newCallId, playSipp, registerSipp } from './support/sipp.ts'
import { runTandem } from './support/tandem.ts'

const run = promisify(execFile)
const sipp = sippAvailable()
const tshark = findProgram(['tshark'], 'tshark')
const sngrep = findProgram(['sngrep'], 'sngrep')

let cluster: Cluster
/** Writes what it hears into a file when it ends. */
let collector: ManagedProcess | undefined
let folder = ''
let callId = ''

const tandem = (...args: string[]) => runTandem(args, { TANDEM_POLICY_ADDRESS: `127.0.0.1:${cluster.basePort + 21}` })

beforeAll(async () => {
  if (!sipp.available) return
  folder = mkdtempSync(join(tmpdir(), 'tandem-trace-'))
  const place = `127.0.0.1:${await freePort('127.0.0.1')}`
  const args = ['-F', '-N', '-q', '-L', `udp:${place}`, '-O', join(folder, 'heard.pcap')]
  if (sngrep.available)
    collector = await startProcess({ command: sngrep.path, args, cwd: folder, env: { TERM: 'dumb' } })
  const env = { TANDEM_EDGE_HEP_ADDRESS: place, TANDEM_EDGE_HEP_LEAVE_OUT: '["OPTIONS","REGISTER"]' }
  cluster = await Cluster.start({ processes: 'many', env })
}, 60_000)

beforeEach((context) => {
  if (!sipp.available) context.skip(sipp.reason)
})

afterAll(async () => {
  await cluster?.stop()
  await collector?.stop(2_000)
  if (folder !== '') rmSync(folder, { recursive: true, force: true })
})

/** alice at edge 0 calls bob, whom edge 1 has a connection to, and hangs up. */
async function call(): Promise<string> {
  const [near, far] = [cluster.sipPort(0), cluster.sipPort(1)]
  await Promise.all([forget('alice', near), forget('bob', near)])
  const id = newCallId('trace')
  const bob = await beginSipp({ scenario: 'answer', transport: 'tcp', pauseMs: 200, keys: { callee: 'bob' } })
  await Promise.all([registerSipp('alice', near, 5099), registerSipp('bob', far, bob.port, 'tcp')])
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
  expect(heading).toMatch(/^ +127\.0\.0\.1:\d+ +edge-0 +.*$/)
  expect(heading).toContain('edge-1')
  const titles = lines.map((line) => /[<-]-* (\w.*?) -+[>|]/.exec(line)?.[1])
  const inOrder = [
    'INVITE',
    '407 Proxy Authentication Required',
    'INVITE',
    'INVITE',
    '180 Ringing',
    '200 OK',
    'ACK',
    'BYE',
  ]
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

it('a HEP collector hears the call: sngrep', { timeout: 40_000 }, async (context) => {
  for (const program of [sngrep, tshark]) if (!program.available) return context.skip(program.reason)
  await collector?.stop(2_000)
  const { stdout } = await run(tshark.available ? tshark.path : '', [
    ...['-r', join(folder, 'heard.pcap'), '-d', 'udp.port==1-65535,sip', '-T', 'fields'],
    ...['sip.Method', 'sip.Status-Code', 'sip.Call-ID', 'udp.srcport'].flatMap((name) => ['-e', name]),
  ])
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((row) => row.split('\t'))
    .filter(([, , id]) => id === callId)
  const heard = rows.map(([method, code]) => method || code)
  expect(heard).toEqual(expect.arrayContaining(['INVITE', '407', '180', '200', 'ACK', 'BYE']))
  expect(rows.some(([, , , port]) => port === String(cluster.sipPort(0)))).toBe(true)
  expect(stdout).not.toContain('REGISTER')
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
