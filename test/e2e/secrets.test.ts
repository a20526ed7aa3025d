// SPDX-License-Identifier: MIT
// A call with credentials, tokens and keys of media through a cluster in which everything that shows messages is on: debug lines of all messages, the HEP
// mirror, `tandem trace` in its forms, the audit log, records, metrics. None of them has a secret in it, and all have the call. And the lines that a call and a
// refusal leave, as `tandem logs` picks them.
// Not tested here: what is made unreadable message by message (services/edge/src/capture), traces of OpenTelemetry (test/traces).
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { type Message, type Phone, token, withPhone } from './support/phone.ts'
import { runTandem } from './support/tandem.ts'

const TOKEN = `eyJhbGciOiJFUzI1NiJ9.${token()}.${token()}`
const SDES = `d0RmdmcmVCspeEc3QGZiNWpV${token()}`
const ICE = `asd88fgpdd777uzjYhag${token()}`
const URI_PASSWORD = `hush-${token()}`
const WRONG = `wrong-${token()}`
const BODY = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 4000 RTP/SAVP 0',
  `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${SDES}|2^20|1:32`,
  `a=ice-pwd:${ICE}`,
  '',
].join('\r\n')

let cluster: Cluster
let collector: Socket
const packets: Buffer[] = []
/** Digest responses that phones have sent. */
const responses = new Set<string>()

const tandem = (args: readonly string[], input = '') =>
  runTandem(args, { TANDEM_POLICY_ADDRESS: `127.0.0.1:${cluster.basePort + 21}` }, input)

beforeAll(async () => {
  collector = createSocket('udp4')
  collector.bind(0, '127.0.0.1')
  await once(collector, 'listening')
  collector.on('message', (packet) => packets.push(packet))
  const env = {
    TANDEM_LOGGING_LEVEL: 'trace',
    TANDEM_EDGE_HEP_ADDRESS: `127.0.0.1:${collector.address().port}`,
    TANDEM_EDGE_HEP_LEAVE_OUT: '[]',
  }
  cluster = await Cluster.start({ env })
}, 60_000)
afterAll(async () => {
  collector?.close()
  await cluster?.stop()
})

/** Notes what it sends that nobody may see. */
function watched(phone: Phone): Phone {
  const send = phone.send.bind(phone)
  phone.send = (text, port) => {
    for (const [, response] of text.matchAll(/response="([0-9a-f]+)"/g)) responses.add(response as string)
    send(text, port)
  }
  return phone
}

const isA =
  (method: string) =>
  (message: Message): boolean =>
    message.method === method

async function call(alice: Phone, bob: Phone, callId: string): Promise<void> {
  const uri = 'sip:bob@example.test'
  const headers = [
    `Contact: <sip:alice:${URI_PASSWORD}@127.0.0.1:${alice.localPort}>`,
    `Identity: ${TOKEN};info=<https://example.test/c.pem>;alg=ES256`,
    `Authorization: Bearer ${TOKEN}`,
    'Content-Type: application/sdp',
  ]
  const asked = alice.ask('INVITE', { uri, to: `<${uri}>`, callId, headers, body: BODY })
  bob.reply(await bob.next('the INVITE', isA('INVITE')), '200 OK', [`Contact: ${bob.contact}`])
  const answer = await asked
  expect(answer.status, answer.text).toBe(200)
  const routes = answer.all('Record-Route').flatMap((value) => value.split(/,\s*/))
  const target = /<([^>]+)>/.exec(answer.header('Contact'))?.[1] ?? ''
  const dialog = { uri: target, to: answer.header('To'), callId, headers: routes.reverse().map((r) => `Route: ${r}`) }
  alice.send(alice.request('ACK', { ...dialog, cseq: 2 }))
  await bob.next('the ACK', isA('ACK'))
  alice.send(alice.request('BYE', { ...dialog, cseq: 3 }))
  bob.reply(await bob.next('the BYE', isA('BYE')), '200 OK')
  expect((await alice.final('the answer to BYE', callId, '3 BYE')).status).toBe(200)
}

