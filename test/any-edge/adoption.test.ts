// SPDX-License-Identifier: MIT
// An edge is killed without a word while it sets up a call over UDP: caller and callee complete it through those that remain, the callee
// is called once, and the call has one record. One test for each point at which it may die.
// Not tested here: contacts behind connections, real processes (test/e2e, test/chaos).
import { startLine } from '@tandem/test-kit'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { World } from './support/world.ts'

let world: World
afterEach(async () => {
  expect(world.cluster.problems).toEqual([])
  await world.cluster.close()
})

const REMAINING = [0, 0]

/** Answered, acknowledged, talked, ended; one record, and nothing left behind. */
async function completes(callee = world.bob): Promise<void> {
  expect(await world.finish(callee)).toBe('SIP/2.0 200 Test')
  expect(world.asked(callee)).toEqual(['INVITE', 'ACK', 'BYE'])
  expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  expect(await world.linger()).toEqual(REMAINING)
}

/** Edge 0 takes alice's INVITE and is killed; its callee's and its caller's datagrams go to 1 and 2 from then on. */
async function killed(before: () => Promise<void> = async () => undefined, both = false): Promise<void> {
  world = await World.create(3, both)
  await world.call()
  await before()
  world.cluster.kill(0)
  world.steer(1, world.bob, world.bobTwo)
  world.steer(2, world.alice)
}

