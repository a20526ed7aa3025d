// SPDX-License-Identifier: MIT
// Whatever way an address is written, it is one address-of-record: registered in one form, called in every other, over two edges on
// Redis. Names with escapes, hosts in any case, aliases and wildcards; telephone numbers in E.164, with separators, as people dial
// them, in tel URIs; users that are at a place by configuration. And as the commands of administrators know it.
import { type RunningRedis, redisAvailable, startRedis } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import { startOpenCluster } from './support/open-cluster.ts'
import { Phone, token } from './support/phone.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests of addresses are skipped: ${server.reason}`)

const DOMAINS = {
  'example.test': {
    aliases: ['alias.test', '*.example.test'],
    numberPlan: { country: '+49' },
    phoneContexts: ['+49-30'],
  },
  'other.test': {},
}
const apiVersion = 'tandem/v1'
const user = (name: string, spec: object, domain = 'example.test') => ({
  apiVersion,
  kind: 'Subscriber',
  metadata: { name, domain },
  spec,
})

describe.skipIf(!server.available)('one address-of-record in every form', () => {
  let cluster: Cluster
  let redis: RunningRedis
  const cleanups: (() => unknown)[] = []
  beforeAll(async () => {
    redis = await startRedis()
    cleanups.push(() => redis.stop())
    const placed = await open('placed', 0)
    const documents = [
      user('alice', { usernames: ['+49-30-1234', 'alice', '1234'] }),
      user('bob', {}),
      user('bob', {}, 'other.test'),
      user('placed', { contacts: [{ uri: `sip:placed@127.0.0.1:${placed.localPort}` }] }),
    ]
    cluster = await startOpenCluster(DOMAINS, { documents, store: redis.url })
    cleanups.push(() => cluster.stop())
    phones.set('placed', placed)
  })
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })
  const phones = new Map<string, Phone>()

  async function open(name: string, edge: number): Promise<Phone> {
    const port = cluster === undefined ? 1 : cluster.sipPort(edge)
    const phone = await Phone.open({ user: name, port })
    cleanups.push(() => phone.close())
    return phone
  }

  async function register(phone: Phone, to: string): Promise<string> {
    const address = `<${to}>`
    const headers = [`Contact: ${phone.contact};expires=600`]
    const reply = await phone.ask('REGISTER', { to: address, from: address, headers })
    expect(reply.status).toBe(200)
    return reply.header('Contact')
  }

  /** Through the other edge; the callee is busy. */
  async function reaches(callee: Phone, uri: string): Promise<void> {
    const caller = await open('user1', 1)
    const from = '<sip:user1@example.test>'
    const callId = token()
    const asked = caller.ask('INVITE', { uri, to: `<${uri}>`, from, callId, headers: [`Contact: ${caller.contact}`] })
    const fits = (message: { method: string; header(name: string): string }): boolean =>
      message.method === 'INVITE' && message.header('Call-ID') === callId
    const invite = await Promise.race([
      callee.next(`the INVITE to ${uri}`, fits),
      asked.then(({ startLine }) => startLine),
    ])
    if (typeof invite === 'string') throw new Error(`${uri}: ${invite}`)
    callee.reply(invite, '486 Busy Here')
    const reply = await asked
    expect(reply.status).toBe(486)
    caller.acknowledge(reply, uri)
  }

  const NUMBERS = [
    ['[RFC3261-10.3.5] E.164', 'sip:+49301234@example.test'],
    ['[RFC3261-10.3.5] user=phone and other parameters', 'sip:+49301234@example.test;user=phone;transport=udp'],
    ['[RFC3966-4a] visual separators', 'sip:+49-(30)-12.34@example.test;user=phone'],
    ['[RFC3261-10.3.5] escapes', 'sip:%2B%349301234@example.test'],
    ['[RFC3261-10.3.5] case of the host', 'sip:+49301234@EXAMPLE.Test'],
    ['an alias of the domain', 'sip:+49301234@alias.test'],
    ['a name below a wildcard', 'sip:+49301234@sbc-7.example.test'],
    ['a national number', 'sip:0301234@example.test;user=phone'],
    ['an international number as it is dialled', 'sip:0049301234@example.test'],
    ['an extension', 'sip:1234@example.test'],
    ['[RFC3261-19.1.4] another name, a letter of it escaped', 'sip:al%69ce@example.test'],
  ] as const

  describe('a telephone number', () => {
    let phone: Phone
    beforeAll(async () => {
      phone = await open('alice', 0)
      await register(phone, 'sip:+49(30)1234@alias.test;user=phone')
    })

    it.for(NUMBERS)('REGISTER, %s: the one binding', async ([, to]) => {
      expect(await register(phone, to)).toContain(`127.0.0.1:${phone.localPort}`)
      const all = await phone.ask('REGISTER', { to: '<sip:alice@example.test>', from: '<sip:alice@example.test>' })
      expect(all.all('Contact').join(',').match(/sip:/g)).toHaveLength(1)
    })

    it.for([
      ...NUMBERS,
      ['[RFC3966-3a] a tel URI', 'tel:+49-30-1234'],
      ['[RFC3966-5.1.5] a tel URI with a context', 'tel:1234;phone-context=+49-30'],
      ['a tel URI as it is dialled', 'tel:030-1234;phone-context=example.test'],
    ] as const)('INVITE, %s: reaches it', async ([, uri]) => {
      await reaches(phone, uri)
    })
  })

  it('users of the same name in several domains are several', async () => {
    const [one, other] = [await open('bob', 0), await open('bob', 0)]
    await register(one, 'sip:bob@example.test')
    await register(other, 'sip:bob@other.test')
    await reaches(one, 'sip:bob@alias.test')
    await reaches(other, 'sip:bob@OTHER.test')
  })

  it('a user that is at a place by configuration is reached there, and at what he registers too', async () => {
    const placed = phones.get('placed') as Phone
    await reaches(placed, 'sip:placed@alias.test')
  })
})
