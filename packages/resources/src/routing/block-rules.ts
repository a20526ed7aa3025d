// SPDX-License-Identifier: MIT
//
// BlockLists laid out: which one stops a call.
import type { NumberTables } from '../number-list/load-lists.ts'
import type { NumberTable } from '../number-list/number-table.ts'
import type { BlockList } from './block-list.ts'
import { parsePattern } from './number-pattern.ts'
import { PatternTable } from './pattern-table.ts'
import type { Refused } from './routed.ts'

/** A call as lists see it. Names of domains, `NAME@DOMAIN` of subscribers; '' for none. */
export interface BlockQuestion {
  /** Of the caller who is ours. */
  readonly callerDomain: string
  readonly caller: string
  /** Of who is called, where that is ours. */
  readonly calleeDomain: string
  readonly callee: string
  /** Canonical; '' for what is no number. */
  readonly calledNumber: string
  readonly callerNumber: string
  /** `sip:user@host` of From, host in lower case. */
  readonly callerAddress: string
  readonly anonymous: boolean
}

export interface Blocked extends Refused {
  readonly key: string
}

interface NumberSet {
  readonly patterns: PatternTable<true>
  readonly lists: readonly NumberTable[]
  readonly except: PatternTable<true>
}

interface Callers extends NumberSet {
  readonly addresses: ReadonlySet<string>
  readonly anonymous: boolean
}

interface BlockEntry {
  readonly blocked: Blocked
  readonly inbound: boolean
  readonly outbound: boolean
  readonly domains: ReadonlySet<string>
  readonly subscribers: ReadonlySet<string>
  readonly callees: NumberSet | undefined
  readonly callers: Callers | undefined
}

const always = (): boolean => true

function tableOf(patterns: readonly string[]): PatternTable<true> {
  const table = new PatternTable<true>()
  for (const text of patterns) {
    const pattern = parsePattern(text)
    if (pattern !== undefined) table.add(pattern, true)
  }
  return table
}

interface NumberSpec {
  readonly patterns: readonly string[]
  readonly lists: readonly string[]
  readonly except: readonly string[]
}

const numberSet = ({ patterns, lists, except }: NumberSpec, tables: NumberTables): NumberSet => ({
  patterns: tableOf(patterns),
  lists: lists.flatMap((name) => tables.get(name) ?? []),
  except: tableOf(except),
})

export function blockEntry({ metadata, spec }: BlockList, tables: NumberTables): BlockEntry {
  const { direction, status, reason, callees, callers } = spec
  return {
    blocked: Object.freeze({ key: `BlockList/${metadata.name}`, status, reason, code: 'blocked' }),
    inbound: direction !== 'outbound',
    outbound: direction !== 'inbound',
    domains: new Set(spec.domains),
    subscribers: new Set(spec.subscribers),
    callees: callees && numberSet(callees, tables),
    callers: callers && {
      ...numberSet(callers, tables),
      addresses: new Set(callers.addresses.map((one) => one.toLowerCase())),
      anonymous: callers.anonymous,
    },
  }
}

function has({ patterns, lists, except }: NumberSet, number: string): boolean {
  if (number === '') return false
  const found = patterns.find(number, always) === true || lists.some((list) => list.match(number) !== undefined)
  return found && except.find(number, always) === undefined
}

function hasCaller(callers: Callers, { callerNumber, callerAddress, anonymous }: BlockQuestion): boolean {
  if (anonymous) return callers.anonymous
  if (has(callers, callerNumber)) return true
  const { addresses } = callers
  if (addresses.size === 0) return false
  return addresses.has(callerAddress) || addresses.has(callerAddress.slice(callerAddress.indexOf('@') + 1))
}

function isInScope({ domains, subscribers }: BlockEntry, domain: string, subscriber: string): boolean {
  if (domains.size === 0 && subscribers.size === 0) return domain !== ''
  return domains.has(domain) || subscribers.has(subscriber)
}

export class BlockRules {
  readonly #entries: readonly BlockEntry[]

  constructor(entries: readonly BlockEntry[]) {
    this.#entries = entries
  }

  /** The first list that stops it, in the order of their names. */
  find(call: BlockQuestion): Blocked | undefined {
    for (const entry of this.#entries) {
      const { inbound, outbound, callees, callers, blocked } = entry
      const isIn =
        (outbound && isInScope(entry, call.callerDomain, call.caller)) ||
        (inbound && isInScope(entry, call.calleeDomain, call.callee))
      if (!isIn) continue
      if (callees !== undefined && !has(callees, call.calledNumber)) continue
      if (callers !== undefined && !hasCaller(callers, call)) continue
      return blocked
    }
    return undefined
  }
}
