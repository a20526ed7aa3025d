// SPDX-License-Identifier: MIT
//
// Builds the tables of all NumberLists, with the files that they name. A file with one broken line refuses the set of
// resources as a whole; what a file says counts for the revision of the set.
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ResourceProblem } from '../errors.ts'
import type { LocatedResource } from '../parse-yaml.ts'
import { parseListCsv } from './list-csv.ts'
import type { NumberList } from './number-list.ts'
import { NumberTable } from './number-table.ts'

/** A million lines of a usual list. */
const MAX_LIST_BYTES = 128 * 1024 * 1024

/** Tables by name of their NumberList. */
export type NumberTables = ReadonlyMap<string, NumberTable>

export interface LoadedLists {
  readonly tables: NumberTables
  /** One line for each file, for the revision. */
  readonly hashes: readonly string[]
  readonly problems: readonly ResourceProblem[]
}

/** Of what stands in the resource itself. */
export function inlineTable({ spec }: NumberList): NumberTable {
  const table = new NumberTable()
  for (const one of spec.prefixes) {
    if (typeof one === 'string') table.add(one, '', spec.category)
    else table.add(one.prefix, one.country, one.category || spec.category)
  }
  return table
}

async function readList(path: string): Promise<string | { readonly expected: string }> {
  try {
    const { size } = await stat(path)
    if (size > MAX_LIST_BYTES) return { expected: `expected at most ${MAX_LIST_BYTES} bytes in ${path}, found ${size}` }
    return await readFile(path, 'utf8')
  } catch {
    return { expected: `expected a readable file ${path}` }
  }
}

/** @param baseDir folder that relative paths start from */
export async function loadLists(located: readonly LocatedResource[], baseDir: string): Promise<LoadedLists> {
  const tables = new Map<string, NumberTable>()
  const hashes: string[] = []
  const problems: ResourceProblem[] = []
  for (const { resource, origin } of located) {
    if (resource.kind !== 'NumberList') continue
    const { name } = resource.metadata
    const table = inlineTable(resource)
    tables.set(name, table)
    const file = resource.spec.import?.file
    if (file === undefined) continue
    const path = resolve(baseDir, file)
    const text = await readList(path)
    if (typeof text !== 'string') {
      problems.push({ ...origin, code: 'unreadable', path: 'spec.import.file', ...text })
      continue
    }
    for (const problem of parseListCsv(text, resource.spec, table)) {
      problems.push({ file: path, document: 1, code: 'invalid', path: '', ...problem })
    }
    hashes.push(`list ${name} ${createHash('sha256').update(text).digest('hex')}`)
  }
  return { tables, hashes, problems }
}
