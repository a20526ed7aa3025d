// SPDX-License-Identifier: MIT
// SCTP up to the system call that this machine may not have: the addon's sockets with TCP's protocol number go through the contract of
// streams, and what is SCTP's own is tested as data (options) or over a socket that shows each write. With SCTP's number it is an echo where
// the kernel has SCTP, else the sentence. Not tested here: what the kernel does with associations.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { buildRequest, waitUntil } from '@tandem/test-kit'
import type { AddonOf } from '@tandem/udp-batch'
import { afterEach, describe, expect, it } from 'vitest'
import { TransportError } from './errors.ts'
import { buildSctpAddon, loadSctpAddon, type SctpAddon } from './sctp/addon.ts'
import { DEFAULT_SCTP_TUNING, IPPROTO_SCTP, sctpOptions, words } from './sctp/options.ts'
import { SctpConnection } from './sctp/sctp-connection.ts'
import { makeConnectingSocket, makeListeningSocket } from './sctp/sockets.ts'
import { SctpTransport, type SctpTransportOptions } from './sctp.ts'
import { describeStreams, Recorder } from './stream-contract.ts'
import { DEFAULT_STREAM_LIMITS, emptyCounters } from './stream-types.ts'

const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const SOL_SOCKET = 1
const SO_REUSEPORT = 15
const SO_LINGER = 13
const asTcp = {
  number: IPPROTO_TCP,
  options: [{ what: 'TCP_NODELAY', level: IPPROTO_TCP, name: TCP_NODELAY, bytes: words(1) }],
}
const MESSAGE = buildRequest({ method: 'OPTIONS' })
const BYTES = Buffer.from(MESSAGE)
const NO_LENGTH = MESSAGE.replace(/Content-Length: \d+\r\n/, '')

buildSctpAddon()
const loaded = loadSctpAddon()
const reason = loaded.addon === undefined ? `needs the addon: ${loaded.reason}` : 'needs the addon'
const addon = loaded.addon as SctpAddon

const transports: SctpTransport[] = []
afterEach(async () => {
  await Promise.all(transports.splice(0).map((transport) => transport.close(50)))
})

function open(options: Partial<SctpTransportOptions> = {}) {
  const sink = new Recorder()
  const transport = new SctpTransport({ sink, ...options })
  transports.push(transport)
  return { sink, transport }
}

const until = (isTrue: () => boolean): Promise<void> => waitUntil(String(isTrue), isTrue, 3_000, 2)

