// SPDX-License-Identifier: MIT
// What counts as one source for limits: an IPv4 address, or the /64 of an IPv6 address, which one host may use as it likes.

const GROUPS_OF_64_BITS = 4

/** The key under which a numeric address is counted. */
export function sourceKey(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':')
    while (groups.length + rest.length < 8) groups.push('0')
    groups.push(...rest)
  }
  return groups
    .slice(0, GROUPS_OF_64_BITS)
    .map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
    .join(':')
}
