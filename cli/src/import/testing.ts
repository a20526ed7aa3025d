// SPDX-License-Identifier: MIT
//
// Tables for tests, each from a file of its name.

import { importKamailio as importTables } from './kamailio.ts'
import type { Import } from './report.ts'
import type { KamailioOptions, KamailioTables } from './tables-of-kamailio.ts'

export type KamailioTablesOf = { readonly [K in keyof KamailioTables]?: string }

export function importKamailio(tables: KamailioTablesOf, options: KamailioOptions): Import {
  const texts = Object.entries(tables).map(([name, text]) => [name, { file: `${name}.csv`, text }])
  return importTables(Object.fromEntries(texts) as KamailioTables, options)
}
