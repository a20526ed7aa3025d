// SPDX-License-Identifier: MIT
//
// `tandem import kamailio|opensips` and `tandem import routr`: files in, documents and a report out.
import { readFileSync } from 'node:fs'
import { CommandFailed } from '../command-failed.ts'
import { importKamailio } from './kamailio.ts'
import { importRoutr } from './routr.ts'
import type { TableText } from './table.ts'
import { type WriteOptions, writeImport } from './write.ts'

export interface KamailioFlags {
  readonly subscriber?: string
  readonly dispatcher?: string
  readonly drGateways?: string
  readonly drCarriers?: string
  readonly drRules?: string
  readonly address?: string
  readonly domain?: string
  readonly realm?: string
  readonly e164: boolean
  readonly out?: string
}

export interface RoutrFlags {
  readonly peerDomain?: string
  readonly out?: string
}

type Output = Omit<WriteOptions, 'out'>

function read(file: string): TableText {
  try {
    return { file, text: readFileSync(file, 'utf8') }
  } catch {
    throw new CommandFailed(`${file} can not be read`)
  }
}

const TABLES = ['subscriber', 'dispatcher', 'drGateways', 'drCarriers', 'drRules', 'address'] as const

export async function runKamailio(flags: KamailioFlags, output: Output): Promise<void> {
  const given = TABLES.flatMap((table) => (flags[table] === undefined ? [] : [[table, read(flags[table])] as const]))
  if (given.length === 0)
    throw new CommandFailed(
      'expected a table: --subscriber, --dispatcher, --dr-gateways, --dr-carriers, --dr-rules or --address',
    )
  const { domain, realm, e164, out } = flags
  const made = importKamailio(Object.fromEntries(given), { e164, ...(domain && { domain }), ...(realm && { realm }) })
  await writeImport(made, { ...output, ...(out && { out }) })
}

export async function runRoutr(
  files: readonly string[],
  { peerDomain, out }: RoutrFlags,
  output: Output,
): Promise<void> {
  const made = importRoutr(files.map(read), peerDomain === undefined ? {} : { peerDomain })
  await writeImport(made, { ...output, ...(out && { out }) })
}
