// SPDX-License-Identifier: MIT
//
// Numbers, trunks, groups, routes, number plans, header policies and block lists of a checked set → tables. In slices: 100,000
// routes are laid out while calls go on.
import type { RatePlanEntry } from '../account-entry.ts'
import type { Destination } from '../destination.ts'
import { eachOf, type Sliced } from '../lay-out/slices.ts'
import type { NumberTables } from '../number-list/load-lists.ts'
import type { NumberPlan } from '../phone-number.ts'
import type { PlanEdit } from '../plan-verdict.ts'
import type { Kind, Resource } from '../resource.ts'
import type { ScheduleClock } from '../schedule/schedule-clock.ts'
import { BlockRules, blockEntry } from './block-rules.ts'
import type { EmergencyWay } from './dialling.ts'
import { headerEdits, NO_EDITS } from './header-edits.ts'
import type { PhoneNumberResource } from './number.ts'
import { type NumberPattern, parsePattern } from './number-pattern.ts'
import { PatternTable } from './pattern-table.ts'
import type { Route } from './route.ts'
import { callerGroup, compareRoutes, patternOf, type RouteEntry, RouteTable } from './route-table.ts'
import { type OutTrunk, outTrunk } from './trunk-entry.ts'
import type { TrunkGroup } from './trunk-group.ts'
import type { OutGroup } from './trunk-order.ts'

export interface NumberEntry {
  readonly key: string
  readonly domain: string
  readonly to: Destination
  /** undefined: by any. */
  readonly trunks: ReadonlySet<string> | undefined
}

export interface RoutingTables {
  readonly numbers: PatternTable<NumberEntry>
  readonly routes: RouteTable
  /** By name. */
  readonly trunks: ReadonlyMap<string, OutTrunk>
  readonly groups: ReadonlyMap<string, OutGroup>
  /** By name of the NumberPlan. */
  readonly emergency: ReadonlyMap<string, EmergencyWay>
  /** By name of the Domain: for requests of its users. */
  readonly domainEdits: ReadonlyMap<string, readonly PlanEdit[]>
  /** Numbers that lead to a subscriber, by `NAME@DOMAIN`. */
  readonly owned: ReadonlyMap<string, readonly NumberPattern[]>
  /** undefined: none. */
  readonly blocks: BlockRules | undefined
}

/** Of which something may be in the tables. */
export const ROUTING_KINDS: readonly Kind[] = [
  ...(['Number', 'Trunk', 'TrunkGroup', 'Route', 'NumberPlan', 'HeaderPolicy', 'BlockList'] as const),
  ...(['Domain', 'RatePlan', 'Schedule', 'NumberList', 'HolidayCalendar'] as unknown as Kind[]),
]

export interface RoutingParts {
  readonly ratePlans: ReadonlyMap<string, RatePlanEntry>
  readonly schedules: ReadonlyMap<string, ScheduleClock>
  readonly lists: NumberTables
}

type Of<K extends Kind> = Extract<Resource, { kind: K }>

interface Sorted {
  readonly numbers: PhoneNumberResource[]
  readonly routes: Route[]
  readonly groups: TrunkGroup[]
  readonly trunks: Of<'Trunk'>[]
  readonly plans: Of<'NumberPlan'>[]
  readonly headers: Of<'HeaderPolicy'>[]
  readonly blocks: Of<'BlockList'>[]
  readonly domains: Of<'Domain'>[]
}

function put(into: Sorted, resource: Resource): void {
  if (resource.kind === 'Number') into.numbers.push(resource)
  else if (resource.kind === 'Route') into.routes.push(resource)
  else if (resource.kind === 'TrunkGroup') into.groups.push(resource)
  else if (resource.kind === 'Trunk') into.trunks.push(resource)
  else if (resource.kind === 'NumberPlan') into.plans.push(resource)
  else if (resource.kind === 'HeaderPolicy') into.headers.push(resource)
  else if (resource.kind === 'BlockList') into.blocks.push(resource)
  else if (resource.kind === 'Domain') into.domains.push(resource)
}

const nameOf = ({ metadata }: { readonly metadata: { readonly name: string } }): string => metadata.name
const byName = <T extends { readonly metadata: { readonly name: string } }>(items: readonly T[]): T[] =>
  [...items].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))

export function groupEntry({ metadata, spec }: TrunkGroup, trunks: ReadonlyMap<string, OutTrunk>): OutGroup {
  const members = spec.trunks.flatMap(({ trunk: name, priority, weight }) => {
    const trunk = trunks.get(name)
    return trunk === undefined ? [] : [{ trunk, priority, weight }]
  })
  return {
    name: metadata.name,
    key: `TrunkGroup/${metadata.name}`,
    order: spec.order,
    maxAttempts: spec.maxAttempts,
    neverAtALoss: spec.neverAtALoss,
    members: members.sort((a, b) => a.priority - b.priority),
  }
}

