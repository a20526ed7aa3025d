// SPDX-License-Identifier: MIT
//
// A range of numbers as the fewest prefixes: +491900 to +491909 is +49190.

/** Prefixes of one range, at most: 9 for each digit on either side. */
const MAX_DIGITS = 15

/** Both of one form and length, first ≤ last; undefined else. The last itself is within. */
export function rangePrefixes(first: string, last: string): string[] | undefined {
  const [plus, digits] = first.startsWith('+') ? ['+', first.slice(1)] : ['', first]
  if (first.length !== last.length || first > last || !last.startsWith(plus) || digits.length > MAX_DIGITS)
    return undefined
  const prefixes: string[] = []
  const end = Number(last.slice(plus.length))
  for (let at = Number(digits); at <= end; ) {
    let zeros = 0
    // The widest block that begins here and ends within the range.
    while (zeros < digits.length - 1 && at % 10 ** (zeros + 1) === 0 && at + 10 ** (zeros + 1) - 1 <= end) zeros++
    const text = String(at).padStart(digits.length, '0')
    prefixes.push(plus + text.slice(0, digits.length - zeros))
    at += 10 ** zeros
  }
  return prefixes
}
