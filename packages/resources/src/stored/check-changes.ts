// SPDX-License-Identifier: MIT
//
// What is wrong with a set as changes would make it. Of what is held most are subscribers who name nothing but their domain and their
// account: where neither could have gone they only stand for the names that they have, and are not looked at again, so that one change among
// 100,000 subscribers costs one. Whoever finds something wrong looks at all of it, for it says more.
// Invariant: nothing passes that a look at all would refuse.
import type { Origin, ResourceProblem } from '../errors.ts'
import { eachOf, inTurns, type Sliced } from '../lay-out/slices.ts'
import { MAX_DOCUMENTS } from '../limits.ts'
import { type LoadOptions, readNamed } from '../load.ts'
import type { LocatedResource } from '../parse-yaml.ts'
import { checkingReferences, type Standing } from '../references.ts'
import { resourceKey } from '../resource.ts'
import type { Held } from './held.ts'

export type Holdings = ReadonlyMap<string, Held>

export interface Changes {
  /** Added and changed ones, as they would be. */
  readonly put: readonly Held[]
  /** As they are. */
  readonly removed: readonly Held[]
}

/** Who has which name, of exactly what is held. */
export type HeldNames = Pick<Standing, 'userOf' | 'loginOf'>

export interface CheckOptions extends LoadOptions {
  /** undefined: all is looked at. */
  readonly names?: HeldNames | undefined
}

/** Of what is held and was not sent. */
const heldOrigin = (key: string): Origin => ({ file: key, document: 0, line: 0 })

type Choice = (held: Held) => boolean

const everything: Choice = () => true
/** Names more than its domain and its account, or is named by what is looked at in other ways than by its key. */
const isLinked: Choice = ({ resource }) => resource.kind !== 'Subscriber' || resource.spec.forwarding !== undefined

/** The set as it would be. */
function* merged(
  held: Holdings,
  { put, removed }: Changes,
  origins: ReadonlyMap<string, Origin>,
  isWanted: Choice,
): Sliced<LocatedResource[]> {
  const located: LocatedResource[] = []
  const touched = new Set([...put, ...removed].map(({ key }) => key))
  yield* eachOf(held.values(), (one) => {
    const { key, resource } = one
    if (!isWanted(one) || touched.has(key)) return
    located.push({ resource, origin: origins.get(key) ?? heldOrigin(key) })
  })
  yield* eachOf(put, ({ key, resource }) => located.push({ resource, origin: origins.get(key) ?? heldOrigin(key) }))
  return located
}

/** What subscribers name that have not changed is there still, and means the same. */
function leavesSubscribersAlone({ put, removed }: Changes): boolean {
  return (
    put.every(({ resource }) => resource.kind !== 'Domain') &&
    removed.every(({ resource }) => resource.kind !== 'Domain' && resource.kind !== 'Account')
  )
}

/** Those of the set who are not looked at. */
function standing(held: Holdings, { put, removed }: Changes, names: HeldNames): Standing {
  const touched = new Set([...put, ...removed].map(({ key }) => key))
  const ifStanding = (key: string | undefined): string | undefined => {
    const one = key === undefined || touched.has(key) ? undefined : held.get(key)
    return one === undefined || isLinked(one) ? undefined : key
  }
  return {
    has: (key) => ifStanding(key) !== undefined,
    userOf: (name, domain) => ifStanding(names.userOf(name, domain)),
    loginOf: (username, realm) => ifStanding(names.loginOf(username, realm)),
  }
}

function isTooLarge(held: Holdings, { put, removed }: Changes): boolean {
  if (held.size + put.length <= MAX_DOCUMENTS) return false
  return held.size - removed.length + put.filter(({ key }) => !held.has(key)).length > MAX_DOCUMENTS
}

async function linkedAlone(
  held: Holdings,
  changes: Changes,
  names: HeldNames,
  origins: ReadonlyMap<string, Origin>,
): Promise<readonly LocatedResource[] | undefined> {
  if (!leavesSubscribersAlone(changes)) return undefined
  const located = await inTurns(merged(held, changes, origins, isLinked))
  const problems = await inTurns(checkingReferences(located, standing(held, changes, names)))
  return problems.length === 0 ? located : undefined
}

/** What is wrong with the set as it would be: references, and what the changed ones name. */
export async function checkChanges(
  held: Holdings,
  changes: Changes,
  options: CheckOptions,
  origins: ReadonlyMap<string, Origin> = new Map(),
): Promise<ResourceProblem[]> {
  if (isTooLarge(held, changes)) {
    const expected = `expected at most ${MAX_DOCUMENTS} resources together`
    return [{ ...heldOrigin('resources'), code: 'tooLarge', path: '', expected }]
  }
  const { names } = options
  const linked = names && (await linkedAlone(held, changes, names, origins))
  const located = linked ?? (await inTurns(merged(held, changes, origins, everything)))
  const problems = linked === undefined ? await inTurns(checkingReferences(located)) : []
  const put = new Set(changes.put.map(({ key }) => key))
  const changed = located.filter(({ resource }) => resource.kind === 'Domain' || put.has(resourceKey(resource)))
  const named = await readNamed(changed, options)
  return [...problems, ...named.problems]
}