interface Ways {
  readonly trunks: ReadonlyMap<string, OutTrunk>
  readonly groups: ReadonlyMap<string, OutGroup>
  readonly headers: ReadonlyMap<string, readonly PlanEdit[]>
  readonly schedules: ReadonlyMap<string, ScheduleClock>
}

function routeEntry({ metadata, spec }: Route, { trunks, groups, headers, schedules }: Ways): RouteEntry {
  const { reject } = spec
  return {
    name: metadata.name,
    key: `Route/${metadata.name}`,
    text: spec.prefix ?? spec.pattern ?? '',
    priority: spec.priority,
    from: callerGroup(spec),
    schedule: schedules.get(spec.schedule ?? ''),
    scheduleName: spec.schedule ?? '',
    group: groups.get(spec.trunkGroup ?? ''),
    trunk: trunks.get(spec.trunk ?? ''),
    refused: reject && Object.freeze({ ...reject, code: 'route_refused' }),
    edits: headers.get(spec.headerPolicy ?? '') ?? NO_EDITS,
  }
}

function* routeTable(routes: readonly Route[], ways: Ways): Sliced<RouteTable> {
  const table = new RouteTable()
  const shared = new Map<string, { pattern: NumberPattern; entries: RouteEntry[] }>()
  yield* eachOf(routes, (route) => {
    const pattern = patternOf(route.spec)
    if (pattern === undefined) return
    const entry = routeEntry(route, ways)
    const known = shared.get(pattern.text)
    if (known === undefined) shared.set(pattern.text, { pattern, entries: [entry] })
    else known.entries.push(entry)
  })
  yield* eachOf(shared.values(), ({ pattern, entries }) => {
    if (entries.length > 1) entries.sort(compareRoutes)
    for (const entry of entries) table.add(pattern, entry)
  })
  return table
}

function* numberTable(numbers: readonly PhoneNumberResource[]) {
  const table = new PatternTable<NumberEntry>()
  const owned = new Map<string, NumberPattern[]>()
  yield* eachOf(numbers, ({ metadata, spec }) => {
    const pattern = parsePattern(spec.number ?? spec.pattern ?? '')
    if (pattern === undefined) return
    const { domain, to, trunks } = spec
    table.add(pattern, { key: `Number/${metadata.name}`, domain, to, trunks: trunks && new Set(trunks) })
    if (to.subscriber === undefined) return
    const name = to.subscriber.includes('@') ? to.subscriber : `${to.subscriber}@${domain}`
    const known = owned.get(name)
    if (known === undefined) owned.set(name, [pattern])
    else known.push(pattern)
  })
  return { table, owned }
}

function emergencyWays(plans: Sorted['plans']): Map<string, EmergencyWay> {
  const ways = new Map<string, EmergencyWay>()
  for (const { metadata, spec } of plans) {
    const { emergency } = spec
    if (emergency === undefined) continue
    const { numbers, trunkGroup = '', trunk = '' } = emergency
    ways.set(metadata.name, { key: `NumberPlan/${metadata.name}`, numbers: new Set(numbers), trunkGroup, trunk })
  }
  return ways
}

export const plansByName = (resources: readonly Resource[]): Map<string, NumberPlan> =>
  new Map(resources.flatMap((one) => (one.kind === 'NumberPlan' ? [[one.metadata.name, one.spec] as const] : [])))

function domainEdits(domains: Sorted['domains'], headers: ReadonlyMap<string, readonly PlanEdit[]>) {
  const found = new Map<string, readonly PlanEdit[]>()
  for (const { metadata, spec } of domains) {
    const edits = headers.get(spec.headerPolicy ?? '')
    if (edits !== undefined) found.set(metadata.name, edits)
  }
  return found
}

export function* layOutRouting(resources: readonly Resource[], parts: RoutingParts): Sliced<RoutingTables> {
  const sorted: Sorted = {
    ...{ numbers: [], routes: [], groups: [], trunks: [], plans: [], headers: [], blocks: [], domains: [] },
  }
  yield* eachOf(resources, (resource) => put(sorted, resource))
  const headers = new Map(sorted.headers.map((one) => [nameOf(one), headerEdits(one)]))
  const plans = plansByName(sorted.plans)
  const { ratePlans, schedules, lists } = parts
  const trunks = new Map(sorted.trunks.map((one) => [nameOf(one), outTrunk(one, { plans, ratePlans, headers })]))
  const groups = new Map(sorted.groups.map((one) => [nameOf(one), groupEntry(one, trunks)]))
  const routes = yield* routeTable(sorted.routes, { trunks, groups, headers, schedules })
  const { table: numbers, owned } = yield* numberTable(byName(sorted.numbers))
  const blocks = byName(sorted.blocks).map((one) => blockEntry(one, lists))
  return {
    numbers,
    routes,
    trunks,
    groups,
    emergency: emergencyWays(sorted.plans),
    domainEdits: domainEdits(sorted.domains, headers),
    owned,
    blocks: blocks.length === 0 ? undefined : new BlockRules(blocks),
  }
}
