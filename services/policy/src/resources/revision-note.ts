// SPDX-License-Identifier: MIT
//
// What the history says of a revision. No document and no secret is in it.

export interface RevisionNote {
  readonly author: string
  readonly comment: string
  readonly manager: string
  readonly added: number
  readonly changed: number
  readonly removed: number
  /** Some of the keys that it wrote. */
  readonly keys: readonly string[]
}

const MAX_KEYS = 100
const NOTHING: RevisionNote = { author: '', comment: '', manager: '', added: 0, changed: 0, removed: 0, keys: [] }

/** One line. */
export const noteText = (note: RevisionNote): string => JSON.stringify({ ...note, keys: note.keys.slice(0, MAX_KEYS) })

/** Of another version, what can be read of it. */
export function noteOfText(text: string): RevisionNote {
  try {
    return { ...NOTHING, ...(JSON.parse(text) as Partial<RevisionNote>) }
  } catch {
    return NOTHING
  }
}
