// SPDX-License-Identifier: MIT
//
// Pages over what a node holds, in the order of keys. Keys are sorted once for each revision, in slices. A page token is the last key of the page
// before: pages of two revisions fit together as well as anything can.
import { type Held, type Holdings, inTurns, type Sliced } from '@tandem/resources'

const RUN = 4_096

function* merged(a: readonly string[], b: readonly string[]): Sliced<string[]> {
  const out: string[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const isFirst = (a[i] as string) <= (b[j] as string)
    if (out.push((isFirst ? a[i++] : b[j++]) as string) % RUN === 0) yield
  }
  for (; i < a.length; i++) out.push(a[i] as string)
  for (; j < b.length; j++) out.push(b[j] as string)
  return out
}

function* sorted(keys: readonly string[]): Sliced<string[]> {
  let runs: string[][] = []
  for (let at = 0; at < keys.length; at += RUN) {
    runs.push(keys.slice(at, at + RUN).sort())
    yield
  }
  while (runs.length > 1) {
    const next: string[][] = []
    for (let n = 0; n < runs.length; n += 2) next.push(yield* merged(runs[n] ?? [], runs[n + 1] ?? []))
    runs = next
  }
  return runs[0] ?? []
}

export class HeldList {
  #keys: { readonly hash: string; readonly keys: Promise<readonly string[]> } | undefined

  /** Those that `isWanted`, after a key. @param hash of the revision that `held` is of */
  async page(
    held: Holdings,
    hash: string,
    isWanted: (one: Held) => boolean,
    after: string,
    limit: number,
  ): Promise<{ readonly found: readonly Held[]; readonly total: number; readonly next: string }> {
    if (this.#keys?.hash !== hash) this.#keys = { hash, keys: inTurns(sorted([...held.keys()])) }
    const found: Held[] = []
    let total = 0
    let next = ''
    for (const key of await this.#keys.keys) {
      const one = held.get(key)
      if (one === undefined || !isWanted(one)) continue
      total++
      if (key <= after) continue
      if (found.length < limit) found.push(one)
      else next = found.at(-1)?.key ?? ''
    }
    return { found, total, next }
  }
}
