// SPDX-License-Identifier: MIT
// The project's own torture messages (RFC 4475, RFC 5118) through scan() and through a whole edge in memory: verdict and fate of each
// against its row, what is forwarded is what came but for the edits of RFC 3261 §16.6, and the next good message works.
// Not tested here: what user agents then make of them; the byte-exact originals (corpora.test.ts).
import { Edits, headerLineStart, SCAN_ERRORS, SipMessage, scan } from '@tandem/sip'
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { createMemoryCluster, type MemoryCluster, OPEN_DOMAIN } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'
import { forwardingDifference } from './forwarding-difference.ts'
import { type Row, TORTURE } from './torture-expectations.ts'
import { readTortureMessages, type TortureMessage } from './torture-messages.ts'

const messages = readTortureMessages()

const LOCKED_DOMAIN = [
  {
    apiVersion: 'tandem/v1',
    kind: 'Domain',
    metadata: { name: 'locked.test' },
    spec: { authentication: 'required' },
  },
  {
    apiVersion: 'tandem/v1',
    kind: 'Subscriber',
    metadata: { name: 'carol', domain: 'locked.test' },
    spec: { credentials: { password: 'carol-secret' } },
  },
]

function scanned(message: TortureMessage): SipMessage {
  const msg = new SipMessage()
  scan(msg, message.bytes, 0, message.bytes.length)
  return msg
}

function rowOf({ name }: TortureMessage): Row {
  const row = TORTURE[name]
  if (row === undefined) throw new Error(`${name}.sip has no row`)
  return row
}

describe('torture messages', () => {
  it('each have a row, and each row a message; those of both RFCs are all there', () => {
    expect(Object.keys(TORTURE).sort()).toEqual(messages.map(({ name }) => name).sort())
    expect(messages.filter(({ remark }) => remark.startsWith('RFC 4475'))).toHaveLength(49)
    expect(messages.filter(({ remark }) => remark.startsWith('RFC 5118'))).toHaveLength(12)
  })

  it.each(messages)('$name: verdict of scan', (message) => {
    expect(SCAN_ERRORS[scanned(message).error]?.name).toBe(rowOf(message).parse)
  })

  it.each(messages.filter((message) => rowOf(message).parse === 'none'))(
    '$name: bytes stay through an edit',
    (message) => {
      const msg = scanned(message)
      const out = Buffer.alloc(70_000)
      const at = headerLineStart(msg, msg.viaIndex)
      const edits = new Edits()
      edits.reset(msg)
      edits.insert(at, 'Via: mine\r\n')
      const text = out.toString('latin1', 0, edits.encodeInto(out, 0))
      expect(text).toBe(`${msg.text(msg.start, at)}Via: mine\r\n${msg.text(at, msg.end)}`)
    },
  )
})

describe('torture messages through an edge', () => {
  let cluster: MemoryCluster
  afterEach(() => cluster.close())

  async function open(isIpv6: boolean): Promise<{ alice: MemoryPhone; bob: MemoryPhone; edge: string }> {
    const prefix = isIpv6 ? '2001:db8:5060::' : '192.0.2.'
    const address = `${prefix}1`
    cluster = await createMemoryCluster({ address, resources: [...OPEN_DOMAIN, ...LOCKED_DOMAIN] })
    const server = { address, port: 5060 }
    const alice = new MemoryPhone(cluster.network, 'alice', `${prefix}20`, 5060, server)
    const bob = new MemoryPhone(cluster.network, 'bob', `${prefix}30`, 5060, server)
    bob.register('tandem.test')
    await cluster.settle()
    cluster.network.clear()
    return { alice, bob, edge: cluster.edge.place }
  }

  /** What the edge has sent since the network was cleared, provisional responses left out. */
  function sentBy(edge: string): { text: string; to: string }[] {
    return cluster.network.trace.filter(({ from, text }) => from === edge && !/^SIP\/2\.0 1/.test(text))
  }

  it.each(messages)('$name: $remark', async (message) => {
    const row = rowOf(message)
    const { alice, bob, edge } = await open(row.ipv6 === true)
    alice.endpoint.send(message.bytes, 0, message.bytes.length, 5060, cluster.edge.endpoint.address)
    await cluster.settle()
    const sent = sentBy(edge)
    if (typeof row.fate === 'number') {
      expect(sent.map(({ text }) => startLine(text).split(' ')[1])).toEqual([String(row.fate)])
      expect(headerValues(sent[0]?.text ?? '', 'to')[0] ?? ';tag=').toMatch(/;\s*tag=/)
      for (const line of row.answerHas ?? []) expect(sent[0]?.text).toContain(line)
    } else if (row.fate === 'forwarded') {
      expect(sent.map(({ to }) => to)).toEqual([bob.place])
      const difference = forwardingDifference(message.bytes.toString('latin1'), sent[0]?.text ?? '', edge)
      expect(difference).toMatchObject({ addedVias: 1, unexplained: [] })
      expect(difference.addedRecordRoutes).toBe(sent[0]?.text.startsWith('INVITE ') ? 1 : 0)
    } else {
      expect(sent).toEqual([])
      expect(cluster.edge.core.counts[row.fate]).toBe(1)
    }
    expect(cluster.problems).toEqual([])
    await expectNextWorks(alice, bob)
  })

  async function expectNextWorks(alice: MemoryPhone, bob: MemoryPhone): Promise<void> {
    bob.inbox.length = 0
    alice.send(alice.request('MESSAGE', { uri: 'sip:bob@tandem.test', callId: 'next@192.0.2.20' }))
    await cluster.settle()
    expect(headerValues(bob.last(), 'call-id')).toEqual(['next@192.0.2.20'])
  }
})
