// SPDX-License-Identifier: MIT
//
// Tables of Kamailio and OpenSIPS as resources: `subscriber`, `dispatcher`, `dr_gateways`, `dr_carriers`, `dr_rules`, `address`. Their
// columns differ by version; each is known by its name. What a routing script does with the tables is in no table: a remark says where it matters.
import { readSubscribers } from '@tandem/resources'
import { importDrouting } from './drouting.ts'
import { Import, nameFrom } from './report.ts'
import { type HostSpec, hostFrom } from './sip-uri.ts'
import { readTable, type TableRow, type TableText } from './table.ts'
import { addTrunk, type KamailioOptions, type KamailioTables } from './tables-of-kamailio.ts'

export function importKamailio(tables: KamailioTables, options: KamailioOptions): Import {
  const into = new Import()
  if (tables.subscriber !== undefined) subscribers(tables.subscriber, options, into)
  if (tables.dispatcher !== undefined) dispatcher(tables.dispatcher, into)
  importDrouting(tables, options, into)
  if (tables.address !== undefined) addresses(tables.address, into)
  return into
}

function subscribers({ file, text }: TableText, { domain, realm }: KamailioOptions, into: Import): void {
  const read = readSubscribers(text, { ...(domain && { domain }), ...(realm && { realm }) })
  for (const { line, expected } of read.problems) into.remark(`${file}:${line}`, `not understood: ${expected}`)
  const domains = new Set<string>()
  for (const one of read.subscribers) {
    if (!domains.has(one.domain)) into.add({ kind: 'Domain', metadata: { name: one.domain }, spec: {}, origin: file })
    domains.add(one.domain)
    const ha1 = { ...(one.md5 && { md5: one.md5 }), ...(one.sha256 && { sha256: one.sha256 }) }
    const spec = {
      ...(one.username !== one.name && { usernames: [one.username] }),
      ...(one.account && { account: one.account }),
      credentials: { username: one.login, ha1 },
    }
    into.add({ kind: 'Subscriber', metadata: { name: one.name, domain: one.domain }, spec, origin: file })
  }
}

const DISPATCHER = [
  '-id',
  'setid',
  'destination',
  'flags?',
  'state?',
  'weight?',
  'priority?',
  'attrs?',
  'description?',
  'socket?',
  '-comm_socket',
  '-probe_mode',
]

/** `weight=50;maxload=20` */
const attributesOf = (text: string): Map<string, string> =>
  new Map(
    text
      .split(';')
      .filter((part) => part !== '')
      .map((part) => [part.split('=', 1)[0] as string, part.slice(part.indexOf('=') + 1)]),
  )

interface Destination {
  readonly name: string
  readonly priority: number
  readonly weight: number
}

/** A set is a group, a destination a trunk. */
function dispatcher(table: TableText, into: Import): void {
  const sets = new Map<string, Destination[]>()
  for (const row of readTable(table, DISPATCHER, into)) {
    const set = row.get('setid')
    const members = sets.get(set) ?? []
    const member = destination(row, `dispatcher-${nameFrom(set)}-${members.length + 1}`, into)
    if (member !== undefined) sets.set(set, [...members, member])
  }
  for (const [set, members] of sets) addSet(set, members, table.file, into)
}

function destination(row: TableRow, name: string, into: Import): Destination | undefined {
  const host = hostFrom(row.get('destination'))
  if (host === undefined) {
    into.remark(row.place, `not understood: destination ${row.get('destination')}`)
    return undefined
  }
  const attributes = attributesOf(row.get('attrs'))
  const maxCalls = Number(attributes.get('maxload') ?? 0)
  for (const key of attributes.keys()) {
    if (!['weight', 'rweight', 'maxload', 'duid'].includes(key))
      into.remark(row.place, `attribute ${key} is not read: nothing here corresponds to it`)
  }
  if (row.get('socket') !== '') into.remark(row.place, 'the socket is not read: an edge chooses its own')
  // Kamailio: bit 0 inactive, bit 2 taken out by hand, bit 3 probing. OpenSIPS: state 1 disabled, 2 probing.
  const flags = Number(row.get('flags') || 0)
  const isOff = (flags & 5) !== 0 || row.get('state') === '1'
  const isProbed = (flags & 8) !== 0 || row.get('state') === '2'
  addTrunk(
    name,
    [host],
    { enabled: !isOff, ...(isProbed && { probe: {} }), ...(maxCalls > 0 && { maxCalls }) },
    row,
    into,
  )
  const weight = Number(attributes.get('weight') ?? attributes.get('rweight') ?? row.get('weight') ?? 1)
  return { name, priority: Number(row.get('priority') || 0), weight: Number.isInteger(weight) ? weight : 1 }
}

