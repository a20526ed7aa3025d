// SPDX-License-Identifier: MIT
//
// Contacts that are equal by §19.1.4 and have different keys: one write of the store takes the old one away and puts the new one in its place,
// and the feed says why. Not tested here: equality itself (contact-identity.test.ts), the store's half (its contract).
import { shardOf } from '@tandem/store'
import { stemOf } from '@tandem/store/internal'
import { describe, expect, it } from 'vitest'
import { contactIdentity, isSameContact } from './contact-identity.ts'
import { AOR, type Bench, createBench, locate, register } from './testing.ts'

async function told(bench: Bench): Promise<string[]> {
  const page = await bench.store.readChanges(shardOf(AOR), '0', 100)
  if (page.state !== 'stored') throw new Error(page.state)
  return page.value.changes.map(({ kind, contact, cause }) => `${kind} ${contact} ${cause}`)
}

const at = (uri: string, expiresS = 3_600) => ({ uri, expiresS })

describe('[RFC3261-19.1.4] a contact that is equal under another key', () => {
  it('[RFC3261-10.3.7] takes the place of the old one in one write', async () => {
    const bench = createBench()
    await register(bench, { contacts: [at('sip:a@192.0.2.1;ob')] })
    const before = bench.asked.length
    await register(bench, { cseq: 2, contacts: [at('sip:a@192.0.2.1')] })
    expect(bench.asked.slice(before)).toEqual(['register', 'register'])
    expect(await locate(bench)).toEqual(['sip:a@192.0.2.1'])
    expect(await told(bench)).toEqual([
      'add sip:a@192.0.2.1;ob register',
      'add sip:a@192.0.2.1 register',
      'remove sip:a@192.0.2.1;ob replace',
    ])
  })

  it('is asked once more where the store has a binding that may be equal and is not', async () => {
    const bench = createBench()
    await register(bench, { contacts: [at('sip:a@192.0.2.1;transport=tcp')] })
    await register(bench, { cseq: 2, contacts: [at('sip:a@192.0.2.1;transport=udp')] })
    expect(bench.asked).toEqual(['register', 'register', 'register'])
    expect(await locate(bench)).toHaveLength(2)
    await register(bench, { cseq: 3, contacts: [at('sip:a@192.0.2.1;transport=udp')] })
    await register(bench, { cseq: 4, contacts: [at('sip:b@192.0.2.1')] })
    expect(bench.asked.slice(4)).toEqual(['register', 'register'])
  })

  it('removes what equals it, and says that it was unregistered', async () => {
    const bench = createBench()
    await register(bench, { contacts: [at('sip:a@192.0.2.1;ob'), at('sip:a@192.0.2.1;lr;transport=tcp')] })
    const gone = await register(bench, { cseq: 2, contacts: [at('sip:a@192.0.2.1;lr', 0)] })
    expect(gone).toMatchObject({ value: { bindings: [{ uri: 'sip:a@192.0.2.1;lr;transport=tcp' }] } })
    expect((await told(bench)).at(-1)).toBe('remove sip:a@192.0.2.1;ob unregister')
    expect(await register(bench, { cseq: 2, contacts: [at('sip:a@192.0.2.1;lr', 0)] })).toEqual(gone)
  })

  it('is compared again with what came between two tries', async () => {
    const bench = createBench()
    await register(bench, { contacts: [at('sip:a@192.0.2.1;ob')] })
    const store = bench.store.register
    const between = { callId: 'other', contacts: [at('sip:a@192.0.2.1;x=1;transport=tcp')] }
    let asked = 0
    Object.defineProperty(bench, 'fault', {
      get: () => {
        if (++asked === 2) void register(bench, between)
        return undefined
      },
    })
    const made = await register(bench, { cseq: 2, contacts: [at('sip:a@192.0.2.1')] })
    expect(store).toBeDefined()
    expect(made).toMatchObject({ outcome: 'done' })
    expect((await locate(bench)).sort()).toEqual(['sip:a@192.0.2.1', 'sip:a@192.0.2.1;x=1;transport=tcp'])
  })

  it('has the same user, host and port, whatever else: what the store goes by', () => {
    const uris = [
      'sip:a@h',
      'sip:A@h',
      'sip:a@H.',
      'sip:a@h:5060',
      'sip:%61@h',
      'sips:a@h',
      'sip:a;x@h',
      'sip:h',
      'tel:+1-23',
    ]
    const tails = ['', ';ob', ';lr', ';transport=tcp', ';TRANSPORT=udp', ';user=phone', '?subject=a%40b', ';x=a%40b']
    const all = uris.flatMap((uri) => tails.map((tail) => contactIdentity(uri + tail)))
    let equal = 0
    for (const one of all)
      for (const other of all) {
        if (one === undefined || other === undefined || one.key === other.key || !isSameContact(one, other)) continue
        equal++
        expect(stemOf(one.key)).toBe(stemOf(other.key))
      }
    expect(equal).toBeGreaterThan(50)
    expect(stemOf('flow:1;<urn:uuid:1>')).toBeUndefined()
  })
})
