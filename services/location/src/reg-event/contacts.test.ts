// SPDX-License-Identifier: MIT
// Contacts, and the numbers of a NOTIFY, in cases that a whole service does not come to. Everything else is in reg-event.test.ts.
import { expect, it } from 'vitest'
import { forgetGone, reconcile } from './contacts.ts'
import { allocate } from './notification.ts'
import { createState, MAX_GONE, type Subscription, type WatchState } from './state.ts'

const AOR = 'sip:alice@example.test'
const CONTACT = 'sip:alice@192.0.2.5'

it('[RFC3680-4.7.1] whose end came nearer without a REGISTER are shortened, with what is left', () => {
  const state = createState()
  const fields = {
    uri: CONTACT,
    uriKey: 'k',
    expiresS: 0,
    qMilli: 1000,
    callId: 'c',
    cseq: 1,
    instanceId: '',
    regId: 0,
  }
  const binding = {
    ...fields,
    flow: undefined,
    path: [],
    params: '',
    userAgent: '',
    registrationHash: 0,
    untilMs: 600_000,
  }
  const watch = { nowMs: 1_000, bindings: [binding], removed: [], revision: 1, state: '' }
  reconcile(state, watch)
  reconcile(state, { ...watch, nowMs: 2_000, bindings: [{ ...binding, untilMs: 60_000 }] })
  expect(state.contacts).toMatchObject([{ event: 'shortened', untilMs: 60_000, change: 2 }])
})

it('that are gone and that nobody takes word of are bounded; their watcher gets full state', () => {
  const state = createState()
  const subscription = { seen: 0, isFullDue: false } as Subscription
  state.subscriptions.push(subscription)
  for (let k = 1; k <= MAX_GONE + 5; k++)
    state.contacts.push({ id: `c${k}`, isActive: false, change: k } as WatchState['contacts'][number])
  state.change = MAX_GONE + 5
  forgetGone(state)
  expect(state.contacts.map(({ change }) => change)).toEqual(Array.from({ length: MAX_GONE }, (_, k) => k + 6))
  expect(subscription.isFullDue).toBe(true)
  subscription.seen = state.change
  forgetGone(state)
  expect(state.contacts).toEqual([])
})

it('[RFC3680-5.1d] CSeq and version stay within 31 bits', () => {
  const state = createState()
  const subscription = { version: 0x7fffffff, cseq: 0x7fffffff, routes: [], ending: '' } as unknown as Subscription
  expect(allocate(AOR, state, subscription, 0, '')).toMatchObject({ version: 0x7fffffff, cseq: 0x7fffffff })
})
