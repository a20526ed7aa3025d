// SPDX-License-Identifier: MIT
//
// Contacts by configuration out of the store of resources.
import type { StaticBinding } from '@tandem/resources'
import { createMemoryStore, type ResourceWrite } from '@tandem/store'
import { expect, it, vi } from 'vitest'
import { ContactFollower } from './static-contacts.ts'

const KEY = 'Subscriber/example.test/pbx'
const textOf = (contacts: readonly string[]): string => {
  const metadata = { name: 'pbx', domain: 'example.test' }
  const spec = { credentials: { ha1: { md5: '[secret]' } }, contacts: contacts.map((uri) => ({ uri })) }
  return `{"m":"api","r":1}\n${JSON.stringify({ apiVersion: 'tandem/v1', kind: 'Subscriber', metadata, spec })}`
}

it('tells the contacts of each revision, and that they are gone', async () => {
  const store = createMemoryStore({ now: Date.now }).resources
  const write = async (stage: string, writes: readonly ResourceWrite[]): Promise<void> => {
    const expected = await store.head()
    if (expected.state !== 'stored') throw new Error(expected.state)
    await store.stage(stage, 0, writes)
    await store.commit({ stage, chunks: 1, writes: 1, expected: expected.value, hash: stage, note: '{}' })
  }
  let told: ReadonlyMap<string, readonly StaticBinding[]> | undefined
  const follower = new ContactFollower(store, { warn: () => undefined }, (contacts) => {
    told = contacts
  })
  follower.start()
  try {
    await write('revision1', [[KEY, textOf(['sip:pbx@192.0.2.7'])]])
    const uris = () => told?.get('sip:pbx@example.test')?.map(({ uri }) => uri)
    await vi.waitFor(() => expect(uris()).toEqual(['sip:pbx@192.0.2.7']), { timeout: 10_000 })
    await write('revision2', [[KEY, '']])
    await vi.waitFor(() => expect(told?.size).toBe(0), { timeout: 10_000 })
  } finally {
    follower.stop()
  }
})
