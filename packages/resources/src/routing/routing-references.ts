// SPDX-License-Identifier: MIT
//
// What resources of routing name besides themselves, and what of them is taken once only.
import type { NamedResource } from '../fraud-references.ts'
import { destinationReferences } from '../planner/resolve-destination.ts'
import type { Resource } from '../resource.ts'
import type { BlockList } from './block-list.ts'
import { comparePatterns, type NumberPattern, parsePattern, patternsMeet } from './number-pattern.ts'
import { patternOf } from './route-table.ts'

function* one(kind: string, name: string | undefined, path: string): Generator<NamedResource> {
  if (name !== undefined) yield { key: `${kind}/${name}`, path }
}

function* each(kind: string, names: readonly string[] | undefined, path: string): Generator<NamedResource> {
  for (const [i, name] of (names ?? []).entries()) yield { key: `${kind}/${name}`, path: `${path}[${i}]` }
}

function* blockReferences({ spec }: BlockList): Generator<NamedResource> {
  yield* each('Domain', spec.domains, 'spec.domains')
  for (const [i, name] of spec.subscribers.entries()) {
    const at = name.indexOf('@')
    yield {
      key: `Subscriber/${name.slice(at + 1).toLowerCase()}/${name.slice(0, at)}`,
      path: `spec.subscribers[${i}]`,
    }
  }
  yield* each('NumberList', spec.callees?.lists, 'spec.callees.lists')
  yield* each('NumberList', spec.callers?.lists, 'spec.callers.lists')
}

/** All that must be there; nothing for other kinds. */
export function* routingReferences(resource: Resource): Generator<NamedResource> {
  if (resource.kind === 'Number') {
    yield* one('Domain', resource.spec.domain, 'spec.domain')
    yield* each('Trunk', resource.spec.trunks, 'spec.trunks')
    yield* destinationReferences(resource.spec.to, resource.spec.domain, 'spec.to')
  } else if (resource.kind === 'TrunkGroup') {
    for (const [i, { trunk }] of resource.spec.trunks.entries()) yield* one('Trunk', trunk, `spec.trunks[${i}]`)
  } else if (resource.kind === 'Route') {
    const { from, schedule, trunkGroup, trunk, headerPolicy } = resource.spec
    yield* each('Domain', from?.domains, 'spec.from.domains')
    yield* each('Trunk', from?.trunks, 'spec.from.trunks')
    yield* one('Schedule', schedule, 'spec.schedule')
    yield* one('TrunkGroup', trunkGroup, 'spec.trunkGroup')
    yield* one('Trunk', trunk, 'spec.trunk')
    yield* one('HeaderPolicy', headerPolicy, 'spec.headerPolicy')
  } else if (resource.kind === 'NumberPlan') {
    yield* one('TrunkGroup', resource.spec.emergency?.trunkGroup, 'spec.emergency.trunkGroup')
    yield* one('Trunk', resource.spec.emergency?.trunk, 'spec.emergency.trunk')
  } else if (resource.kind === 'BlockList') {
    yield* blockReferences(resource)
  } else if (resource.kind === 'Trunk') {
    const { numberPlan, ratePlan, headerPolicy, inboundHeaderPolicy } = resource.spec
    yield* one('NumberPlan', numberPlan, 'spec.numberPlan')
    yield* one('RatePlan', ratePlan, 'spec.ratePlan')
    yield* one('HeaderPolicy', headerPolicy, 'spec.headerPolicy')
    yield* one('HeaderPolicy', inboundHeaderPolicy, 'spec.inboundHeaderPolicy')
  } else if (resource.kind === 'Domain') {
    const { numberPlan, headerPolicy } = resource.spec
    yield* one('NumberPlan', typeof numberPlan === 'string' ? numberPlan : undefined, 'spec.numberPlan')
    yield* one('HeaderPolicy', headerPolicy, 'spec.headerPolicy')
  }
}

/** A pattern, and each group of callers to whom it is open: what two of them may not share. */
export interface PatternClaim {
  readonly pattern: NumberPattern
  /** Words that are equal where callers are the same. */
  readonly groups: readonly string[]
  readonly path: string
}

const labelText = (labels: Readonly<Record<string, string>> = {}): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join()

/** undefined for what claims no numbers. */
export function patternClaim(resource: Resource): PatternClaim | undefined {
  if (resource.kind === 'Number') {
    const { number, pattern, trunks = ['any'] } = resource.spec
    const path = number === undefined ? 'spec.pattern' : 'spec.number'
    const parsed = parsePattern(number ?? pattern ?? '')
    return parsed && { pattern: parsed, groups: trunks.map((name) => `number ${name}`), path }
  }
  if (resource.kind !== 'Route') return undefined
  const { from, priority, schedule = '', prefix } = resource.spec
  const callers = from?.trunks?.map((name) => `trunk ${name}`) ??
    from?.domains?.map((name) => `domain ${name}`) ?? ['users']
  const rest = `${priority} ${schedule} ${labelText(from?.labels)}`
  const parsed = patternOf(resource.spec)
  const path = prefix === undefined ? 'spec.pattern' : 'spec.prefix'
  return parsed && { pattern: parsed, groups: callers.map((who) => `route ${who} ${rest}`), path }
}

/** Patterns with sets that are looked at for one that says as much. */
const MAX_LOOKED_AT = 2_000

/** Finds patterns of which neither says more, so that nobody could tell whose a number is. */
export class PatternClaims {
  readonly #plain = new Map<string, string>()
  readonly #wild = new Map<string, { readonly pattern: NumberPattern; readonly key: string }[]>()

  /** @returns key of the resource that has it already; undefined: nobody has */
  claim({ pattern, groups }: PatternClaim, key: string): string | undefined {
    for (const group of groups) {
      const holder = this.#holder(pattern, group, key)
      if (holder !== undefined && holder !== key) return holder
    }
    return undefined
  }

  #holder(pattern: NumberPattern, group: string, key: string): string | undefined {
    if (pattern.literal !== undefined) {
      const name = `${group} ${pattern.literal}${pattern.open ? '*' : ''}`
      const known = this.#plain.get(name)
      if (known === undefined) this.#plain.set(name, key)
      return known
    }
    const name = `${group} ${pattern.sets.length}`
    const others = this.#wild.get(name)
    if (others === undefined) {
      this.#wild.set(name, [{ pattern, key }])
      return undefined
    }
    const looked = others.slice(0, MAX_LOOKED_AT)
    const found = looked.find((it) => comparePatterns(it.pattern, pattern) === 0 && patternsMeet(it.pattern, pattern))
    others.push({ pattern, key })
    return found?.key
  }
}