describe.runIf(loaded.addon !== undefined)(`the addon's sockets, with TCP's number (${reason})`, () => {
  describeStreams({
    name: 'sctp',
    make: ({ proxySources: _none, ...options }) => new SctpTransport({ ...options, protocol: asTcp }),
    writesOf: (messages) => messages,
    blockBytes: 200_000,
  })

  it('connect from the local address that is asked for, where it is of the family', async () => {
    const server = open({ protocol: asTcp })
    const { port } = await server.transport.listen({ address: '127.0.0.1', port: 0 })
    const { transport } = open({ protocol: asTcp, localAddress: '127.0.0.3' })
    transport.connect('127.0.0.1', port)
    await until(() => server.sink.opened.length === 1)
    expect(server.sink.opened[0]?.remoteAddress).toBe('127.0.0.3')
    const other = open({ protocol: asTcp, localAddress: '::1' })
    expect(other.transport.connect('127.0.0.1', port)?.isOpen).toBe(true)
    await until(() => other.sink.opened.length === 1)
  })

  it('share a port where that is asked for', async () => {
    const first = open({ protocol: asTcp }).transport
    const { port } = await first.listen({ address: '127.0.0.1', port: 0, reusePort: true })
    const second = open({ protocol: asTcp }).transport
    const place = { address: '127.0.0.1', port }
    await expect(second.listen(place)).rejects.toMatchObject({ code: 'portTaken' })
    expect(await second.listen({ ...place, reusePort: true })).toMatchObject(place)
  })

  it('have their options before they are bound, and tell how long a message may be', () => {
    const maker = { addon, protocol: IPPROTO_TCP, options: asTcp.options }
    const { fd, maxMessageBytes } = makeListeningSocket(maker, { address: '::1', port: 0, reusePort: true })
    expect(addon.getOption(fd, IPPROTO_TCP, TCP_NODELAY, 4).some((byte) => byte !== 0)).toBe(true)
    expect(addon.getOption(fd, SOL_SOCKET, SO_REUSEPORT, 4).some((byte) => byte !== 0)).toBe(true)
    expect(maxMessageBytes).toBeGreaterThan(200_000)
    addon.setOption(fd, SOL_SOCKET, SO_LINGER, words(1, 7))
    expect(addon.getOption(fd, SOL_SOCKET, SO_LINGER, 64)).toEqual(Buffer.from(words(1, 7)))
    addon.close(fd)
  })

  it('are closed when one of their calls fails, which is named', () => {
    const closed: number[] = []
    const close = (fd: number): void => {
      closed.push(fd)
      addon.close(fd)
    }
    const watched = { ...addon, close }
    const maker = { addon: watched, protocol: IPPROTO_TCP, options: sctpOptions(DEFAULT_SCTP_TUNING) }
    expect(() => makeConnectingSocket(maker, '127.0.0.1', undefined)).toThrow(/^SCTP_RTOINFO: setsockopt: /)
    expect(closed).toHaveLength(1)
    expect(() => addon.getOption(closed[0] as number, SOL_SOCKET, SO_LINGER, 8)).toThrow(/EBADF|bad file descriptor/)
  })

  it.each([
    ['no number', () => addon.open('4' as never, 6)],
    ['too few', () => addon.setOption(0, 1, 2, undefined as never)],
    ['no bytes', () => addon.setOption(0, 1, 2, 'bytes' as never)],
    ['a size beyond the bound', () => addon.getOption(0, 1, 2, 257)],
    ['no address', () => addon.bind(0, 'localhost', 5060)],
    ['an address that is too long', () => addon.bind(0, '1'.repeat(200), 5060)],
    ['no port', () => addon.bind(0, '127.0.0.1', 65_536)],
  ])('refuse wrong arguments: %s', (_name, call) => {
    expect(call).toThrow(/wrong arguments|expected a Uint8Array|invalid argument/)
  })

  it('are tried before anybody is told of them', () => {
    const { transport } = open({ protocol: asTcp })
    transport.probe('127.0.0.1')
    transport.probe('::')
  })

  it('that can not be made are connections that fail', async () => {
    const { transport, sink } = open({ protocol: { ...asTcp, number: 9_999 } })
    expect(transport.connect('127.0.0.1', 5060)).toMatchObject({ isOpen: true })
    await until(() => sink.closed.length === 1)
    expect(sink.reasons()).toEqual(['connectFailed'])
    expect(transport.connect('127.0.0.1', 5060)).toBeDefined()
  })

  it('a message without Content-Length ends with its packet; the next is framed again', async () => {
    const { transport, sink } = open({ protocol: asTcp })
    const { port } = await transport.listen({ address: '127.0.0.1', port: 0 })
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.resume()
    for (const [index, text] of [NO_LENGTH, MESSAGE, NO_LENGTH].entries()) {
      socket.write(text)
      await until(() => sink.messages.length === index + 1)
    }
    expect(sink.texts()).toEqual([NO_LENGTH, MESSAGE, NO_LENGTH])
    socket.write(MESSAGE + NO_LENGTH)
    await until(() => sink.closed.length === 1)
    expect(sink.reasons()).toEqual(['framing'])
    socket.destroy()
  })

  it.each(['127.0.0.1', '::1'])(
    'with SCTP’s number: an echo, or the sentence that there is none (%s)',
    async (address) => {
      const { transport, sink } = open()
      const listening = await transport.listen({ address, port: 0 }).catch((error: unknown) => error)
      if (listening instanceof Error) {
        expect(() => transport.probe(address)).toThrow(listening.message)
        expect(listening).toMatchObject({
          code: 'sctpUnavailable',
          message: expect.stringMatching(
            /^edge\.listeners\.sctp: this kernel has no SCTP \(socket: (protocol|socket type) not supported\)\. Load the module sctp on the node, or turn edge\.listeners\.sctp off\.$/,
          ),
        })
        return
      }
      transport.probe(address)
      const { port } = listening as { port: number }
      sink.onEach = (conn) => void conn.send(BYTES, 0, BYTES.length)
      const client = open()
      const conn = client.transport.connect(address, port)
      for (let count = 1; count <= 3; count++) conn?.send(BYTES, 0, BYTES.length)
      await until(() => client.sink.messages.length === 3)
      expect(client.sink.texts()).toEqual([MESSAGE, MESSAGE, MESSAGE])
      conn?.close()
      await until(() => sink.closed.length === 1)
      expect(sink.reasons()).toEqual(['remoteClosed'])
    },
  )
})

describe('without the addon', () => {
  const load = (): AddonOf<SctpAddon> => ({ addon: undefined, reason: 'it was not built (npm run build)' })
  it('says so in a sentence, and connects to nobody', async () => {
    const { transport, sink } = open({ load })
    await expect(transport.listen({ address: '127.0.0.1', port: 0 })).rejects.toEqual(
      new TransportError(
        'sctpUnavailable',
        'edge.listeners.sctp: the addon for SCTP is not there: it was not built (npm run build). Build it, or turn edge.listeners.sctp off.',
      ),
    )
    expect(() => transport.probe('::1')).toThrow('the addon for SCTP is not there')
    transport.connect('127.0.0.1', 5060)
    await until(() => sink.closed.length === 1)
    expect(sink.reasons()).toEqual(['connectFailed'])
  })
})

