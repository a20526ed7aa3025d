// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { InMemoryNetwork, type MemoryEndpoint, POISON } from './in-memory-network.ts'

function pair(network: InMemoryNetwork): { a: MemoryEndpoint; b: MemoryEndpoint; seen: string[] } {
  const seen: string[] = []
  const a = network.endpoint('192.0.2.1', 5060, () => {})
  const b = network.endpoint('192.0.2.2', 5060, (buf, start, end, address, port) => {
    seen.push(`${address}:${port} ${buf.toString('latin1', start, end)}`)
  })
  return { a, b, seen }
}

describe('InMemoryNetwork', () => {
  it('delivers on run(), in order, with the source', () => {
    const network = new InMemoryNetwork()
    const { a, b, seen } = pair(network)
    a.sendText('one', b.port, b.address)
    a.sendText('two', b.port, b.address)
    expect(seen).toEqual([])
    expect(network.run()).toBe(2)
    expect(seen).toEqual(['192.0.2.1:5060 one', '192.0.2.1:5060 two'])
    expect(a.counters).toMatchObject({ sent: 2, sentBytes: 6 })
    expect(b.counters).toMatchObject({ received: 2, receivedBytes: 6 })
  })

  it('copies what is sent and poisons what was received', () => {
    const network = new InMemoryNetwork()
    let kept: Buffer = Buffer.alloc(0)
    network.endpoint('::1', 5060, (buf, start, end) => {
      kept = buf.subarray(start, end)
      expect(kept.toString()).toBe('hello')
    })
    const bytes = Buffer.from('hello')
    network.endpoint('::2', 0, () => {}).send(bytes, 0, 5, 5060, '::1')
    bytes.fill(0)
    network.run()
    expect([...kept]).toEqual([POISON, POISON, POISON, POISON, POISON])
  })

  it('loses, duplicates and reorders by its seed: the same each time, another with another seed', () => {
    const runWith = (seed: number): string => {
      const network = new InMemoryNetwork({ seed, loss: 0.2, duplication: 0.2, reordering: 0.2 })
      const { a, b, seen } = pair(network)
      for (let i = 0; i < 200; i++) a.sendText(String(i), b.port, b.address)
      network.run()
      return seen.join()
    }
    const texts = runWith(1)
      .split(',')
      .map((text) => text.split(' ')[1])
    expect(runWith(1)).toBe(runWith(1))
    expect(runWith(1)).not.toBe(runWith(2))
    expect(new Set(texts).size).toBeLessThan(200)
    expect(texts.length).toBeGreaterThan(new Set(texts).size)
    expect(texts).not.toEqual([...texts].sort((x, y) => Number(x) - Number(y)))
  })

  it('counts what nobody receives, and keeps a trace', async () => {
    const network = new InMemoryNetwork()
    const { a, b } = pair(network)
    await b.close()
    a.sendText('x', 5060, '192.0.2.2')
    network.run()
    expect(network.unreachable).toBe(1)
    expect(network.trace).toEqual([{ text: 'x', from: '192.0.2.1:5060', to: '192.0.2.2:5060', lost: false }])
  })

  it('throws where two endpoints answer each other for ever, and where a place is taken', () => {
    const network = new InMemoryNetwork()
    network.endpoint('192.0.2.1', 1, (_b, _s, _e, address, port, self) => self.sendText('x', port, address))
    network.endpoint('192.0.2.1', 2, (_b, _s, _e, address, port, self) => self.sendText('x', port, address))
    network.endpoint('192.0.2.1', 3, () => {}).sendText('x', 1, '192.0.2.1')
    network.endpoint('192.0.2.1', 4, () => {})
    expect(network.run()).toBe(1 + 1)
    expect(() => network.endpoint('192.0.2.1', 4, () => {})).toThrow(/taken/)
    const loop = new InMemoryNetwork()
    const first = loop.endpoint('192.0.2.1', 1, (_b, _s, _e, _a, _p, self) => self.sendText('x', 1, '192.0.2.1'))
    first.sendText('x', 1, '192.0.2.1')
    expect(() => loop.run(50)).toThrow(/50 datagrams/)
  })
})
