// SPDX-License-Identifier: MIT
//
// A trunk that registers at a carrier, seen from the carrier: REGISTER with credentials, a call to the Contact, OPTIONS, and a carrier that is gone. The whole
// cluster in memory; the carrier is a phone that answers as a registrar does, with its own arithmetic.
import { createHash } from 'node:crypto'
import { headerValues } from '@tandem/test-kit'
import { afterEach, expect, test } from 'vitest'
import { ACCOUNTED_DOMAIN, createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'

const EDGE = { address: '192.0.2.1', port: 5060 }
const CARRIER = { address: '192.0.2.9', port: 5060 }
const PLACE = `${CARRIER.address}:${CARRIER.port}`

const trunk = {
  apiVersion: 'tandem/v1',
  kind: 'Trunk',
  metadata: { name: 'carrier' },
  spec: {
    hosts: [{ host: CARRIER.address, port: CARRIER.port }],
    credentials: { username: 'acme', password: 'trunk-secret' },
    registration: { registrar: `sip:${PLACE}`, user: '4930', domain: 'carrier.test', expiresMs: 600_000 },
    probe: { intervalMs: 30_000, timeoutMs: 2_000, failures: 1 },
  },
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex')
const param = (value: string, name: string) => new RegExp(`\\b${name}="?([^",]*)`).exec(value)?.[1] ?? ''

function isRight(authorization: string): boolean {
  const [nonce, nc, cnonce] = ['nonce', 'nc', 'cnonce'].map((name) => param(authorization, name))
  const a2 = md5(`REGISTER:sip:${PLACE}`)
  return (
    param(authorization, 'response') ===
    md5(`${md5('acme:carrier.test:trunk-secret')}:${nonce}:${nc}:${cnonce}:auth:${a2}`)
  )
}

/** Answers REGISTER and OPTIONS. */
function carrierAt(cluster: MemoryCluster): MemoryPhone {
  const carrier = new MemoryPhone(cluster.network, 'carrier', CARRIER.address, CARRIER.port, EDGE)
  carrier.onRequest = (text) => {
    const method = text.split(' ', 1)[0]
    if (method === 'OPTIONS') return carrier.answer(text, 200)
    if (method !== 'REGISTER') return undefined
    const [authorization] = headerValues(text, 'authorization')
    const challenge = 'WWW-Authenticate: Digest realm="carrier.test", nonce="n1", qop="auth", algorithm=MD5'
    if (authorization === undefined || !isRight(authorization))
      return carrier.answer(text, 401, { headers: [challenge] })
    const [contact = ''] = headerValues(text, 'contact')
    return carrier.answer(text, 200, { contact: `${contact};expires=600` })
  }
  return carrier
}

/** Until the cluster has done what is due and heard what came of it. */
async function work(cluster: MemoryCluster): Promise<void> {
  await cluster.policy.trunks.work()
  for (let i = 0; i < 5; i++) await cluster.settle()
}

async function statusOf(cluster: MemoryCluster) {
  const listed = await cluster.policy.handlers.listTrunks?.({ trunk: 'carrier' }, { msLeft: 1_000, peer: 'test' })
  return listed?.outcome === 'done' ? listed.value.trunks[0] : undefined
}

let cluster: MemoryCluster | undefined
afterEach(() => cluster?.close())

test('[RFC3261-10.2] a trunk registers, is called at its contact, and is asked whether it lives', async () => {
  cluster = await createMemoryCluster({ resources: [...ACCOUNTED_DOMAIN, trunk] })
  const carrier = carrierAt(cluster)
  const bob = new MemoryPhone(cluster.network, 'bob', '192.0.2.20', 5060, EDGE)
  bob.register('tandem.test')
  await cluster.settle()
  await work(cluster)
  await expect.poll(async () => (await statusOf(cluster as MemoryCluster))?.registration?.state).toBe('registered')
  const registers = carrier.inbox.filter((text) => text.startsWith('REGISTER '))
  expect(registers.map((text) => headerValues(text, 'cseq')[0])).toEqual(['1 REGISTER', '2 REGISTER'])
  expect(new Set(registers.map((text) => headerValues(text, 'call-id')[0])).size).toBe(1)
  expect(await statusOf(cluster)).toMatchObject({ hosts: [{ breaker: 'closed', probe: { good: true, status: 200 } }] })

  const contact = /<(sip:[^>]+)>/.exec(headerValues(registers[1] ?? '', 'contact')[0] ?? '')?.[1] ?? ''
  expect(contact).toMatch(/^sip:[0-9a-f]{24}@192\.0\.2\.1:5060$/)
  const call = {
    uri: contact,
    to: '<sip:bob@carrier.test>',
    from: '<sip:+491701@carrier.test>;tag=c',
    contact: carrier.contact,
  }
  carrier.send(carrier.request('INVITE', call))
  await cluster.settle()
  expect(bob.last()).toMatch(/^INVITE sip:bob@192\.0\.2\.20/)
  expect(cluster.problems).toEqual([])
})

test('a carrier that is gone is left alone, and is used again when it answers', async () => {
  cluster = await createMemoryCluster({ resources: [...ACCOUNTED_DOMAIN, trunk] })
  const carrier = carrierAt(cluster)
  await work(cluster)
  await expect.poll(async () => (await statusOf(cluster as MemoryCluster))?.hosts[0]?.probe?.status).toBe(200)
  const { onRequest } = carrier
  carrier.onRequest = (text) => carrier.answer(text, 503)
  await cluster.advance(34_000, 500)
  await work(cluster)
  await expect.poll(async () => (await statusOf(cluster as MemoryCluster))?.hosts[0]?.breaker).toBe('open')
  expect(cluster.policy.trunks.board.facts('carrier')).toMatchObject({ open: true })
  carrier.onRequest = onRequest
  await cluster.advance(31_000, 500)
  await work(cluster)
  await expect.poll(async () => (await statusOf(cluster as MemoryCluster))?.hosts[0]?.breaker).toBe('closed')
  expect(cluster.problems).toEqual([])
})
