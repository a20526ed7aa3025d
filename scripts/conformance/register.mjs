// SPDX-License-Identifier: MIT
//
// The register of clauses: test/conformance/clauses/*.yaml, what each RFC asks of a proxy, registrar or redirect server in
// our own words. A file has one RFC and any number of its sections. Leaves out which code and tests name a clause: refs.mjs.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const CLAUSES = 'test/conformance/clauses'
const LEVELS = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT']
const ROLES = ['proxy', 'registrar', 'redirect', 'uas', 'uac', 'transaction', 'transport']
const KEYS = ['id', 'level', 'role', 'text', 'status', 'reason']
const STATUSES = ['done', 'notApplicable']

/** `RFC3261-16.7.6b`: RFC, numbers (section, then item), letter. `RFC3261-16.7.6bd` stands for `…6b` and `…6d`. */
export const CLAUSE_ID = /\b(RFC\d{3,4}-\d+(?:\.\d+)*)([a-z]*)\b/g

/** All ids that a text names, several letters taken apart. */
export const idsIn = (text) =>
  [...text.matchAll(CLAUSE_ID)].flatMap(([, item, letters]) =>
    letters === '' ? [item] : [...letters].map((letter) => item + letter),
  )

/** The id without its letter: the item that a lettered clause is a part of. */
export const itemOf = (id) => id.replace(/[a-z]$/, '')

/** `RFC3261-16`: the unit in which an id is either known or unknown. */
export const chapterOf = (id) => id.replace(/^(RFC\d+-\d+).*$/, '$1')

/** Sections in the order of their numbers, items in theirs, letters last. */
export function compareIds(a, b) {
  const parts = (id) => id.match(/\d+|[a-z]$/g) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x = '', y = ''] = [left[i], right[i]]
    if (x !== y) return /^\d+$/.test(x) && /^\d+$/.test(y) ? Number(x) - Number(y) : x < y ? -1 : 1
  }
  return 0
}

function rowProblems(row, rfc, section) {
  const problems = []
  const isOurs = new RegExp(`^RFC${rfc}-${section.replaceAll('.', '\\.')}(\\.[0-9]+)*[a-z]?$`).test(row.id ?? '')
  if (!isOurs) problems.push(`is no id of RFC ${rfc} section ${section}`)
  if (!LEVELS.includes(row.level)) problems.push(`level ${row.level} is none of ${LEVELS.join(', ')}`)
  if (!ROLES.includes(row.role)) problems.push(`role ${row.role} is none of ${ROLES.join(', ')}`)
  if (typeof row.text !== 'string' || row.text.trim() === '') problems.push('has no text')
  if (!STATUSES.includes(row.status ?? 'done')) problems.push(`status ${row.status} is none of ${STATUSES.join(', ')}`)
  if (row.status === 'notApplicable' && !row.reason) problems.push('is not applicable without a reason')
  if (row.status !== 'notApplicable' && row.reason) problems.push('has a reason, but is not notApplicable')
  for (const key of Object.keys(row)) if (!KEYS.includes(key)) problems.push(`has an unknown key ${key}`)
  return problems.map((problem) => `${row.id}: ${problem}`)
}

function parsed(text, onProblem) {
  try {
    return parse(text) ?? {}
  } catch (error) {
    onProblem(error.message)
    return {}
  }
}

function readFile(root, name, register) {
  const { rfc, title, sections } = parsed(readFileSync(join(root, CLAUSES, name), 'utf8'), (problem) =>
    register.problems.push(`${name}: ${problem}`),
  )
  if (!Number.isInteger(rfc) || !Array.isArray(sections)) {
    register.problems.push(`${name}: needs rfc (a number) and sections (a list)`)
    return
  }
  const entry = register.rfcs.get(rfc) ?? { rfc, title: '', sections: [] }
  register.rfcs.set(rfc, entry)
  entry.title ||= title ?? ''
  for (const section of sections) {
    const rows = (section.rows ?? []).map((row) => ({ ...row, status: row.status ?? 'done' }))
    register.problems.push(...rows.flatMap((row) => rowProblems(row, rfc, String(section.section))))
    entry.sections.push({ section: String(section.section), title: section.title ?? '', rows })
  }
}

function twice(ids) {
  const seen = new Set()
  return ids.filter((id) => seen.has(id) || !seen.add(id))
}

/**
 * @returns {{ rfcs: Map<number, { rfc: number, title: string, sections: { section: string, title: string, rows: object[] }[] }>,
 *   problems: string[] }} RFCs, sections and rows in the order of their numbers; problems are sentences.
 */
export function readRegister(root) {
  const register = { rfcs: new Map(), problems: [] }
  const folder = join(root, CLAUSES)
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.yaml')) : []
  for (const name of names.sort()) readFile(root, name, register)
  register.rfcs = new Map([...register.rfcs].sort(([a], [b]) => a - b))
  for (const { sections } of register.rfcs.values()) {
    sections.sort((a, b) => compareIds(a.section, b.section))
    for (const { rows } of sections) rows.sort((a, b) => compareIds(a.id, b.id))
  }
  register.problems.push(...twice(rowsOf(register).map(({ id }) => id)).map((id) => `${id}: stands there twice`))
  return register
}

export const rowsOf = ({ rfcs }) => [...rfcs.values()].flatMap(({ sections }) => sections.flatMap(({ rows }) => rows))
