// SPDX-License-Identifier: MIT
// The table of transactions against a Map, through growth, chains and ids that are used again.
import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { hashOfBytes, hashOfText } from './branch-hash.ts'
import { ChainTable } from './chain-table.ts'
import { ClientTransaction } from './client-transaction.ts'

const PEER = { reliable: false }

/** Few different endings, so that chains are long. */
const branchOf = (k: number): string => `z9hG4bK${k}-${(k * 7) % 500}`

test('finds what a Map would find, whatever is added and removed', () => {
  const byId: (ClientTransaction | undefined)[] = []
  const table = new ChainTable(byId)
  const expected = new Map<string, number>()
  const free: number[] = []
  for (let k = 0; k < 9_000; k += 1) {
    const key = branchOf(k)
    const id = free.pop() ?? byId.length
    byId[id] = new ClientTransaction(id, 0, key, PEER, undefined)
    table.add(id, hashOfText(key))
    expected.set(key, id)
    const goes = branchOf(Math.floor(k / 3))
    const gone = expected.get(goes)
    if (k % 2 === 0 || gone === undefined) continue
    table.remove(gone)
    byId[gone] = undefined
    expected.delete(goes)
    free.push(gone)
  }
  expect(expected.size).toBeGreaterThan(3_000)
  for (let k = 0; k < 9_000; k += 1) {
    const key = branchOf(k)
    expect(table.find(hashOfText(key), key)?.id, key).toBe(expected.get(key))
  }
})

test('bytes and text of a branch have one hash', () => {
  for (const branch of ['z9hG4bKAbc_-1234', 'x', '', 'short']) {
    const buf = Buffer.from(`..${branch}..`, 'latin1')
    expect(hashOfBytes(buf, 2, 2 + branch.length)).toBe(hashOfText(branch))
  }
})

test('a chain is crowded from sixteen on', () => {
  const table = new ChainTable<ClientTransaction>([])
  for (let id = 0; id < 15; id += 1) table.add(id, 7)
  expect(table.isCrowded(7)).toBe(false)
  table.add(15, 7)
  expect(table.isCrowded(7)).toBe(true)
  expect(table.isCrowded(8)).toBe(false)
  table.remove(3)
  expect(table.isCrowded(7)).toBe(false)
})
