// SPDX-License-Identifier: MIT
// Contract: following changes. Nothing that was stored before `toldUntilMs` is untold; that is all a cache needs.
import { expect, it } from 'vitest'
import type { Following } from '../change-follower.ts'
import { shardOf } from '../shard.ts'
import { contact, update, value, type World } from './world.ts'

class Follower {
  readonly told: string[] = []
  gaps = 0
  readonly following: Following

  constructor(world: World) {
    this.following = world.store.location.followChanges({
      onChanges: (aors) => this.told.push(...aors),
      onGap: () => {
        this.gaps++
      },
    })
  }

  /** Everything that is stored now has been told. */
  async caughtUp(world: World): Promise<void> {
    const now = performance.now()
    await world.until(async () => this.following.toldUntilMs >= now)
  }
}

export function followContract(at: () => World): void {
  it('MUST begin with a gap, and tell each kind of change before it says that it is told', async () => {
    const { location } = at().store
    const follower = new Follower(at())
    await follower.caughtUp(at())
    expect(follower.gaps).toBe(1)
    const aor = at().name('sip:followed')
    const changes = [
      () => location.register(update(aor, 1, [contact('sip:a@h')])),
      () => location.register(update(aor, 2, [contact('sip:a@h')])),
      () => location.register(update(aor, 3, [contact('sip:a@h', { expiresS: 0 })])),
      () => location.register(update(aor, 4, [contact('sip:b@h')])),
      () => location.removeBindings(aor),
    ]
    for (const change of changes) {
      follower.told.length = 0
      await change()
      await follower.caughtUp(at())
      expect(follower.told).toContain(aor)
    }
    expect(follower.gaps).toBe(1)
    follower.following.stop()
  })

  it('MUST tell of bindings that ran out', async () => {
    const { location } = at().store
    const follower = new Follower(at())
    const aor = at().name('sip:brief')
    await location.register(update(aor, 1, [contact('sip:a@h', { expiresS: 1 })]))
    await follower.caughtUp(at())
    follower.told.length = 0
    await at().advance(1_100)
    await value(location.expire(shardOf(aor), 100))
    await follower.caughtUp(at())
    expect(follower.told).toContain(aor)
    follower.following.stop()
  })

  it('MUST tell changes of all shards, each address once for many changes of one time', async () => {
    const { location } = at().store
    const follower = new Follower(at())
    await follower.caughtUp(at())
    const aors = Array.from({ length: 300 }, () => at().name('sip:many'))
    await Promise.all(
      aors.map(async (aor) => location.register(update(aor, 1, [contact('sip:a@h'), contact('sip:b@h')]))),
    )
    await follower.caughtUp(at())
    expect(new Set(follower.told.filter((aor) => aors.includes(aor)))).toEqual(new Set(aors))
    follower.following.stop()
    follower.told.length = 0
    await location.register(update(aors[0] ?? '', 2, [contact('sip:a@h')]))
    await at().advance(100)
    expect(follower.told).toEqual([])
  })
}
