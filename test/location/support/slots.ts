// SPDX-License-Identifier: MIT
// Moves slots of a real Cluster as its administrators' tools do: importing, migrating, keys by MIGRATE, then the slot.
import type { RunningRedis } from '@tandem/test-kit'

export interface SlotMove {
  readonly slot: number
  readonly from: RunningRedis
  readonly to: RunningRedis
  /** All nodes that are told of the new owner. */
  readonly masters: readonly RunningRedis[]
}

export async function slotOf(node: RunningRedis, key: string): Promise<number> {
  return Number(await node.ask('CLUSTER', 'KEYSLOT', key))
}

export async function openMove({ slot, from, to }: SlotMove): Promise<void> {
  await to.ask('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', await from.ask('CLUSTER', 'MYID'))
  await from.ask('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', await to.ask('CLUSTER', 'MYID'))
}

/** Up to `count` keys at once; how many there were. */
export async function moveKeys({ slot, from, to }: SlotMove, count: number): Promise<number> {
  const listed = await from.ask('CLUSTER', 'GETKEYSINSLOT', String(slot), String(count))
  const keys = listed.split('\n').filter((key) => key !== '')
  if (keys.length > 0) await from.ask('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys)
  return keys.length
}

export async function closeMove({ slot, to, masters }: SlotMove): Promise<void> {
  const id = await to.ask('CLUSTER', 'MYID')
  for (const master of masters) await master.ask('CLUSTER', 'SETSLOT', String(slot), 'NODE', id)
}

/** The whole, as fast as it goes. */
export async function moveSlot(move: SlotMove): Promise<void> {
  await openMove(move)
  while ((await moveKeys(move, 10)) > 0);
  await closeMove(move)
}
