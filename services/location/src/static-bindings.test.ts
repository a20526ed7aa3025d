// SPDX-License-Identifier: MIT
//
// Contacts by configuration among registered ones, and what happens at the bound of contacts.
import { describe, expect, it } from 'vitest'
import { type StaticContact, StaticTable } from './static-bindings.ts'
import { AOR, createBench, locate, register } from './testing.ts'

const PBX = 'sip:pbx@198.51.100.9:5080'
const STATIC: ReadonlyMap<string, readonly StaticContact[]> = new Map([
  [
    AOR,
    [
      { uri: PBX, qMilli: 500, path: ['sip:p1.example;lr', 'sip:p2.example;lr'] },
      { uri: 'sip:spare@198.51.100.10', qMilli: 100, path: [] },
    ],
  ],
])

const withPbx = () => createBench({}, {}, STATIC)

describe('contacts by configuration', () => {
  it('are located beside registered ones, by q, though nobody ever registered', async () => {
    const bench = withPbx()
    expect(await locate(bench)).toEqual([PBX, 'sip:spare@198.51.100.10'])
    await register(bench, { contacts: [{ uri: 'sip:a@192.0.2.1' }, { uri: 'sip:b@192.0.2.2', qMilli: 300 }] })
    expect(await locate(bench)).toEqual(['sip:a@192.0.2.1', PBX, 'sip:b@192.0.2.2', 'sip:spare@198.51.100.10'])
    expect(await locate(bench, 'sip:bob@example.test')).toEqual([])
  })

  it('say that they are, never expire, and name their Path', async () => {
    const bench = withPbx()
    bench.advance(1e12)
    const found = await bench.service.handlers.locate({ aor: AOR }, { msLeft: 1, peer: '' })
    expect(found).toMatchObject({
      value: {
        bindings: [
          { isStatic: true, expiresS: 0xffffffff, path: ['<sip:p1.example;lr>', '<sip:p2.example;lr>'], qMilli: 500 },
          { isStatic: true, path: [] },
        ],
      },
    })
  })

  it('[RFC3261-10.3.8a] are listed in the answer to a REGISTER, with the longest interval of the domain', async () => {
    const result = await register(withPbx(), { contacts: [{ uri: 'sip:a@192.0.2.1' }], maxExpiresS: 900 })
    expect(result).toMatchObject({
      value: { bindings: [{ uri: 'sip:a@192.0.2.1', expiresS: 900 }, { uri: PBX, expiresS: 900, isStatic: true }, {}] },
    })
  })

  it('[RFC3261-10.3.6b] stay where * removes all, and where their URI is unregistered', async () => {
    const bench = withPbx()
    await register(bench, { contacts: [{ uri: 'sip:a@192.0.2.1' }] })
    expect(await register(bench, { cseq: 2, removeAll: true })).toMatchObject({ outcome: 'done' })
    await register(bench, { cseq: 3, contacts: [{ uri: PBX, expiresS: 0 }] })
    expect(await locate(bench)).toEqual([PBX, 'sip:spare@198.51.100.10'])
  })

  it('count once where they are registered as well, and take no room', async () => {
    const bench = withPbx()
    const contacts = [{ uri: `${PBX};x=1`, expiresS: 60 }, { uri: 'sip:a@h' }, { uri: 'sip:b@h' }]
    expect(await register(bench, { contacts })).toMatchObject({ outcome: 'done' })
    expect(await locate(bench)).toEqual(['sip:b@h', 'sip:a@h', `${PBX};x=1`, 'sip:spare@198.51.100.10'])
    bench.advance(61_000)
    expect(await locate(bench)).toContain(PBX)
  })
})

