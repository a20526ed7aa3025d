// SPDX-License-Identifier: MIT
// Messages that reach another edge than the one that runs their INVITE, which lives: they are handed over and acknowledged.
// Not tested here: edges that are gone (adoption.test.ts).
import { startLine } from '@tandem/test-kit'
import { afterEach, describe, expect, test } from 'vitest'
import { World } from './support/world.ts'

let world: World
afterEach(async () => {
  expect(world.cluster.problems).toEqual([])
  await world.cluster.close()
})

async function ringing(): Promise<void> {
  world = await World.create()
  await world.call()
  world.steer(1, world.bob)
  await world.answer(world.bob, 180)
}

describe('the owner lives', () => {
  test('a response at another edge reaches the caller through the owner, acknowledged [DESIGN-4]', async () => {
    await ringing()
    await world.answer(world.bob, 200)
    expect(world.seen()).toEqual(['100', '180', '200'])
    expect(world.counts(1)).toMatchObject({ relayedResponses: 2, relaysLost: 0, adoptions: 0 })
    expect(world.counts(0)).toMatchObject({ relaysTaken: 2, callsAnswered: 1 })
    expect(world.cluster.streams.trace.map((text) => startLine(text))).toEqual([
      'RELAY sip:message@tandem SIP/2.0',
      'SIP/2.0 200 OK',
      'RELAY sip:message@tandem SIP/2.0',
      'SIP/2.0 200 OK',
    ])
    expect(await world.finish()).toBe('SIP/2.0 200 Test')
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
    expect(await world.linger()).toEqual([0, 0, 0])
  })

  test('no message of a call that stays at its edge asks anybody', async () => {
    world = await World.create()
    const before = world.cluster.edge(0).core.location.counts.items
    await world.call()
    await world.answer(world.bob, 180)
    await world.answer(world.bob, 200)
    expect(world.cluster.edge(0).core.location.counts.items - before).toBe(3) // locate, beginCall, endCall
    await world.finish()
    expect(world.cluster.streams.trace).toEqual([])
  })

  test('CANCEL at another edge gets its 200 there, and the owner cancels [RFC3261-9.2]', async () => {
    await ringing()
    world.steer(2, world.alice)
    await world.cancel()
    expect(startLine(world.alice.last())).toBe('SIP/2.0 200 OK')
    expect(world.asked(world.bob)).toEqual(['INVITE', 'CANCEL'])
    await world.answer(world.bob, 487)
    expect(world.seen()).toEqual(['100', '180', '487'])
    expect(world.counts(2).adoptions).toBe(0)
  })

  test('a CANCEL of nothing gets 481', async () => {
    world = await World.create()
    world.steer(1, world.alice)
    await world.cancel()
    expect(startLine(world.alice.last())).toBe('SIP/2.0 481 Call/Transaction Does Not Exist')
    expect(world.counts(1).cancelsUnmatched).toBe(1)
  })

  test('the ACK of a failure at another edge ends the owner’s retransmissions [RFC3261-17.2.1]', async () => {
    await ringing()
    await world.answer(world.bob, 486)
    world.steer(2, world.alice)
    await world.acknowledgeFailure()
    await world.cluster.advance(10_000)
    expect(world.seen()).toEqual(['100', '180', '486'])
    expect(world.counts(2)).toMatchObject({ relayedRequests: 1, droppedAck: 0 })
  })

  test('an ACK that belongs to nothing is dropped and counted', async () => {
    world = await World.create()
    world.steer(1, world.alice)
    await world.acknowledgeFailure()
    expect(world.counts(1).droppedAck).toBe(1)
    expect(world.alice.inbox).toEqual([])
  })

  test('a repeated INVITE at another edge: the callee sees one call, the caller the last response again', async () => {
    await ringing()
    world.steer(2, world.alice)
    await world.call()
    await world.call()
    expect(world.seen()).toEqual(['100', '180', '180', '180'])
    expect(world.callsAt(world.bob)).toBe(1)
    expect(world.counts(2)).toMatchObject({ relayedRequests: 2, droppedOwnedElsewhere: 0 })
    await world.answer(world.bob, 200)
    await world.finish()
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('two copies of an INVITE at two edges at once make one call', async () => {
    world = await World.create()
    world.cluster.steer = () => 0
    world.alice.send(world.invite)
    world.cluster.network.run()
    world.cluster.steer = (_text, address) => (address === world.alice.host ? 1 : 0)
    await world.call()
    expect(world.callsAt(world.bob)).toBe(1)
    await world.answer(world.bob, 200)
    await world.finish()
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('a CANCEL that meets a copy of its INVITE at another edge reaches the owner too', async () => {
    await ringing()
    world.steer(1, world.alice)
    world.alice.send(world.invite)
    await world.cancel()
    expect(world.asked(world.bob)).toEqual(['INVITE', 'CANCEL'])
    await world.answer(world.bob, 487)
    expect(world.seen().at(-1)).toBe('487')
    expect(world.records()).toEqual({ recordCount: 1, callCount: 0 })
  })

  test('a frame that no edge of ours wrote is refused, and changes nothing', async () => {
    await ringing()
    const forged = (text: string): void => {
      const { receiver, stream } = world.cluster.edge(0)
      const bytes = Buffer.from(text, 'latin1')
      const [connection] = stream.connections
      if (connection !== undefined) stream.sink?.onMessage(connection, bytes, 0, bytes.length)
      else receiver.receive(bytes, 0, bytes.length, { internal: true, peer: () => undefined as never })
    }
    const { key } = { key: `AZ${'z9hG4bK'}` }
    const body = `9 ${key}`
    forged(
      `RELAY sip:surrender@tandem SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5150;branch=z9hG4bK010123456789abcdef\r\n` +
        `Max-Forwards: 1\r\nFrom: <sip:edge@tandem>;tag=1\r\nTo: <sip:edge@tandem>\r\nCall-ID: 1\r\nCSeq: 1 RELAY\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    )
    await world.cluster.settle()
    expect(world.counts(0).refusedForgedToken).toBe(1)
    await world.answer(world.bob, 200)
    expect(world.seen()).toEqual(['100', '180', '200'])
  })
})
