// SPDX-License-Identifier: MIT
// The table of server transactions when somebody chooses keys of one hash: everything is found and let go all the same.
// What it leaves out is in layer.test.ts: RFC 2543 senders, matching.
import { expect, test } from 'vitest'
import type { SipMessage } from '../message/index.ts'
import { ServerTable } from './server-table.ts'
import { ServerTransaction } from './server-transaction.ts'

const PEER = { reliable: false }
const NO_MESSAGE = undefined as unknown as SipMessage

/** Differ where the table does not look, behind their first 256 characters. */
const keyOf = (k: number): string => `${'x'.repeat(300)}${k}`

test('[RFC3261-17.2.3] keys of one hash are found, refused twice, and removed in any order', () => {
  const byId: (ServerTransaction | undefined)[] = []
  const table = new ServerTable(byId)
  for (let k = 0; k < 300; k += 1) {
    const tx = new ServerTransaction(k, 0, keyOf(k), PEER, undefined)
    byId[k] = tx
    expect(table.find(NO_MESSAGE, tx.key)).toBeUndefined()
    expect(table.add(tx)).toBe(true)
    expect(table.add(new ServerTransaction(1_000, 0, tx.key, PEER, undefined))).toBe(false)
  }
  for (let k = 0; k < 300; k += 7) {
    table.remove(byId[k] as ServerTransaction)
    byId[k] = undefined
  }
  for (let k = 0; k < 300; k += 1) expect(table.findByKey(keyOf(k))).toBe(byId[k])
})
