// SPDX-License-Identifier: MIT
// Contract: the feed of finished records. Groups are each test's own; records of other tests may be among those read.
import { expect, it } from 'vitest'
import type { RecordReader } from '../policy-store.ts'
import { createReference } from '../shard.ts'
import type { RecordItem } from '../types.ts'
import { CONTRACT_SETTINGS, description, value, type World } from './world.ts'

export function recordContract(at: () => World): void {
  const finish = async (count: number) => {
    const refs = Array.from({ length: count }, () => createReference())
    for (const ref of refs) {
      const report = { call: description(ref), ageMs: 0, status: 486, cause: 'rejected', reason: '' }
      await value(at().store.policy.failed(ref, report))
    }
    return refs
  }
  /** Reads until every reference was seen. */
  const collect = async (reader: RecordReader, refs: readonly string[]) => {
    const found = new Map<string, RecordItem>()
    const seen = new Set<string>()
    await at().until(async () => {
      for (const item of await value(reader.read(50))) {
        expect(seen.has(item.id)).toBe(false)
        seen.add(item.id)
        if (refs.includes(item.record.cdrId)) found.set(item.record.cdrId, item)
      }
      return found.size === refs.length
    })
    return [...found.values()]
  }

  it('MUST deliver each record once to each group, until acknowledged', async () => {
    const { policy } = at().store
    const [a, b] = [policy.openRecords(at().name('sink'), 'c'), policy.openRecords(at().name('sink'), 'c')]
    await value(a.read(1))
    await value(b.read(1))
    const refs = await finish(20)
    const items = await collect(a, refs)
    expect(new Set(items.map((item) => item.id)).size).toBe(20)
    await value(a.acknowledge(items.map((item) => item.id)))
    await value(a.acknowledge(items.map((item) => item.id)))
    expect(await collect(b, refs)).toHaveLength(20)
  })

  it('MUST deliver again after a restart what was not acknowledged, and nothing else', async () => {
    const { policy } = at().store
    const group = at().name('sink')
    const refs = await finish(6)
    const items = await collect(policy.openRecords(group, 'c'), refs)
    const kept = items.slice(0, 2)
    const lost = items.slice(2)
    const before = policy.openRecords(group, 'c')
    await value(before.acknowledge(kept.map((item) => item.id)))
    const restarted = policy.openRecords(group, 'c')
    const again = await collect(
      restarted,
      lost.map((item) => item.record.cdrId),
    )
    expect(again.map((item) => item.id).sort()).toEqual(lost.map((item) => item.id).sort())
    const more = await finish(1)
    expect(await collect(restarted, more)).toHaveLength(1)
  })

  it('MUST give what another consumer leaves to this one', async () => {
    const { policy } = at().store
    const group = at().name('sink')
    const refs = await finish(3)
    await collect(policy.openRecords(group, 'gone'), refs)
    const heir = policy.openRecords(group, 'heir')
    await at().advance(CONTRACT_SETTINGS.redeliverMs + 50)
    expect(await collect(heir, refs)).toHaveLength(3)
  })

  it('MUST count what waits and what is pending', async () => {
    const { policy } = at().store
    const group = at().name('sink')
    const reader = policy.openRecords(group, 'c')
    const refs = await finish(3)
    const waiting = await value(policy.recordLag(group))
    expect(waiting.waiting).toBeGreaterThanOrEqual(3)
    expect(waiting.pending).toBe(0)
    const items = await collect(reader, refs)
    const { pending } = await value(policy.recordLag(group))
    expect(pending).toBeGreaterThanOrEqual(3)
    await value(reader.acknowledge(items.map((item) => item.id)))
    expect(await value(policy.recordLag(group))).toMatchObject({ pending: pending - 3 })
  })

  it('MUST keep a record until every group has it, and forget a group on request', async () => {
    const { policy } = at().store
    const [fast, slow] = [at().name('sink'), at().name('sink')]
    const [reader, other] = [policy.openRecords(fast, 'c'), policy.openRecords(slow, 'c')]
    await value(other.read(1))
    const refs = await finish(4)
    const items = await collect(reader, refs)
    await value(reader.acknowledge(items.map((item) => item.id)))
    await collect(other, refs)
    expect(await collect(policy.openRecords(slow, 'c'), refs)).toHaveLength(4)
    await value(policy.dropGroup(slow))
    expect((await value(policy.recordLag(slow))).pending).toBe(0)
  })
}
