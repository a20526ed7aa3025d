// SPDX-License-Identifier: MIT
//
// Dynamic routing of Kamailio and OpenSIPS: gateways are trunks, carriers and lists of gateways are trunk groups, rules are routes.
import { type Import, nameFrom } from './report.ts'
import { type HostSpec, hostFrom } from './sip-uri.ts'
import { readTable, type TableRow, type TableText } from './table.ts'
import { addTrunk, type KamailioOptions, type KamailioTables } from './tables-of-kamailio.ts'

const GATEWAYS = [
  '-id',
  'gwid',
  'type?',
  'address',
  'strip?',
  'pri_prefix?',
  'attrs?',
  'probe_mode?',
  'state?',
  'socket?',
  'description?',
]
const CARRIERS = ['-id', 'carrierid', 'gwlist', 'flags?', 'sort_alg?', 'state?', 'attrs?', 'description?']
const RULES = [
  'ruleid?',
  'groupid',
  'prefix',
  'timerec?',
  'priority?',
  'routeid?',
  'gwlist',
  'sort_alg?',
  '-sort_profile',
  'attrs?',
  'description?',
]

interface Known {
  readonly into: Import
  /** Name of the trunk of a gateway. */
  readonly gateways: Map<string, string>
  readonly carriers: Map<string, Carrier>
  /** Name of the group that has this list, so that rules share one. */
  readonly groups: Map<string, string>
}

interface Member {
  readonly trunk: string
  readonly priority: number
  readonly weight: number | undefined
}

interface Carrier {
  readonly group: string
  readonly members: readonly Member[]
}

export function importDrouting(
  { drGateways, drCarriers, drRules }: KamailioTables,
  options: KamailioOptions,
  into: Import,
): void {
  const known: Known = { into, gateways: new Map(), carriers: new Map(), groups: new Map() }
  if (drGateways !== undefined) for (const row of readTable(drGateways, GATEWAYS, into)) gateway(row, options, known)
  if (drCarriers !== undefined) for (const row of readTable(drCarriers, CARRIERS, into)) carrier(row, known)
  if (drRules !== undefined) rules(drRules, options, known)
}

function gateway(row: TableRow, { e164 }: KamailioOptions, { into, gateways }: Known): void {
  const id = row.get('gwid')
  const hosts = row
    .get('address')
    .split(',')
    .map((text) => hostFrom(text))
  if (id === '' || hosts.length === 0 || !hosts.every((host): host is HostSpec => host !== undefined)) {
    into.remark(row.place, `not understood: address ${row.get('address')} of gateway ${id}`)
    return
  }
  const strip = Number(row.get('strip') || 0)
  const prefix = row.get('pri_prefix')
  const numbersOut = {
    ...(e164 && { form: 'e164WithoutPlus' }),
    ...(strip > 0 && { strip }),
    ...(prefix && { prefix }),
  }
  for (const column of ['attrs', 'socket']) {
    if (row.get(column) !== '')
      into.remark(row.place, `${column} ${row.get(column)} is not read: it was for the routing script`)
  }
  const name = `gateway-${nameFrom(id)}`
  // state: 1 disabled, 2 probing; probe_mode: 1 when it has failed, 2 always.
  const probe = row.get('probe_mode') === '2' || row.get('state') === '2' ? { probe: {} } : {}
  const more = {
    enabled: row.get('state') !== '1',
    ...(Object.keys(numbersOut).length > 0 && { numbersOut }),
    ...probe,
  }
  addTrunk(name, hosts, more, row, into)
  gateways.set(id, name)
}

/** `gw1=10,gw2=5,#cr1`, `1,2;3`: behind a semicolon stand those for when all before have failed. */
function membersOf(list: string, row: TableRow, { into, gateways, carriers }: Known): Member[] {
  const members: Member[] = []
  for (const [priority, tier] of list.split(';').entries()) {
    for (const entry of tier.split(',').filter((text) => text.trim() !== '')) {
      const [id = '', weight] = entry.trim().split('=')
      const trunk = gateways.get(id)
      const inner = id.startsWith('#') ? carriers.get(id.slice(1)) : undefined
      if (trunk !== undefined)
        members.push({ trunk, priority, weight: weight === undefined ? undefined : Number(weight) })
      else if (inner !== undefined) members.push(...inner.members.map((member) => ({ ...member, priority })))
      else
        into.remark(
          row.place,
          `not understood: there is no ${id.startsWith('#') ? 'carrier' : 'gateway'} ${id.replace('#', '')} in the tables given`,
        )
    }
  }
  return members.filter((one, at) => members.findIndex(({ trunk }) => trunk === one.trunk) === at)
}

