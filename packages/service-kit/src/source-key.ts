// SPDX-License-Identifier: MIT
//
// Whom an address stands for when something is held against it: an IPv4 address for itself, an IPv6 address for its /64, for who has one has
// them all. IPv4 in IPv6 is IPv4; a zone is left out.
import { isIP } from 'node:net'

const GROUPS = 8
const PREFIX_GROUPS = 4
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** `192.0.2.1`, `2001:db8:0:1::/64`; '' for what is no address. */
export function sourceKeyOf(address: string): string {
  if (!address.includes(':')) return isIP(address) === 4 ? address : ''
  const bare = address.split('%', 1)[0] as string
  const mapped = MAPPED.exec(bare)?.[1]
  if (mapped !== undefined) return isIP(mapped) === 4 ? mapped : ''
  return isIP(bare) === 6 ? `${prefixOf(bare)}::/64` : ''
}

/** The first 64 bits, without leading zeros. */
function prefixOf(address: string): string {
  const [head = '', tail] = address.split('::')
  const before = groupsOf(head)
  const after = tail === undefined ? [] : groupsOf(tail)
  const zeros = tail === undefined ? 0 : Math.max(0, GROUPS - before.length - after.length)
  const groups = [...before, ...new Array<string>(zeros).fill('0'), ...after]
  return groups.slice(0, PREFIX_GROUPS).join(':')
}

function groupsOf(text: string): string[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16).toString(16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [((a << 8) | b).toString(16), ((c << 8) | d).toString(16)]
  })
}