/** A socket whose writes wait until they are let go, as those to a full association do. */
class SlowSocket extends Duplex {
  readonly writes: string[] = []
  readonly joined: number[] = []
  #done: (() => void) | undefined
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.toString('latin1'))
    this.#done = done
  }
  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.joined.push(chunks.length)
    done()
  }
  letGo(): void {
    const done = this.#done
    this.#done = undefined
    done?.()
  }
}

describe('a connection', () => {
  function connected(maxMessageBytes = 100) {
    const socket = new SlowSocket()
    const sink = new Recorder()
    const counters = emptyCounters()
    const host = { sink, counters, limits: DEFAULT_STREAM_LIMITS, now: () => 0, onDirty: () => {}, onGone: () => {} }
    const identity = { id: 1, transport: 'sctp', inbound: true, remoteAddress: '192.0.2.1', remotePort: 5060 } as const
    const conn = new SctpConnection(host, socket as unknown as Socket, identity, maxMessageBytes)
    const send = (text: string): boolean => conn.send(Buffer.from(text), 0, text.length)
    return { socket, sink, counters, conn, send }
  }

  it('[RFC4168-5.1a] writes each SIP message by itself, the next when the kernel has taken the one before', async () => {
    const { socket, conn, send } = connected()
    for (const text of ['one', 'two', 'three']) expect(send(text)).toBe(true)
    conn.flush()
    expect(socket.writes).toEqual(['one'])
    expect(conn.queuedBytes).toBe(11)
    conn.close()
    for (const count of [2, 3]) {
      socket.letGo()
      await until(() => socket.writes.length === count)
    }
    socket.letGo()
    await until(() => socket.writableFinished)
    expect(socket.writes).toEqual(['one', 'two', 'three'])
    expect(socket.joined).toEqual([])
  })

  it('does not take a message that no association could carry, and stays', () => {
    const { conn, counters, send } = connected(4)
    expect(send('12345')).toBe(false)
    expect(conn.isOpen).toBe(true)
    expect(counters).toMatchObject({ oversizeFrames: 1, messagesSent: 0 })
  })

  it('[RFC4168-5.1b] takes messages from any stream: what is read does not say which', () => {
    const { socket, sink } = connected()
    socket.push(MESSAGE.slice(0, 30))
    socket.push(MESSAGE.slice(30) + MESSAGE)
    return until(() => sink.messages.length === 2)
  })
})

describe('the options', () => {
  it('[RFC4168-5] [RFC4168-5.1a] payload protocol 0, stream 0, unordered', () => {
    const sndinfo = sctpOptions(DEFAULT_SCTP_TUNING).find(({ what }) => what === 'SCTP_DEFAULT_SNDINFO')
    const view = new Uint16Array(Uint8Array.from(sndinfo?.bytes ?? []).buffer)
    expect([...view]).toEqual([0, 1, 0, 0, 0, 0, 0, 0])
  })

  const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0)
  const hasHeader = existsSync('/usr/include/linux/sctp.h')
  it.runIf(compiler !== undefined && hasHeader)(
    'are what linux/sctp.h says (needs a C compiler and that header)',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'tandem-sctp-'))
      const [rto, init, nodelay, sndinfo] = sctpOptions({ initAttempts: 7, initTimeoutMs: 1_234 }).map(
        ({ name, bytes }) => [name, Buffer.from(bytes).toString('hex')].join(' '),
      )
      writeFileSync(join(folder, 'a.c'), PROGRAM)
      expect(spawnSync(compiler as string, ['-o', join(folder, 'a'), join(folder, 'a.c')]).status).toBe(0)
      const { stdout } = spawnSync(join(folder, 'a'), { encoding: 'utf8' })
      rmSync(folder, { recursive: true })
      expect(stdout.split('\n')).toEqual([`${IPPROTO_SCTP} ${IPPROTO_SCTP}`, rto, init, nodelay, sndinfo, ''])
    },
  )
})

const PROGRAM = `
#include <stdint.h>
#include <stdio.h>
#include <netinet/in.h>
#include <linux/sctp.h>
#ifndef SOL_SCTP
#define SOL_SCTP 132
#endif
static void show(int name, const void *bytes, int size) {
  printf("%d ", name);
  for (int k = 0; k < size; k++) printf("%02x", ((const unsigned char *)bytes)[k]);
  printf("\\n");
}
int main(void) {
  struct sctp_rtoinfo rto = {.srto_initial = 1234};
  struct sctp_initmsg init = {10, 10, 7, 1234};
  struct sctp_sndinfo info = {.snd_flags = SCTP_UNORDERED};
  int on = 1;
  printf("%d %d\\n", IPPROTO_SCTP, SOL_SCTP);
  show(SCTP_RTOINFO, &rto, sizeof rto);
  show(SCTP_INITMSG, &init, sizeof init);
  show(SCTP_NODELAY, &on, sizeof on);
  show(SCTP_DEFAULT_SNDINFO, &info, sizeof info);
  return 0;
}
`