/** Higher goes first there, lower here. */
function addSet(set: string, members: readonly Destination[], file: string, into: Import): void {
  const highest = Math.max(...members.map(({ priority }) => priority))
  const isWeighted = new Set(members.map(({ weight }) => weight)).size > 1
  const trunks = members.map(({ name, priority, weight }) => ({
    trunk: name,
    priority: highest - priority,
    ...(isWeighted && { weight }),
  }))
  const order = isWeighted ? 'weight' : 'roundRobin'
  const name = `dispatcher-${nameFrom(set)}`
  if (members.length === 0) return
  into.add({ kind: 'TrunkGroup', metadata: { name }, spec: { trunks, order }, origin: file })
  into.remark(
    file,
    `set ${set}: the algorithm stands in the routing script; TrunkGroup ${name} has order ${order}, and no Route names it yet`,
  )
}

const ADDRESS = ['-id', 'grp', 'ip|ip_addr', 'mask?', 'port?', 'tag?', 'proto?', 'pattern?', 'context_info?']
const TRANSPORTS: Readonly<Record<string, readonly string[]>> = {
  any: [],
  '': [],
  udp: ['udp'],
  tcp: ['tcp'],
  tls: ['tls'],
  ws: ['ws'],
  wss: ['wss'],
  sctp: ['sctp'],
}

/** Addresses of a group are where a trunk's calls come from. One that a gateway has lets that gateway's calls in. */
function addresses(table: TableText, into: Import): void {
  const groups = new Map<string, { readonly sources: unknown[]; readonly first: string; readonly row: TableRow }>()
  const hosts = hostsOfTrunks(into)
  for (const row of readTable(table, ADDRESS, into)) {
    const source = sourceOf(row, into)
    if (source === undefined) continue
    const [address = ''] = source.range.split('/')
    const own = source.range === address ? hosts.get(address) : undefined
    if (own !== undefined) {
      own.inbound = 'allow'
      continue
    }
    const group = groups.get(row.get('grp')) ?? { sources: [], first: address, row }
    group.sources.push(source.transports.length === 0 ? source.range : source)
    groups.set(row.get('grp'), group)
  }
  for (const [grp, { sources, first, row }] of groups) {
    const name = `address-${nameFrom(grp)}`
    addTrunk(
      name,
      [{ host: first.includes(':') ? `[${first}]` : first }],
      { enabled: false, sources, inbound: 'allow' },
      row,
      into,
    )
    into.remark(
      table.file,
      `group ${grp}: what it may do stands in the routing script; Trunk ${name} lets its calls in, and sends none`,
    )
  }
}

/** Specs by the address of a host, to be completed. */
function hostsOfTrunks({ drafts }: Import): Map<string, { inbound?: string }> {
  const found = new Map<string, { inbound?: string }>()
  for (const { kind, spec } of drafts) {
    if (kind !== 'Trunk') continue
    for (const { host } of spec.hosts as readonly HostSpec[])
      found.set(host.replace(/^\[|\]$/g, ''), spec as { inbound?: string })
  }
  return found
}

function sourceOf(row: TableRow, into: Import): { range: string; transports: readonly string[] } | undefined {
  const address = row.get('ip')
  const bits = Number(row.get('mask') || (address.includes(':') ? 128 : 32))
  const widest = address.includes(':') ? 128 : 32
  const transports = TRANSPORTS[row.get('proto').toLowerCase()]
  if (!/^[0-9A-Fa-f:.]+$/.test(address) || bits > widest || transports === undefined) {
    into.remark(row.place, `not understood: ${[address, row.get('mask'), row.get('proto')].filter(Boolean).join(' ')}`)
    return undefined
  }
  if (!['', '0'].includes(row.get('port')))
    into.remark(row.place, `port ${row.get('port')} is not read: a source is an address`)
  if (row.get('pattern') !== '')
    into.remark(row.place, `pattern ${row.get('pattern')} is not read: users of a source are not told apart`)
  for (const column of ['tag', 'context_info']) {
    if (row.get(column) !== '')
      into.remark(row.place, `${column} ${row.get(column)} is not read: it was for the routing script`)
  }
  return { range: bits === widest ? address : `${address}/${bits}`, transports }
}
