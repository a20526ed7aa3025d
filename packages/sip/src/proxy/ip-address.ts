// SPDX-License-Identifier: MIT
// IP numbers as text and as bytes in network order. IPv6 text is written as RFC 5952 says; zone ids are refused.

const PART = /^(0|[1-9][0-9]{0,2})$/
const GROUP = /^[0-9a-f]{1,4}$/i

/** Writes the four bytes of `text` to `to` at `at`; false when it is no dotted quad. */
export const parseIpv4 = (text: string, to: Uint8Array, at: number): boolean => {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => PART.test(part) && Number(part) < 256)) return false
  parts.forEach((part, i) => {
    to[at + i] = Number(part)
  })
  return true
}

/** Writes the sixteen bytes of `text` (no brackets) to `to` at `at`; false when it is no IPv6 number. */
export const parseIpv6 = (text: string, to: Uint8Array, at: number): boolean => {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const head = groupsOf(halves[0] as string, halves.length === 1)
  const tail = groupsOf(halves[1] ?? '', true)
  if (head === undefined || tail === undefined) return false
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return false
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail]
  groups.forEach((group, i) => {
    to[at + 2 * i] = group >>> 8
    to[at + 2 * i + 1] = group
  })
  return true
}

/** Groups between colons as numbers; a dotted quad, which may stand at the very end only, counts for two. */
const groupsOf = (text: string, isEnd: boolean): number[] | undefined => {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (GROUP.test(part)) groups.push(Number.parseInt(part, 16))
    else if (!isEnd || i !== parts.length - 1 || !pushQuad(part, groups)) return undefined
  }
  return groups
}

const quad = new Uint8Array(4)

const pushQuad = (part: string, groups: number[]): boolean => {
  if (!parseIpv4(part, quad, 0)) return false
  const [a, b, c, d] = quad as unknown as [number, number, number, number]
  groups.push((a << 8) | b, (c << 8) | d)
  return true
}

/** Text of the sixteen bytes at `at`: lower case, the longest run of two or more zero groups as `::`. [RFC5952-4] */
export const formatIpv6 = (from: Uint8Array, at: number): string => {
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((from[at + 2 * i] as number) << 8) | (from[at + 2 * i + 1] as number),
  )
  const { start, length } = longestZeroRun(groups)
  const hex = groups.map((group) => group.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}

const longestZeroRun = (groups: readonly number[]): { start: number; length: number } => {
  const best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (end < groups.length && groups[end] === 0) end++
    if (end - start > best.length) Object.assign(best, { start, length: end - start })
  }
  return best
}