describe('the owner is killed', () => {
  test('after the INVITE has left, before 180: the 180 finds an edge that adopts, at once', async () => {
    await killed()
    await world.answer(world.bob, 180)
    expect(world.seen()).toEqual(['100', '180']) // without any time passing
    expect(world.counts(1)).toMatchObject({ adoptions: 1, relaysLost: 1 })
    await world.answer(world.bob, 200)
    await completes()
  })

  test('between 180 and 200: the answer is put on record, and only then passed on', async () => {
    await killed(() => world.answer(world.bob, 180))
    await world.answer(world.bob, 200)
    expect(world.seen()).toEqual(['100', '180', '200'])
    expect(world.counts(1)).toMatchObject({ adoptions: 1, callsAnswered: 1 })
    const [first, second] = [0, 1].map((edge) => world.cluster.edge(edge).core.edgeId)
    await completes()
    const record = await world.record()
    expect(record).toMatchObject({
      type: 'call',
      state: 'complete',
      setupEdge: second,
      edges: expect.arrayContaining([first, second]),
      endedBy: 'caller',
      facts: { tenant: 'tandem.test', direction: 'internal', dialled: 'bob@tandem.test', authMethod: 'none' },
      answerer: { aor: 'sip:bob@tandem.test', transport: 'udp', address: '192.0.2.30' },
      attempts: [{ status: 200 }],
    })
    expect(record?.durationMs).toBeGreaterThanOrEqual(3_000n)
    expect(record?.setupUnixMs).toBeGreaterThan(0n)
  })

  test('between 200 and ACK: the callee’s repeated 200 and the caller’s ACK pass', async () => {
    await killed(() => world.answer(world.bob, 200))
    await world.answer(world.bob, 200)
    expect(world.seen()).toEqual(['100', '200', '200'])
    expect(world.counts(1)).toMatchObject({ adoptions: 0, statelessResponses: 1 })
    await completes()
  })

  test('before 100 has gone: the repeated INVITE is adopted by the edge that gets it, and the callee called once', async () => {
    await killed()
    await world.call()
    expect(world.counts(2).adoptions).toBe(1)
    world.steer(2, world.bob)
    await world.answer(world.bob, 200)
    expect(world.seen()).toEqual(['100', '100', '200'])
    expect(world.callsAt(world.bob)).toBe(1)
    await world.finish()
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('in a serial fork, when the first attempt fails: the next one follows', async () => {
    await killed(() => world.answer(world.bob, 180), true)
    await world.answer(world.bob, 486)
    expect(world.asked(world.bob)).toEqual(['INVITE', 'ACK'])
    expect(world.asked(world.bobTwo)).toEqual(['INVITE'])
    await world.answer(world.bobTwo, 200)
    await completes(world.bobTwo)
  })

  test('in a serial fork, when the next attempt is in the directory and has not left', async () => {
    await killed(async () => undefined, true)
    const { core } = world.cluster.edge(1)
    const [entry] = (await listOwned()).calls
    const read = await core.location.invoke('readCall', { transactionKey: entry?.transactionKey ?? '' }, 1_000)
    expect(read).toMatchObject({ value: { entry: { branches: [{ finalStatus: 0 }] } } })
    await world.cluster.advance(8_000)
    expect(world.callsAt(world.bob)).toBe(1)
    await world.answer(world.bob, 486)
    await world.answer(world.bobTwo, 200)
    expect(world.seen().at(-1)).toBe('200')
    await world.finish(world.bobTwo)
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('during a REGISTER: the phone repeats it, and is bound', async () => {
    world = await World.create()
    const { alice } = world
    const register = alice.request('REGISTER', {
      uri: 'sip:tandem.test',
      to: '<sip:alice@tandem.test>',
      from: '<sip:alice@tandem.test>;tag=r',
      contact: alice.contact,
    })
    alice.send(register)
    world.cluster.network.run() // it is with the edge, which has asked policy
    world.cluster.kill(0)
    await world.cluster.settle()
    expect(alice.inbox).toEqual([])
    world.steer(1, alice)
    await world.send(alice, register)
    expect(startLine(alice.last())).toBe('SIP/2.0 200 OK')
  })

  const listOwned = async (): Promise<{ calls: { transactionKey: string }[] }> => {
    const owner = world.cluster.edge(0).core.edgeId
    const result = await world.cluster.edge(1).core.location.invoke('listOwned', { owner, limit: 10 }, 1_000)
    return result.outcome === 'done' ? result.value : { calls: [] }
  }
})

describe('what comes instead of an answer', () => {
  test('CANCEL: 200 at once, the callee is cancelled, the caller gets 487', async () => {
    await killed(() => world.answer(world.bob, 180))
    await world.cancel()
    expect(startLine(world.alice.last())).toBe('SIP/2.0 200 OK')
    await world.answer(world.bob, 180) // what it would say to the INVITE that Timer A repeats
    expect(world.asked(world.bob)).toEqual(['INVITE', 'CANCEL'])
    await world.answer(world.bob, 487)
    expect(world.seen().at(-1)).toBe('487')
    await world.acknowledgeFailure()
    expect(await world.linger()).toEqual(REMAINING)
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('the ACK of a failure that the owner had sent is absorbed', async () => {
    await killed(() => world.answer(world.bob, 486))
    await world.acknowledgeFailure()
    expect(world.counts(2)).toMatchObject({ acksAbsorbed: 1, droppedAck: 0 })
    expect(world.seen()).toEqual(['100', '486'])
  })

  test('a repeated INVITE after the owner’s failure gets that failure again', async () => {
    await killed(() => world.answer(world.bob, 486))
    await world.call()
    expect(world.seen()).toEqual(['100', '486', '486'])
    expect(world.callsAt(world.bob)).toBe(1)
  })

  test('a repeated failure after the owner’s: acknowledged, and not passed on', async () => {
    await killed(() => world.answer(world.bob, 486))
    const before = world.asked(world.bob).length
    await world.answer(world.bob, 486)
    expect(world.asked(world.bob).slice(before)).toEqual(['ACK'])
    expect(world.counts(1).failuresAbsorbed).toBe(1)
    expect(world.seen()).toEqual(['100', '486'])
  })
})

describe('nobody says anything', () => {
  test('it rings: its timers run on, and the caller gets a final response', async () => {
    await killed(() => world.answer(world.bob, 180))
    world.bob.onRequest = (text) => {
      if (text.startsWith('INVITE')) world.bob.answer(text, 180)
      if (text.startsWith('CANCEL')) {
        world.bob.answer(text, 200)
        world.bob.answer(world.inviteAt(world.bob), 487)
      }
    }
    await world.cluster.advance(60_000, 100)
    expect(world.seen().at(-1)).toBe('408')
    expect(world.counts(1).adoptions + world.counts(2).adoptions).toBe(1)
    expect(world.callsAt(world.bob)).toBe(1)
    expect(world.records().recordCount).toBe(1)
  })

  test('its next incarnation joins: that is the end of the old one too', async () => {
    await killed(() => world.answer(world.bob, 180))
    await world.cluster.start(0)
    await world.cluster.advance(100)
    expect(world.counts(1).adoptions + world.counts(2).adoptions).toBe(1)
    await world.answer(world.bob, 200)
    expect(world.seen().at(-1)).toBe('200')
    await world.finish()
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  const many = async (count: number): Promise<void> => {
    world = await World.create()
    for (let k = 0; k < count; k += 1) {
      const via = `SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK-many-${k}`
      const from = '<sip:alice@tandem.test>;tag=a'
      const parts = { via, uri: 'sip:bob@tandem.test', to: '<sip:bob@tandem.test>', from, callId: `many-${k}` }
      world.alice.send(world.alice.request('INVITE', parts))
    }
    await world.cluster.settle()
    world.cluster.kill(0)
  }

  test('the new incarnation gets no share of what it has never known: all are adopted at once', async () => {
    await many(50)
    world.steer(1, world.bob)
    await world.cluster.start(0)
    await world.cluster.advance(50)
    expect(world.counts(1).adoptions + world.counts(2).adoptions).toBe(50)
  })

  test('many calls of a dead edge are shared by those that remain, each adopted once', async () => {
    await many(100)
    world.steer(1, world.bob)
    world.bob.onRequest = (text) => world.bob.answer(text, 180)
    await world.cluster.advance(20_000, 100)
    const [one, two] = [world.counts(1).adoptions, world.counts(2).adoptions]
    expect(one + two).toBe(100)
    expect(Math.min(one, two)).toBeGreaterThan(20)
  })
})

describe('the owner lives after all', () => {
  test('silent for 50 ms it is relieved, and sends nothing more', async () => {
    world = await World.create()
    await world.call()
    world.steer(1, world.bob)
    world.cluster.edge(0).stream.isFrozen = true
    await world.answer(world.bob, 180)
    expect(world.seen()).toEqual(['100'])
    await world.cluster.advance(60)
    expect(world.seen()).toEqual(['100', '180'])
    expect(world.counts(1)).toMatchObject({ adoptions: 1, relaysLost: 1 })
    world.cluster.edge(0).stream.isFrozen = false
    await world.cluster.settle()
    expect(world.cluster.edge(0).core.proxy.counts.surrendered).toBe(1)
    const asked = world.bob.inbox.length
    await world.cluster.advance(3_000)
    expect(world.bob.inbox.length).toBe(asked)
    world.steer(0, world.bob)
    await world.answer(world.bob, 200)
    expect(world.seen().at(-1)).toBe('200')
    expect(world.counts(1).callsAnswered).toBe(1)
    await world.finish()
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  /** Edge 0 does not hear other edges for a while, and edge 1 adopts. */
  const adoptedBehindItsBack = async (): Promise<void> => {
    world = await World.create()
    await world.call()
    world.steer(1, world.bob)
    world.cluster.edge(0).stream.isFrozen = true
    await world.answer(world.bob, 180)
    await world.cluster.advance(70)
    expect(world.counts(1).adoptions).toBe(1)
    world.steer(0, world.bob)
  }

  test.each([
    [200, ['100', '180', '200']],
    [486, ['100', '180', '486']],
  ])('a %i that it has passed on before it hears of it is the only final response', async (status, seen) => {
    await adoptedBehindItsBack()
    await world.answer(world.bob, status)
    world.cluster.edge(0).stream.isFrozen = false
    await world.cluster.settle()
    expect(world.counts(0).concludedElsewhere).toBe(1)
    expect(world.counts(1).surrenders).toBe(1)
    await world.cluster.advance(1_000)
    expect(world.cluster.edge(1).core.proxy.inProgress).toBe(0)
    if (status === 200) await world.finish()
    else await world.acknowledgeFailure()
    await world.cluster.advance(60_000, 100) // past any ring time
    expect([...new Set(world.seen())]).toEqual(seen)
    expect(world.asked(world.bob)).not.toContain('CANCEL')
    expect(world.callsAt(world.bob)).toBe(1)
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('an answer that it had put on record and not passed on goes up once the other edge has it', async () => {
    await adoptedBehindItsBack()
    const { core } = world.cluster.edge(0)
    const report = vi.spyOn(core.reporter, 'report').mockImplementation(() => true) // under way, for as long as it takes
    await world.answer(world.bob, 200)
    expect(report).toHaveBeenCalledTimes(1)
    world.cluster.edge(0).stream.isFrozen = false
    await world.cluster.settle()
    expect(world.counts(0).surrenders).toBe(1)
    report.mock.calls[0]?.[1]?.('stored')
    report.mockRestore()
    expect(world.seen()).toEqual(['100', '180'])
    await world.answer(world.bob, 200) // repeated: without an ACK
    expect(world.seen()).toEqual(['100', '180', '200'])
    expect(world.counts(1).callsAnswered).toBe(1)
    await world.finish()
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('in a serial fork it begins no further attempt', async () => {
    world = await World.create(3, true)
    await world.call()
    world.steer(1, world.bob)
    world.cluster.edge(0).stream.isFrozen = true
    await world.answer(world.bob, 180)
    await world.cluster.advance(70)
    world.steer(0, world.bob)
    await world.answer(world.bob, 486)
    expect(world.callsAt(world.bobTwo)).toBe(0) // the directory refuses
    world.cluster.edge(0).stream.isFrozen = false
    await world.cluster.settle()
    await world.answer(world.bob, 486)
    expect(world.callsAt(world.bobTwo)).toBe(1)
    await world.answer(world.bobTwo, 200)
    expect(world.seen().filter((status) => status >= '200')).toEqual(['200'])
    await world.finish(world.bobTwo)
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('two edges find it gone at once: one adopts, the other relays', async () => {
    await killed(undefined, false)
    world.bob.answer(world.inviteAt(world.bob), 180)
    world.cluster.network.run()
    world.steer(2, world.bob)
    world.bob.answer(world.inviteAt(world.bob), 183)
    await world.cluster.settle()
    expect(world.counts(1).adoptions + world.counts(2).adoptions).toBe(1)
    expect(
      world
        .seen()
        .filter((status) => status !== '100')
        .sort(),
    ).toEqual(['180', '183'])
    await world.answer(world.bob, 200)
    await world.finish()
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })
})

test('a dialog goes on through an edge that was started after it', async () => {
  world = await World.create()
  await world.call()
  await world.answer(world.bob, 200)
  await world.acknowledge()
  const edge = await world.cluster.start()
  world.steer(3, world.alice, world.bob)
  for (const [k, method] of ['INVITE', 'UPDATE', 'INFO', 'BYE'].entries()) {
    await world.inDialog(method, k + 2)
    world.bob.answer(world.bob.last(), 200)
    await world.cluster.settle()
    expect(startLine(world.alice.last())).toBe('SIP/2.0 200 Test')
  }
  expect(edge.core.counts.inDialog).toBe(4)
  expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
})

test('an edge that dies with a BYE under way: whoever gets the answer reports the end', async () => {
  world = await World.create()
  await world.call()
  await world.answer(world.bob, 200)
  await world.acknowledge()
  await world.inDialog('BYE', 2)
  expect(world.bob.last()).toMatch(/^BYE /)
  world.cluster.kill(0)
  world.steer(1, world.bob)
  world.bob.answer(world.bob.last(), 200)
  await world.cluster.settle()
  expect(startLine(world.alice.last())).toBe('SIP/2.0 200 Test')
  expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
})

test('an edge that dies before the end is on record has not forwarded the 200: the repeated BYE is reported by the next edge', async () => {
  world = await World.create()
  await world.call()
  await world.answer(world.bob, 200)
  await world.acknowledge()
  vi.spyOn(world.cluster.edge(0).core.policy, 'call').mockImplementation(() => undefined) // what it says is lost with it
  await world.inDialog('BYE', 2)
  world.bob.answer(world.bob.last(), 200)
  await world.cluster.settle()
  expect(world.alice.last()).toContain('CSeq: 1 INVITE')
  expect(world.records()).toEqual({ recordCount: 0, callCount: 1 })
  world.cluster.kill(0)
  world.steer(1, world.alice, world.bob)
  await world.inDialog('BYE', 2)
  world.bob.answer(world.bob.last(), 200)
  await world.cluster.settle()
  expect(startLine(world.alice.last())).toBe('SIP/2.0 200 Test')
  expect(world.alice.last()).toContain('CSeq: 2 BYE')
  expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
})
