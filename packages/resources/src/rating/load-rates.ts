// SPDX-License-Identifier: MIT
//
// Reads the rate decks that rate plans name. A deck with one broken line refuses the set of resources as a whole; what a
// deck says counts for the revision of the set.
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ResourceProblem } from '../errors.ts'
import type { LocatedResource } from '../parse-yaml.ts'
import { type RateCsv, readRateCsv } from './rate-csv.ts'
import type { RatePlan } from './rate-plan.ts'
import { RateTable, termsOf } from './rate-table.ts'

/** Two million lines of a usual deck. */
const MAX_DECK_BYTES = 256 * 1024 * 1024
/** Lines are read for this long before others get their turn. */
const SLICE_MS = 10

/** Imported rates by name of their plan. */
export type RateDecks = ReadonlyMap<string, RateTable>

export interface LoadedRates {
  readonly decks: RateDecks
  /** One line for each deck, for the revision. */
  readonly hashes: readonly string[]
  readonly problems: readonly ResourceProblem[]
}

interface Loading {
  readonly decks: Map<string, RateTable>
  readonly hashes: string[]
  readonly problems: ResourceProblem[]
}

async function readDeck(path: string): Promise<string | { readonly expected: string }> {
  try {
    const { size } = await stat(path)
    if (size > MAX_DECK_BYTES) return { expected: `expected at most ${MAX_DECK_BYTES} bytes in ${path}, found ${size}` }
    return await readFile(path, 'utf8')
  } catch {
    return { expected: `expected a readable file ${path}` }
  }
}

async function readInSlices(text: string, spec: RatePlan['spec']): Promise<RateCsv> {
  const reading = readRateCsv(text, spec)
  for (let began = performance.now(); ; ) {
    const step = reading.next()
    if (step.done === true) return step.value
    if (performance.now() - began < SLICE_MS) continue
    await nextTurn()
    began = performance.now()
  }
}

async function loadDeck(plan: RatePlan, located: LocatedResource, baseDir: string, into: Loading): Promise<void> {
  const file = plan.spec.import?.file
  if (file === undefined) return
  const path = resolve(baseDir, file)
  const text = await readDeck(path)
  if (typeof text !== 'string') {
    into.problems.push({ ...located.origin, code: 'unreadable', path: 'spec.import.file', ...text })
    return
  }
  const parsed = await readInSlices(text, plan.spec)
  if (!parsed.ok) {
    for (const problem of parsed.problems) {
      into.problems.push({ file: path, document: 1, code: 'invalid', path: '', ...problem })
    }
    return
  }
  into.decks.set(plan.metadata.name, parsed.table)
  into.hashes.push(`deck ${plan.metadata.name} ${createHash('sha256').update(text).digest('hex')}`)
}

/** A prefix has one price at a time, whether it stands in the resource or in the deck. */
function checkDoubles(plan: RatePlan, { origin }: LocatedResource, into: Loading): void {
  if (plan.spec.rates.length === 0) return
  const table = new RateTable(into.decks.get(plan.metadata.name))
  for (const [i, rate] of plan.spec.rates.entries()) {
    if (table.add(rate.prefix, termsOf(rate))) continue
    const expected = `expected one rate for ${rate.prefix} at a time`
    into.problems.push({ ...origin, code: 'duplicate', path: `spec.rates[${i}]`, expected })
  }
}

/** @param baseDir folder that relative paths start from */
export async function loadRates(located: readonly LocatedResource[], baseDir: string): Promise<LoadedRates> {
  const into: Loading = { decks: new Map(), hashes: [], problems: [] }
  for (const one of located) {
    if (one.resource.kind !== 'RatePlan') continue
    await loadDeck(one.resource, one, baseDir, into)
    checkDoubles(one.resource, one, into)
  }
  return into
}
