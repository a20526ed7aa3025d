// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest'
import { MessageRing } from './message-ring.ts'

const WANTED = { maxMessages: 1_000, maxBytes: 1_000_000 } as const

function add(ring: MessageRing, text: string, atMs = 1): boolean {
  const bytes = Buffer.from(`##${text}##`)
  return ring.add(false, 3, '192.0.2.7', 5060, bytes, 2, bytes.length - 2, atMs)
}

async function texts(ring: MessageRing, part: string): Promise<string[]> {
  const matches = (buf: Buffer, start: number, end: number) => buf.latin1Slice(start, end).includes(part)
  const { messages } = await ring.find({ ...WANTED, matches })
  return messages.map(({ bytes }) => bytes.toString())
}

it('gives back what was added, with all that was said of it', async () => {
  const ring = new MessageRing(16_384)
  const bytes = Buffer.from('one')
  ring.add(true, 2, '2001:db8::1', 65_535, bytes, 0, 3, 1_700_000_000_000.5)
  const { messages, isCut } = await ring.find({ ...WANTED, matches: () => true })
  expect(isCut).toBe(false)
  expect(messages).toEqual([
    { atMs: 1_700_000_000_000.5, isSent: true, listener: 2, address: '2001:db8::1', port: 65_535, bytes },
  ])
})

it('keeps the newest in order, whatever their lengths, and never a part of one', async () => {
  const ring = new MessageRing(16 * 512)
  const added: string[] = []
  for (let k = 0; k < 2_000; k += 1) {
    const text = `<${k}${'x'.repeat((k * 37) % 300)}>`
    added.push(text)
    expect(add(ring, text, k)).toBe(true)
    if (k % 97 === 0) {
      const kept = await texts(ring, '<')
      expect(kept).toEqual(added.slice(-kept.length))
    }
  }
  const kept = await texts(ring, '<')
  const bytes = kept.reduce((sum, text) => sum + text.length, 0)
  expect(bytes).toBeGreaterThan(16 * 512 * 0.6)
  expect(ring.oldestMs).toBe(2_000 - kept.length)
})

it('does not take what is too long, and says so', () => {
  const ring = new MessageRing(16 * 512)
  expect(add(ring, 'x'.repeat(600))).toBe(false)
  expect(ring.oldestMs).toBe(0)
})

it('gives the newest where more match than are wanted', async () => {
  const ring = new MessageRing(65_536)
  for (let k = 0; k < 10; k += 1) add(ring, `m${k}`)
  const few = await ring.find({ maxMessages: 3, maxBytes: 1_000, matches: () => true })
  expect([few.isCut, few.messages.map(({ bytes }) => bytes.toString())]).toEqual([true, ['m7', 'm8', 'm9']])
  const small = await ring.find({ maxMessages: 10, maxBytes: 5, matches: () => true })
  expect([small.isCut, small.messages.map(({ bytes }) => bytes.toString())]).toEqual([true, ['m8', 'm9']])
})

it('a search goes on while messages come: none is given twice or broken, and it says that some may be missing', async () => {
  const ring = new MessageRing(16 * 512)
  for (let k = 0; k < 300; k += 1) add(ring, `<a${k}>`)
  const search = ring.find({ ...WANTED, matches: () => true })
  const timer = setInterval(() => undefined, 1)
  for (let k = 0; k < 40; k += 1) {
    for (let j = 0; j < 40; j += 1) add(ring, `<b${k}.${j}>`)
    await new Promise(setImmediate)
  }
  clearInterval(timer)
  const { messages, isCut } = await search
  const found = messages.map(({ bytes }) => bytes.toString())
  expect(isCut).toBe(true)
  expect(new Set(found).size).toBe(found.length)
  for (const text of found) expect(text).toMatch(/^<[ab][\d.]+>$/)
})
