// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest'
import { isBehindNat } from './nat.ts'

test.each([
  ['192.0.2.30', '192.0.2.30', false],
  ['10.0.0.5', '192.0.2.30', true],
  ['[::1]', '::1', false],
  ['[2001:DB8:0::5]', '2001:db8::5', false],
  ['[fd00:0::5]', 'fd00::5', false],
  ['[fd00::6]', '2001:db8::5', true],
  ['[fe80::6]', '192.0.2.30', true],
  ['[2001:db8::6]', '2001:db8::5', false],
  ['192.0.2.31', '192.0.2.30', false],
  ['127.0.0.1', '192.0.2.30', true],
  ['192.168.7.7', '192.168.7.8', true],
  ['1.2.3', '192.0.2.30', true],
  ['phone.example.test', '192.0.2.30', false],
  ['x.invalid', '192.0.2.30', true],
])('a contact at %s that registers from %s is behind a NAT: %s', (contact, source, expected) => {
  expect(isBehindNat(contact, source)).toBe(expected)
})