describe('at the bound of contacts', () => {
  const three = ['a', 'b', 'c'].map((user) => ({ uri: `sip:${user}@192.0.2.1` }))
  const full = async () => {
    const bench = createBench()
    await register(bench, { contacts: three })
    return bench
  }
  const fourth = { callId: 'call-2', contacts: [{ uri: 'sip:d@192.0.2.4' }] }

  it('the new one is refused', async () => {
    const bench = await full()
    expect(await register(bench, fourth)).toMatchObject({ refusal: { code: 'too_many_contacts', sipStatus: 403 } })
    expect(await locate(bench)).toHaveLength(3)
  })

  it('or takes the place of the one that was refreshed longest ago', async () => {
    const bench = await full()
    await register(bench, { cseq: 2, contacts: [{ uri: 'sip:a@192.0.2.1' }] })
    const result = await register(bench, { ...fourth, replaceOldest: true })
    expect(result).toMatchObject({ value: { bindings: [{ uri: 'sip:d@192.0.2.4' }, {}, {}] } })
    expect(await locate(bench)).toEqual(['sip:d@192.0.2.4', 'sip:a@192.0.2.1', 'sip:c@192.0.2.1'])
    expect(await register(bench, { ...fourth, replaceOldest: true })).toEqual(result)
  })

  it('nothing is replaced below it', async () => {
    const bench = createBench()
    await register(bench, { replaceOldest: true, contacts: three.slice(0, 2) })
    await register(bench, { ...fourth, replaceOldest: true })
    expect(await locate(bench)).toHaveLength(3)
    expect(bench.asked).toEqual(['register', 'register', 'locate'])
  })

  it.each([true, false])(
    '[RFC3261-19.1.4] a contact takes the place of its equal, of no other (replaceOldest %s)',
    async (replaceOldest) => {
      const bench = await full()
      const equal = { callId: 'call-2', contacts: [{ uri: 'sip:c@192.0.2.1;ob' }], replaceOldest }
      const result = await register(bench, equal)
      expect(result).toMatchObject({ outcome: 'done' })
      expect(await locate(bench)).toEqual(['sip:c@192.0.2.1;ob', 'sip:b@192.0.2.1', 'sip:a@192.0.2.1'])
      expect(await register(bench, equal)).toEqual(result)
    },
  )

  it('one request of too many replaces nothing', async () => {
    const bench = createBench({ maxContacts: 2 })
    await register(bench, { contacts: three.slice(0, 1) })
    const result = await register(bench, {
      callId: 'call-2',
      contacts: [...three, ...fourth.contacts],
      replaceOldest: true,
    })
    expect(result).toMatchObject({ refusal: { code: 'too_many_contacts' } })
    expect(await locate(bench)).toEqual(['sip:a@192.0.2.1'])
  })

  it('a store that goes away between the two tries leaves everything as it was', async () => {
    const bench = await full()
    const before = await locate(bench)
    const asked = bench.asked.length
    const away = { state: 'notStored', reason: 'away', detail: 'gone' } as const
    Object.defineProperty(bench, 'fault', { get: () => (bench.asked.length === asked + 2 ? away : undefined) })
    const equal = { callId: 'call-2', contacts: [{ uri: 'sip:c@192.0.2.1;ob' }] }
    expect(await register(bench, equal)).toMatchObject({ refusal: { sipStatus: 503 } })
    expect(bench.asked.slice(asked)).toEqual(['register', 'register'])
    expect(await locate(bench)).toEqual(before)
  })
})

describe('the registration of an instance', () => {
  const flow = (regId: number, callId: string, cseq: number) => ({
    callId,
    cseq,
    contacts: [{ uri: `sip:a@192.0.2.1:${regId}`, instanceId: 'urn:uuid:1', regId }],
  })
  const hashes = async (bench: ReturnType<typeof createBench>) => {
    const found = await bench.service.handlers.locate({ aor: AOR }, { msLeft: 1, peer: '' })
    return found.outcome === 'done' ? found.value.bindings.map(({ registrationHash }) => registrationHash) : []
  }

  it('[RFC5627-5.1g] is one for all its flows, and another one after another Call-ID', async () => {
    const bench = createBench()
    await register(bench, flow(1, 'x', 1))
    const [first] = await hashes(bench)
    await register(bench, flow(2, 'y', 9))
    await register(bench, flow(1, 'x', 2))
    expect(await hashes(bench)).toEqual([first, first])
    await register(bench, flow(2, 'z', 1))
    const [second, ...others] = await hashes(bench)
    expect(others).toEqual([second])
    expect(second).not.toBe(first)
  })

  it('[RFC5627-5.3a] ends with its last binding', async () => {
    const bench = createBench()
    await register(bench, flow(1, 'x', 1))
    const [first] = await hashes(bench)
    bench.advance(3_601_000)
    await register(bench, flow(1, 'x', 2))
    expect((await hashes(bench))[0]).not.toBe(first)
  })
})

it('contacts that are replaced name the addresses that changed, and no others', () => {
  const contact = (uri: string) => [{ uri, qMilli: 1_000, path: [] }]
  const table = new StaticTable(
    new Map([
      ['sip:a@example.test', contact('sip:192.0.2.1')],
      ['sip:b@example.test', contact('sip:192.0.2.2')],
    ]),
  )
  const next = new Map([
    ['sip:a@example.test', contact('sip:192.0.2.1')],
    ['sip:c@example.test', contact('sip:192.0.2.3')],
  ])
  expect(table.replace(next).sort()).toEqual(['sip:b@example.test', 'sip:c@example.test'])
  expect(table.get('sip:c@example.test')).toEqual(contact('sip:192.0.2.3'))
})
