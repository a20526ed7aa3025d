// SPDX-License-Identifier: MIT
// Contract: turns, logins and idle times of hunt groups. Not tested here: what plans make of them (packages/resources, services/policy).
import { expect, it } from 'vitest'
import { MAX_GROUP_FIELDS } from '../group-store.ts'
import { value, type World } from './world.ts'

export function groupContract(at: () => World): void {
  const groups = () => at().store.groups
  const name = () => at().name('HuntGroup/example.test/sales')
  const look = (group: string, takesTurn = false) => value(groups().lookAt(group, takesTurn))

  it('MUST give each turn once, and none to whoever only looks', async () => {
    const group = name()
    expect(await look(group)).toEqual({ turn: 0, members: [] })
    const turns = await Promise.all(Array.from({ length: 10 }, () => look(group, true)))
    expect(turns.map(({ turn }) => turn).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect((await look(group)).turn).toBe(10)
    expect((await look(name())).turn).toBe(0)
  })

  it('MUST know who has logged in, since when, and say whether that is news', async () => {
    const group = name()
    const [alice, bob] = ['sip:alice@example.test', 'sip:bob@example.test'] as const
    expect(await value(groups().setLogin(group, bob, true))).toBe(true)
    expect(await value(groups().setLogin(group, bob, true))).toBe(false)
    await at().advance(20)
    expect(await value(groups().setLogin(group, alice, true))).toBe(true)
    const { members } = await look(group, true)
    expect(members.map(({ member }) => member)).toEqual([alice, bob])
    expect(members[0]?.inMs).toBeGreaterThan(members[1]?.inMs ?? Number.POSITIVE_INFINITY)
    expect(await value(groups().setLogin(group, bob, false))).toBe(true)
    expect(await value(groups().setLogin(group, bob, false))).toBe(false)
    expect((await look(group)).members.map(({ member }) => member)).toEqual([alice])
  })

  it('MUST keep the end of the last call of each member', async () => {
    const group = name()
    await value(groups().noteCallEnd(group, 'sip:alice@example.test'))
    await at().advance(20)
    await value(groups().noteCallEnd(group, 'sip:bob@example.test'))
    await value(groups().setLogin(group, 'sip:bob@example.test', true))
    const [alice, bob] = (await look(group)).members
    expect(alice).toMatchObject({ inMs: undefined, idleMs: expect.any(Number) })
    expect(bob?.idleMs).toBeGreaterThan(alice?.idleMs ?? Number.POSITIVE_INFINITY)
    await at().advance(20)
    await value(groups().noteCallEnd(group, 'sip:alice@example.test'))
    expect((await look(group)).members[0]?.idleMs).toBeGreaterThan(bob?.idleMs ?? Number.POSITIVE_INFINITY)
  })

  it('MUST bound the logins of a group', async () => {
    const group = name()
    const logins = Array.from({ length: MAX_GROUP_FIELDS }, (_, i) =>
      value(groups().setLogin(group, `sip:${i}@a.test`, true)),
    )
    await Promise.all(logins)
    expect(await groups().setLogin(group, 'sip:more@a.test', true)).toMatchObject({
      state: 'notStored',
      reason: 'full',
    })
    expect(await value(groups().setLogin(group, 'sip:0@a.test', true))).toBe(false)
  })

  it.each([
    ['a group', 'a{b}', 'sip:alice@a.test'],
    ['a member', 'group', 'two words'],
  ])('MUST refuse %s that can not be kept', async (_what, group, member) => {
    expect(await groups().setLogin(group, member, true)).toMatchObject({ state: 'notStored', reason: 'invalid' })
    expect(await groups().noteCallEnd(group, member)).toMatchObject({ state: 'notStored', reason: 'invalid' })
  })
}
