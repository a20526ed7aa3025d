// SPDX-License-Identifier: MIT
//
// Register and references put together: which code and tests each clause has, and what is wrong. Pure.
import { chapterOf, compareIds, itemOf, rowsOf } from './register.mjs'

/** A gap fails CI, and so does a page that has drifted. Switched off, gaps are only printed: for a while in which a register grows. */
export const STRICT = true

/** A tag in code stands for its clause and, without a letter, for all letters of its item. */
const isOfCode = (row, { id }) => id === row.id || id === itemOf(row.id)

/** A test has to name the clause; the item will do where it has only this row. */
const isOfTest = (row, { id }, isOnlyRow) => id === row.id || (isOnlyRow && id === itemOf(row.id))

function countByItem(rows) {
  const counts = new Map()
  for (const { id } of rows) counts.set(itemOf(id), (counts.get(itemOf(id)) ?? 0) + 1)
  return counts
}

/** Ids that a chapter of the register should know and does not: neither a section, nor a row, nor the beginning of one. */
function unknownRefs(rows, sections, refs) {
  const chapters = new Set(rows.map(({ id }) => chapterOf(id)))
  const isKnown = (id) =>
    sections.has(id) || rows.some((row) => row.id === id || row.id.startsWith(`${id}.`) || itemOf(row.id) === id)
  return refs.filter(({ id }) => chapters.has(chapterOf(id)) && !isKnown(id))
}

function otherRefs(rows, refs) {
  const chapters = new Set(rows.map(({ id }) => chapterOf(id)))
  return refs.filter(({ id }) => !chapters.has(chapterOf(id))).sort((a, b) => compareIds(a.id, b.id))
}

/**
 * @returns {{ rfcs, gaps: string[], other }} rfcs as of the register, each row with `code` and `tests`; gaps are sentences;
 *   other: references to chapters that the register does not have.
 */
export function join(register, { code, tests }) {
  const rows = rowsOf(register)
  const counts = countByItem(rows)
  const sections = new Set(
    [...register.rfcs.values()].flatMap((entry) => entry.sections.map(({ section }) => `RFC${entry.rfc}-${section}`)),
  )
  const withRefs = (row) => ({
    ...row,
    code: code.filter((ref) => isOfCode(row, ref)),
    tests: tests.filter((ref) => isOfTest(row, ref, counts.get(itemOf(row.id)) === 1)),
  })
  const rfcs = [...register.rfcs.values()].map((entry) => ({
    ...entry,
    sections: entry.sections.map((section) => ({ ...section, rows: section.rows.map(withRefs) })),
  }))
  const joined = rowsOf({ rfcs: new Map(rfcs.map((entry) => [entry.rfc, entry])) })
  const untested = joined.filter(({ status, tests }) => status === 'done' && tests.length === 0)
  const unknown = new Set(
    unknownRefs(rows, sections, [...code, ...tests]).map(({ file, id }) => `${file}: names ${id}`),
  )
  return {
    rfcs,
    gaps: [
      ...register.problems,
      ...untested.map(({ id, text }) => `${id}: no test names it (${text})`),
      ...[...unknown].map((sentence) => `${sentence}, which is not in the register`),
    ],
    other: otherRefs(rows, [...code, ...tests]),
  }
}
