// SPDX-License-Identifier: MIT
//
// What is given of Kamailio's or OpenSIPS' tables, and what several of them become: a trunk.
import type { Import } from './report.ts'
import type { HostSpec } from './sip-uri.ts'
import type { TableRow, TableText } from './table.ts'

export interface KamailioTables {
  readonly subscriber?: TableText
  readonly dispatcher?: TableText
  readonly drGateways?: TableText
  readonly drCarriers?: TableText
  readonly drRules?: TableText
  readonly address?: TableText
}

export interface KamailioOptions {
  /** Of users whose row names none. */
  readonly domain?: string
  readonly realm?: string
  /** Digits in prefixes are E.164 without its plus. */
  readonly e164: boolean
}

/** @param more of the spec; `enabled: true` is left out */
export function addTrunk(
  name: string,
  hosts: readonly HostSpec[],
  more: Readonly<Record<string, unknown>>,
  row: TableRow,
  into: Import,
): void {
  const description = row.get('description')
  const { enabled, ...others } = more
  const labels = description === '' ? {} : { labels: { description: description.slice(0, 256) } }
  into.add({
    kind: 'Trunk',
    metadata: { name, ...labels },
    spec: { hosts, ...(enabled === false && { enabled }), ...others },
    origin: row.place,
  })
}
