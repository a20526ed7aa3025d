// SPDX-License-Identifier: MIT
//
// The name that somebody may have meant: the one with the fewest letters added, left out, changed or swapped, as long as they are few.

/** Longer words are not compared: stops a key of a megabyte. */
const MAX_LENGTH = 64

/** The nearest of `names` by edits (swapped neighbours are one); undefined where none is near. */
export function nearestOf(word: string, names: Iterable<string>): string | undefined {
  if (word.length > MAX_LENGTH) return undefined
  const wanted = word.toLowerCase()
  let best: string | undefined
  let most = Math.max(1, Math.floor(word.length / 3))
  for (const name of names) {
    if (Math.abs(name.length - word.length) > most || name.length > MAX_LENGTH) continue
    const distance = editsBetween(wanted, name.toLowerCase())
    if (distance > most || (distance === most && best !== undefined)) continue
    best = name
    most = distance
  }
  return best
}

/** `; did you mean "realm"?`, or nothing. */
export function suggestion(word: string, names: Iterable<string>): string {
  const name = nearestOf(word, names)
  return name === undefined ? '' : `; did you mean "${name}"?`
}

/** Optimal string alignment. */
function editsBetween(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) row.push(cheapest(a, b, i, j, row, previous, before))
    before = previous
    previous = row
  }
  return previous[b.length] as number
}

function cheapest(a: string, b: string, i: number, j: number, row: number[], previous: number[], before: number[]) {
  const isSame = a[i - 1] === b[j - 1]
  const cost = Math.min(
    (previous[j] as number) + 1,
    (row[j - 1] as number) + 1,
    (previous[j - 1] as number) + (isSame ? 0 : 1),
  )
  const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
  return isSwapped ? Math.min(cost, (before[j - 2] as number) + 1) : cost
}
