// SPDX-License-Identifier: MIT
// The count of registered addresses-of-record, over the embedded store.
import { createMemoryStore, type LocationStore } from '@tandem/store'
import { expect, it } from 'vitest'
import { RegisteredCount } from './registered-count.ts'

const WAY = { flow: undefined, path: [], params: '', instanceId: '', regId: 0, qMilli: 1_000 }

function register(store: LocationStore, user: string, expiresS: number) {
  return store.register({
    aor: `sip:${user}@example.test`,
    callId: user,
    cseq: 10 - (expiresS > 0 ? 5 : 0),
    userAgent: '',
    removeAll: false,
    alsoRemove: [],
    differ: [],
    maxContacts: 5,
    replaceOldest: false,
    registrationHash: 0,
    contacts: [{ ...WAY, uriKey: `sip:${user}@192.0.2.1`, uri: `sip:${user}@192.0.2.1`, expiresS }],
  })
}

it('counts those with a binding, and keeps its number while the store says nothing', async () => {
  const store = createMemoryStore({ now: () => 1_000 }).location
  const away: LocationStore = {
    ...store,
    countAors: () => ({ state: 'notStored', code: 'away', detail: 'away' }) as never,
  }
  const registered = new RegisteredCount(store)
  for (const user of ['a', 'b', 'c']) await register(store, user, 600)
  await registered.round()
  expect(registered.count).toBe(3)
  await register(store, 'b', 0)
  await registered.round()
  expect(registered.count).toBe(2)
  const unlucky = new RegisteredCount(away)
  await unlucky.round()
  expect(unlucky.count).toBe(0)
})
