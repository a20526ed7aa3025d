// SPDX-License-Identifier: MIT
// A running edge with small bounds, for tests of what no phone should send: its ports, raw connections to it that are closed after each
// test, its counts, and an ordinary request that it has to answer whatever came before.
import { snakeCase } from '@tandem/service-kit'
import { waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { Cluster } from './cluster.ts'
import { startOpenCluster } from './open-cluster.ts'
import { type PhoneOptions, token, withPhone } from './phone.ts'
import { openWebSocket, Raw, type RawOptions } from './raw.ts'

export const OFFSET = { udp: 0, tcp: 0, tls: 1, ws: 6, wss: 7 } as const
export type Transport = keyof typeof OFFSET
export const STREAMS = ['tcp', 'tls', 'ws', 'wss'] as const
export const IDLE_MS = 2_000
export const HANDSHAKE_MS = 1_000
export const PARTIAL_MS = 1_000
export const PER_ADDRESS = 40
export const HANDSHAKES_PER_ADDRESS = 30
export const LARGEST_MESSAGE = 65_536 + 1_048_576
/** What a running process may gain by what is no more than noise. */
export const FLAT_BYTES = 100 << 20

export let cluster: Cluster
const raws: Raw[] = []

/** One edge with small bounds for the tests of a file. */
export function useBoundedEdge(): void {
  beforeAll(async () => {
    const limits = {
      maxConnectionsPerAddress: PER_ADDRESS,
      maxHandshakesPerAddress: HANDSHAKES_PER_ADDRESS,
      connectionIdleMs: IDLE_MS,
      handshakeMs: HANDSHAKE_MS,
      partialMessageMs: PARTIAL_MS,
      maxQueuedBytes: 65_536,
    }
    const edge = { count: 1, limits, webSocket: { origins: ['https://app.example.test'] } }
    cluster = await startOpenCluster({ 'example.test': {} }, { edge })
    for (const transport of ['udp', ...STREAMS] as const) await expectWorking(transport)
  })
  afterEach(() => {
    for (const raw of raws.splice(0)) raw.close()
  })
  afterAll(() => cluster?.stop())
}

export const portOf = (transport: Transport): number => cluster.sipPort(0) + OFFSET[transport]

export function place(transport: Transport, from?: string): RawOptions {
  const tls = transport === 'tls' || transport === 'wss'
  return { port: portOf(transport), tls, ...(from === undefined ? {} : { from }) }
}

export const kept = (raw: Raw): Raw => {
  raws.push(raw)
  return raw
}
export const open = async (transport: 'tcp' | 'tls', from?: string): Promise<Raw> =>
  kept(await Raw.open(place(transport, from)))
export const webSocket = async (transport: 'ws' | 'wss' = 'ws', from?: string): Promise<Raw> =>
  kept(await openWebSocket(place(transport, from)))
/** Below TLS where the port has it. */
export const below = (transport: Transport, from?: string): Raw =>
  kept(Raw.dial({ port: portOf(transport), ...(from === undefined ? {} : { from }) }))

export const counted = (transport: Transport, event: string): Promise<number> =>
  cluster.metric(0, `tandem_transport_events_total{transport="${transport}",event="${snakeCase(event)}"`)
export const memory = (): Promise<number> => cluster.metric(0, 'process_resident_memory_bytes')
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** An ordinary REGISTER over that transport, and no bug so far. */
export async function expectWorking(transport: Transport): Promise<void> {
  const options: PhoneOptions = { user: 'user9', port: portOf(transport), transport }
  const reply = await withPhone(options, (phone) => phone.register())
  expect(reply.status).toBe(200)
  expect(await cluster.metric(0, 'tandem_edge_dropped_messages_total{reason="by_bug"')).toBe(0)
}

/** That count goes up by this while `act` runs and a little after. */
export async function counts(transport: Transport, event: string, by: number, act: () => Promise<void>): Promise<void> {
  const before = await counted(transport, event)
  await act()
  const what = `${by} ${event} of ${transport}`
  await waitUntil(what, async () => (await counted(transport, event)) >= before + by, 4_000)
  expect(await counted(transport, event), what).toBe(before + by)
}

export function options(transport: Transport, more: readonly string[] = [], body = ''): string {
  const lines = [
    'OPTIONS sip:example.test SIP/2.0',
    `Via: SIP/2.0/${transport.toUpperCase()} 127.0.0.1:9;branch=z9hG4bK${token()};rport`,
    'Max-Forwards: 70',
    `From: <sip:user1@example.test>;tag=${token()}`,
    'To: <sip:example.test>',
    `Call-ID: ${token()}`,
    'CSeq: 1 OPTIONS',
    ...more,
    `Content-Length: ${body.length}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

export const NOISE = Buffer.from(Array.from({ length: 3_000 }, (_, k) => (k * 7_919) & 0xff))
/** A ClientHello that offers TLS 1.0 and nothing newer. */
export const OLD_HELLO = Buffer.concat([
  Buffer.from('160301002d010000290301', 'hex'),
  Buffer.alloc(32, 7),
  Buffer.from('000002002f0100', 'hex'),
])
export const GET = 'GET /metrics HTTP/1.1\r\nHost: example.test\r\n\r\n'