/** @returns its name; undefined where nothing of the list is known */
function groupOf(
  name: string,
  members: readonly Member[],
  isWeighted: boolean,
  place: string,
  { into, groups }: Known,
): string | undefined {
  if (members.length === 0) return undefined
  // With weights nobody stands before another; without them the order of the list counts.
  const trunks = members.map(({ trunk, priority, weight = 1 }) => ({ trunk, priority, ...(isWeighted && { weight }) }))
  const spec = { trunks, order: isWeighted ? 'weight' : 'priority' }
  const key = JSON.stringify(spec)
  const shared = groups.get(key)
  if (shared !== undefined) return shared
  if (!into.add({ kind: 'TrunkGroup', metadata: { name }, spec, origin: place })) return undefined
  groups.set(key, name)
  return name
}

/** sort_alg W, or bit 0 of the older flags; Q is not read. */
function isWeighted(row: TableRow, list: string, into: Import): boolean {
  const algorithm = row.get('sort_alg').toUpperCase()
  if (algorithm === 'Q' || algorithm === 'QUALITY')
    into.remark(row.place, 'sort_alg Q: `order: quality` of a TrunkGroup comes nearest; the order of the list is taken')
  return algorithm === 'W' || (Number(row.get('flags') || 0) & 1) === 1 || (algorithm === '' && /=\d/.test(list))
}

function carrier(row: TableRow, known: Known): void {
  const id = row.get('carrierid')
  const list = row.get('gwlist')
  const members = membersOf(list, row, known)
  if (row.get('state') === '1') return known.into.remark(row.place, `carrier ${id} is disabled: left out`)
  const group = groupOf(`carrier-${nameFrom(id)}`, members, isWeighted(row, list, known.into), row.place, known)
  if (group === undefined) return known.into.remark(row.place, `carrier ${id} has no gateway that is known: left out`)
  if ((Number(row.get('flags') || 0) & 2) !== 0)
    known.into.remark(row.place, `carrier ${id} uses its first gateway alone: here the next one is tried when it fails`)
  known.carriers.set(id, { group, members })
}

function rules(table: TableText, options: KamailioOptions, known: Known): void {
  const rows = readTable(table, RULES, known.into)
  const highest = Math.max(0, ...rows.map((row) => Number(row.get('priority') || 0)))
  for (const [at, row] of rows.entries()) rule(row, row.get('ruleid') || String(at + 1), highest, options, known)
}

function rule(row: TableRow, id: string, highest: number, { e164 }: KamailioOptions, known: Known): void {
  const { into } = known
  const digits = row.get('prefix')
  if (!/^\+?[0-9*#]*$/.test(digits)) return into.remark(row.place, `rule ${id}: not understood: prefix ${digits}`)
  if (row.get('timerec') !== '')
    return into.remark(
      row.place,
      `rule ${id} holds at times alone (${row.get('timerec')}), in a zone that no table names: left out; write a Schedule, and a Route that names it`,
    )
  const list = row.get('gwlist')
  const single = /^#([^,;=]+)$/.exec(list.trim())?.[1]
  const group =
    (single && known.carriers.get(single)?.group) ||
    groupOf(`rule-${nameFrom(id)}`, membersOf(list, row, known), isWeighted(row, list, into), row.place, known)
  if (group === undefined) return into.remark(row.place, `rule ${id} leads to no gateway that is known: left out`)
  for (const column of ['routeid', 'attrs']) {
    if (!['', '0'].includes(row.get(column)))
      into.remark(row.place, `rule ${id}: ${column} ${row.get(column)} is not read: it was for the routing script`)
  }
  const prefix = digits === '' ? '*' : e164 && /^[1-9]/.test(digits) ? `+${digits}` : digits
  const priority = highest - Number(row.get('priority') || 0)
  addRoutes(row, id, { prefix, ...(priority !== 0 && { priority: 100 + priority }), trunkGroup: group }, known)
}

/** Group 0 alone is everybody; other groups become a label that the callers' Subscribers must have. */
function addRoutes(row: TableRow, id: string, spec: Readonly<Record<string, unknown>>, { into }: Known): void {
  const groups = row
    .get('groupid')
    .split(/[,;\s]+/)
    .filter((text) => text !== '')
  const description = row.get('description')
  const labels = description === '' ? {} : { labels: { description: description.slice(0, 256) } }
  const all = groups.length === 0 || groups.includes('0') ? [''] : groups
  for (const group of all) {
    const name = `rule-${nameFrom(id)}${group === '' || all.length === 1 ? '' : `-${nameFrom(group)}`}`
    const from = group === '' ? {} : { from: { labels: { 'dr-group': group } } }
    into.add({ kind: 'Route', metadata: { name, ...labels }, spec: { ...spec, ...from }, origin: row.place })
    if (group !== '')
      into.remark(
        row.place,
        `rule ${id} is for group ${group}: its callers' Subscribers need the label dr-group: "${group}"`,
      )
  }
}
