// SPDX-License-Identifier: MIT
// Keys of sources: what counts as one and the same.
import { expect, it } from 'vitest'
import { sourceKeyOf } from './source-key.ts'

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
  ['2001:DB8::1:0:0:1', '2001:db8:0:0::/64'],
  ['2001:db8:0:1::', '2001:db8:0:1::/64'],
  ['2001:0db8:0000:0001::9', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['', ''],
  ['host.example', ''],
  ['1:2', ''],
  ['300.1.1.1', ''],
])('%s stands for %s', (address, key) => {
  expect(sourceKeyOf(address)).toBe(key)
})
