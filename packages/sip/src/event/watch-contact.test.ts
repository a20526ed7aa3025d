// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest'
import { watchContactUser, watchedAorOf } from './watch-contact.ts'

test.each(['sip:alice@example.test', 'sip:%2a1@[2001:db8::1]', 'sip:z\xeb@h'])('%s comes back', (aor) => {
  const user = watchContactUser(aor)
  expect(user).toMatch(/^reg\.[\w-]+$/)
  expect(watchedAorOf(user)).toBe(aor)
})

test.each([
  ['another user', 'alice'],
  ['no address', `reg.${Buffer.from('alice').toString('base64url')}`],
  ['nothing', 'reg.'],
  ['text behind it', `${watchContactUser('sip:alice@example.test')}=`],
])('%s is none', (_what, user) => {
  expect(watchedAorOf(user)).toBeUndefined()
})
