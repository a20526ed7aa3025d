// SPDX-License-Identifier: MIT
// The order in which SRV records are tried: RFC 2782, "Usage rules". Lowest priority first; within one priority a record's chance to come
// next is its weight's share, records of weight 0 having a very small one.
import type { SrvRecord } from './resolver.ts'

/** A new list; random gives [0, 1). */
export function orderSrv(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const priorities = [...new Set(records.map((record) => record.priority))].sort((a, b) => a - b)
  return priorities.flatMap((priority) =>
    orderByWeight(
      records.filter((record) => record.priority === priority),
      random,
    ),
  )
}

function orderByWeight(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  // Those of weight 0 stand first, so that the running sum reaches them for the number 0 only.
  const left = [...records].sort((a, b) => Number(a.weight !== 0) - Number(b.weight !== 0))
  const ordered: SrvRecord[] = []
  while (left.length > 0) {
    const sum = left.reduce((total, record) => total + record.weight, 0)
    const [chosen] = left.splice(indexAt(left, Math.floor(random() * (sum + 1))), 1)
    if (chosen !== undefined) ordered.push(chosen)
  }
  return ordered
}

/** The first record whose running sum is not below the number. */
function indexAt(records: readonly SrvRecord[], number: number): number {
  let sum = 0
  return records.findIndex((record) => {
    sum += record.weight
    return sum >= number
  })
}