/** alice at edge 0 calls bob at edge 1; somebody guesses her password, and sends what is refused. */
async function everything(callId: string, refusedId: string): Promise<void> {
  const [near, far] = [cluster.sipPort(0), cluster.sipPort(1)]
  await withPhone({ user: 'alice', port: near, password: WRONG }, async (phone) => {
    expect((await watched(phone).register()).status).toBeGreaterThanOrEqual(400)
  })
  await withPhone({ user: 'alice', port: near }, (alice) =>
    withPhone({ user: 'bob', port: far, algorithm: 'SHA-256' }, async (bob) => {
      for (const phone of [alice, bob]) expect((await watched(phone).register()).status).toBe(200)
      await call(alice, bob, callId)
      const parts = { uri: 'sip:bob@example.test', callId: refusedId, headers: [`Authorization: Bearer ${TOKEN}`] }
      alice.send(alice.request('INVITE', parts).replace('Max-Forwards: 70', 'Max-Forwards: 0'))
      expect((await alice.final('483', refusedId, '1 INVITE')).status).toBe(483)
    }),
  )
}

it('no output has a secret, and all have the call; a call and a refusal leave a line each', {
  timeout: 60_000,
}, async () => {
  const [callId, refusedId] = [token(), token()]
  for (const wish of [
    ['--user', 'alice'],
    ['--source', '127.0.0.0/8'],
    ['--call-id', callId],
  ]) {
    const { status, err } = await tandem(['filter', 'add', ...wish, '--to', 'log', 'hep'])
    expect(status, err).toBe(0)
  }
  await everything(callId, refusedId)
  await cluster.record(callId, 15_000)
  const log = () => cluster.process.output()
  const hasEnded = () =>
    log()
      .split('\n')
      .some((line) => line.includes('"call_end"') && line.includes(callId))
  await waitUntil('the line of the call', hasEnded, 15_000)
  await waitUntil('the BYE at the collector', () => packets.some((packet) => packet.includes('BYE sip:')), 15_000)

  const pcap = join(cluster.folder, 'call.pcap')
  const outputs: Record<string, string> = {
    log: log(),
    hep: Buffer.concat(packets).toString('latin1'),
    ladder: (await tandem(['trace', callId])).out,
    full: (await tandem(['trace', callId, '--full'])).out,
    json: (await tandem(['trace', callId, '-o', 'json'])).out,
    pcap: (await tandem(['trace', callId, '--pcap', pcap])) && readFileSync(pcap, 'latin1'),
    audit: await fetch(`http://127.0.0.1:${cluster.basePort + 25}/v1/trace/${callId}`).then((reply) => reply.text()),
    records: JSON.stringify(cluster.records()),
    metrics: await fetch(`http://127.0.0.1:${cluster.httpPort}/metrics`).then((reply) => reply.text()),
  }
  for (const name of ['log', 'hep', 'full', 'json', 'pcap', 'audit', 'records'])
    expect(outputs[name], name).toContain(callId)
  expect(readFileSync(join(cluster.folder, 'audit.ndjson'), 'utf8')).toMatch(/trace/i)
  expect(responses.size).toBe(4) // three REGISTERs, the INVITE
  const secrets = [...responses, TOKEN, SDES, ICE, URI_PASSWORD, WRONG, 'alice-secret', 'bob-secret']
  for (const [name, text] of Object.entries(outputs)) {
    const plain = `${text}\n${decoded(text)}`
    for (const secret of secrets) expect(plain.includes(secret), `${secret} in ${name}`).toBe(false)
  }

  const picked = await tandem(['logs', '--call', callId, '--event', 'call_end', '-o', 'json'], log())
  expect(picked.err).toBe('')
  expect(
    picked.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toMatchObject([
    {
      call_id: callId,
      outcome: 'answered',
      ended_by: 'caller',
      final_status: 200,
      edges: [expect.stringMatching(/^edge-0\./)],
    },
  ])
  expect(picked.out).not.toMatch(/sip:alice@|sip:bob@/)
  const refused = await tandem(['logs', '--call', refusedId, '--event', 'refused'], log())
  expect(refused.out).toMatch(
    /info {2,}edge-0 {2}request refused .*method=INVITE .*final_status=483 {2}reason=max_forwards/,
  )
})

/** What stands in base64 in JSON. */
function decoded(text: string): string {
  const parts = text.match(/"[A-Za-z0-9+/]{40,}={0,2}"/g) ?? []
  return parts.map((part) => Buffer.from(part.slice(1, -1), 'base64').toString('latin1')).join('\n')
}
