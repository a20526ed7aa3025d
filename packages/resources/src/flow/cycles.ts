// SPDX-License-Identifier: MIT
//
// Flows of calls that come back to where they began, by resources alone: groups in one another, forwardings, call flows, numbers. Each is
// refused once, with the way round. What only a call can show (patterns of numbers, other systems) is found at run time
// (destinations.ts). Members of a group count as rung, not as forwarded: a forwarding of a member makes no loop.
import type { Destination } from '../destination.ts'
import type { LocatedResource } from '../parse-yaml.ts'
import { destinationReferences } from '../planner/resolve-destination.ts'
import { type Resource, resourceKey } from '../resource.ts'
import { waysOf } from './overflow.ts'

interface Leading {
  readonly to: Destination
  readonly path: string
}

function* ofGroup({ spec }: Extract<Resource, { kind: 'HuntGroup' }>): Generator<Leading> {
  for (const [i, one] of spec.members.entries()) {
    if (typeof one !== 'string' && one.to.subscriber === undefined) yield { to: one.to, path: `spec.members[${i}].to` }
  }
  for (const [condition, to] of waysOf(spec.overflow)) yield { to, path: `spec.overflow.${condition}` }
}

function* ofSubscriber({ spec: { forwarding } }: Extract<Resource, { kind: 'Subscriber' }>): Generator<Leading> {
  if (forwarding === undefined) return
  const { always, busy, noAnswer, unreachable } = forwarding
  for (const [name, to] of Object.entries({ always, busy, 'noAnswer.to': noAnswer?.to, unreachable })) {
    if (to !== undefined) yield { to, path: `spec.forwarding.${name}` }
  }
}

function* ofCallFlow({ spec }: Extract<Resource, { kind: 'CallFlow' }>): Generator<Leading> {
  const { holiday, branches, default: last } = spec
  const ways = [
    ...(holiday === undefined ? [] : [{ way: holiday, path: 'spec.holiday' }]),
    ...branches.map((way, i) => ({ way, path: `spec.branches[${i}]` })),
    { way: last, path: 'spec.default' },
  ]
  for (const { way, path } of ways) {
    yield { to: way.to, path: `${path}.to` }
    for (const [condition, to] of waysOf(way.overflow)) yield { to, path: `${path}.overflow.${condition}` }
  }
}

function* leadingOf(resource: Resource): Generator<Leading> {
  if (resource.kind === 'HuntGroup') yield* ofGroup(resource)
  else if (resource.kind === 'Subscriber') yield* ofSubscriber(resource)
  else if (resource.kind === 'CallFlow') yield* ofCallFlow(resource)
  else if (resource.kind === 'Number') yield { to: resource.spec.to, path: 'spec.to' }
}

const domainOf = (resource: Resource): string =>
  resource.kind === 'Number' ? resource.spec.domain : 'domain' in resource.metadata ? resource.metadata.domain : ''

interface Edge {
  readonly to: string
  readonly path: string
}

interface Node {
  readonly located: LocatedResource
  readonly edges: readonly Edge[]
}

export interface FlowCycle {
  readonly located: LocatedResource
  /** Of the destination that leads into it. */
  readonly path: string
  /** Keys on the way round; the first is the last too. */
  readonly cycle: readonly string[]
}

/** Collects what leads where, and finds what leads back. */
export class FlowGraph {
  readonly #nodes = new Map<string, Node>()
  readonly #numbers = new Map<string, string>()
  readonly #userOf: (number: string, domain: string) => string | undefined

  /** @param userOf key of the user who has a canonical number in a domain */
  constructor(userOf: (number: string, domain: string) => string | undefined) {
    this.#userOf = userOf
  }

  noteNumber(resource: Resource): void {
    if (resource.kind !== 'Number' || resource.spec.number === undefined) return
    this.#numbers.set(resource.spec.number, resourceKey(resource))
  }

  /** After all numbers were noted. */
  add(located: LocatedResource): void {
    const { resource } = located
    const domain = domainOf(resource)
    const edges: Edge[] = []
    for (const { to, path } of leadingOf(resource)) {
      const { number } = to
      const holder = number === undefined ? undefined : (this.#userOf(number, domain) ?? this.#numbers.get(number))
      if (holder !== undefined) edges.push({ to: holder, path })
      for (const { key } of destinationReferences(to, domain, path)) edges.push({ to: key, path })
    }
    if (edges.length > 0) this.#nodes.set(resourceKey(resource), { located, edges })
  }

  /** Each way round that is found, up to `max`; without recursion, however long chains are. */
  cycles(max = 16): readonly FlowCycle[] {
    const found: FlowCycle[] = []
    const done = new Set<string>()
    for (const start of this.#nodes.keys()) {
      if (found.length >= max) break
      this.#walk(start, done, found)
    }
    return found
  }

  #walk(start: string, done: Set<string>, found: FlowCycle[]): void {
    const path: { key: string; next: number }[] = []
    const onPath = new Map<string, number>()
    const enter = (key: string): void => {
      if (done.has(key) || !this.#nodes.has(key)) return
      onPath.set(key, path.length)
      path.push({ key, next: 0 })
    }
    enter(start)
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const node = this.#nodes.get(top.key) as Node
      const edge = node.edges[top.next++]
      if (edge === undefined) {
        done.add(top.key)
        onPath.delete(top.key)
        path.pop()
        continue
      }
      const at = onPath.get(edge.to)
      if (at === undefined) enter(edge.to)
      else
        found.push({
          located: node.located,
          path: edge.path,
          cycle: [...path.slice(at).map(({ key }) => key), edge.to],
        })
    }
  }
}
