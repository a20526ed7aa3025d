// SPDX-License-Identifier: MIT
// The reader at every split point, the writer with text of every kind, and a wire against a real server: order, errors, loss. What
// operations do over it is the contract suite's, which runs with and without one. Not tested here: TLS, which the whole store's tests have.
import { redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { expect, it } from 'vitest'
import { createRedisStore } from './redis-store.ts'
import { ReplyError, RespReader } from './resp-reader.ts'
import { RespWriter } from './resp-writer.ts'
import { Wire, type WireOutcome, type WirePlace } from './wire.ts'

const WIRE_BYTES = Buffer.from(
  '*5\r\n$2\r\nok\r\n:1795376770654\r\n$0\r\n\r\n$-1\r\n*2\r\n:-7\r\n$4\r\na\r\nb\r\n-NOSCRIPT none\r\n+OK\r\n*0\r\n*-1\r\n$3\r\n\xff\x00\xfe\r\n',
  'latin1',
)

function readIn(chunks: readonly Buffer[]): unknown[] {
  const replies: unknown[] = []
  const reader = new RespReader((reply) =>
    replies.push(
      JSON.parse(JSON.stringify(reply, (_, value) => (value instanceof ReplyError ? value.message : value))),
    ),
  )
  for (const chunk of chunks) reader.write(chunk)
  return replies
}

it('reads the same, wherever the bytes are split', () => {
  const whole = readIn([WIRE_BYTES])
  expect(whole).toHaveLength(6)
  expect(whole[1]).toBe('NOSCRIPT none')
  for (let at = 1; at < WIRE_BYTES.length; at++)
    expect(readIn([WIRE_BYTES.subarray(0, at), WIRE_BYTES.subarray(at)])).toEqual(whole)
  expect(readIn(Array.from(WIRE_BYTES, (_, at) => WIRE_BYTES.subarray(at, at + 1)))).toEqual(whole)
})

it('refuses what is no reply', () => {
  expect(() => readIn([Buffer.from('HTTP/1.1 400\r\n')])).toThrow(RangeError)
})

it.each([
  ['a', 'b'],
  ['a', -1, 'é', 'b', Buffer.from([0xff, 0]), 'c', 'ü'.repeat(9)],
  [Buffer.from('x'), 'é', Buffer.from('y')],
  ['x'.repeat(40_000), Number.MAX_SAFE_INTEGER, ''],
])('arguments at once are what they are one by one', (...values) => {
  const [together, alone] = [new RespWriter(), new RespWriter()]
  together.arguments(values)
  for (const value of values) alone.argument(value)
  expect(together.take()).toEqual(alone.take())
})

it.each(['', 'plain', 'ü', `${'x'.repeat(9)}é`, 'é'.repeat(50), '😀'.repeat(400), 'x'.repeat(40_000), '\0\x7f\xff'])(
  'writes text by its length in UTF-8: %.10s',
  (text) => {
    const writer = new RespWriter()
    writer.argument('first')
    writer.argument(text)
    writer.argument(Buffer.from(text))
    writer.argument(-12)
    const framed = `$${Buffer.byteLength(text)}\r\n${text}\r\n`
    expect(writer.take().toString()).toBe(`$5\r\nfirst\r\n${framed}${framed}$3\r\n-12\r\n`)
    expect(writer.take()).toHaveLength(0)
  },
)

const redis = redisAvailable()
const place = (port: number): WirePlace => ({
  host: '127.0.0.1',
  port,
  username: '',
  password: 'secret',
  db: 3,
  tls: undefined,
  timeoutMs: 1_000,
})

function ask(wire: Wire, ...commands: string[][]): Promise<WireOutcome[] | Error> {
  for (const words of commands) {
    wire.writer.raw(`*${words.length}\r\n`)
    for (const word of words) wire.writer.argument(word)
  }
  return new Promise((resolve) => wire.send(commands.length, resolve))
}

it.skipIf(!redis.available)('answers in order; errors are values; a loss ends what waits', async () => {
  const server = await startRedis({ password: 'secret' })
  try {
    let closed = 0
    const wire = await Wire.open(place(server.port), () => closed++)
    const batches = [ask(wire, ['SET', 'k', 'v'], ['NO']), ask(wire, ['GET', 'k']), ask(wire, ['INCR', 'n'])]
    const [first, second, third] = await Promise.all(batches)
    expect(first).toEqual([
      [null, Buffer.from('OK')],
      [expect.any(ReplyError), null],
    ])
    expect([second, third]).toEqual([[[null, Buffer.from('v')]], [[null, 1]]])
    expect(await server.ask('GET', 'k')).toBe('') // another database than the wire's
    server.pause()
    const lost = [ask(wire, ['PING']), ask(wire, ['PING'])]
    await server.kill()
    for (const outcome of await Promise.all(lost)) expect(outcome).toBeInstanceOf(Error)
    await waitUntil('the close to be told', () => closed === 1)
    expect(await ask(wire, ['PING'])).toBeInstanceOf(Error)
    await expect(Wire.open(place(server.port), () => undefined)).rejects.toThrow('connection lost')
  } finally {
    await server.stop()
  }
})

it.skipIf(!redis.available)('refuses a wrong password', async () => {
  const server = await startRedis({ password: 'other' })
  await expect(Wire.open(place(server.port), () => undefined)).rejects.toThrow(/WRONGPASS/)
  await server.stop()
})

it.skipIf(!redis.available)('a wire that the server cuts is opened again, and operations go on', async () => {
  const server = await startRedis()
  const store = createRedisStore({ url: server.url, timeoutMs: 1_000 })
  const wires = async () => (await server.ask('CLIENT', 'LIST')).match(/id=(\d+)[^\n]* name=tandem-scripts/g) ?? []
  try {
    await waitUntil('the wire', async () => (await wires()).length === 1)
    expect((await store.location.locate('sip:a@example.test')).state).toBe('stored')
    const [, id = ''] = /id=(\d+)/.exec((await wires())[0] ?? '') ?? []
    await server.ask('CLIENT', 'KILL', 'ID', id)
    await waitUntil('another wire', async () => (await wires()).length === 1)
    expect(store.status.state).toBe('ready')
    expect((await store.location.locate('sip:a@example.test')).state).toBe('stored')
  } finally {
    await store.close()
    await server.stop()
  }
})
