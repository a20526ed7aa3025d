// SPDX-License-Identifier: MIT
//
// Spans as a receiver of OTLP over HTTP gets them, JSON and protobuf; and that nothing of OpenTelemetry is loaded while traces are off.
import { spawnSync } from 'node:child_process'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createTracing } from './create.ts'
import { hrTimeOf, tracesUrl } from './otlp.ts'
import { SPAN_KIND, Span } from './span.ts'
import { NO_LOG, TEST_SETTINGS } from './testing.ts'

interface Received {
  readonly path: string
  readonly type: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

let server: Server | undefined
const received: Received[] = []

async function listen(status = 200): Promise<string> {
  received.length = 0
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { url = '', headers } = request
      received.push({ path: url, type: headers['content-type'] ?? '', headers, body: Buffer.concat(chunks) })
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function send(protocol: 'http/json' | 'http/protobuf', endpoint: string) {
  const headers = { authorization: 'Bearer of-a-test' }
  const config = { ...TEST_SETTINGS, exporter: 'otlp' as const, protocol, endpoint, headers }
  const tracing = await createTracing({ traces: config }, NO_LOG)
  const source = { service: 'tandem-edge', attributes: { 'service.instance.id': 'edge-0' } }
  const parent = new Span(source, '1'.repeat(32), 'a'.repeat(16), '', 'INVITE', SPAN_KIND.SERVER, 1_700_000_000_000.25)
  const child = new Span(source, '1'.repeat(32), 'b'.repeat(16), parent, 'INVITE', SPAN_KIND.CLIENT, 1_700_000_000_001)
  child.attributes['sip.response.status_code'] = 503
  child.failure = '503'
  child.event('180', 1_700_000_000_002.5)
  for (const span of [parent, child]) span.endMs = 1_700_000_000_003
  for (const span of [parent, child]) tracing?.add(span, true)
  await tracing?.close(5_000)
  return tracing?.queue.counts
}

describe('over HTTP', () => {
  it('as JSON', async () => {
    expect(await send('http/json', await listen())).toMatchObject({ sent: 2, failed: 0 })
    expect(received.map(({ path, type, headers }) => [path, type, headers.authorization])).toEqual([
      ['/v1/traces', 'application/json', 'Bearer of-a-test'],
    ])
    const [resource] = JSON.parse(String(received[0]?.body)).resourceSpans
    expect(resource.resource.attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'tandem-edge' } })
    const [parent, child] = resource.scopeSpans[0].spans
    expect(parent).toMatchObject({ name: 'INVITE', kind: 2, startTimeUnixNano: '1700000000000250000' })
    expect(parent.parentSpanId ?? '').toBe('')
    expect(child).toMatchObject({
      traceId: '1'.repeat(32),
      spanId: 'b'.repeat(16),
      parentSpanId: 'a'.repeat(16),
      kind: 3,
      status: { code: 2, message: '503' },
      attributes: [{ key: 'sip.response.status_code', value: { intValue: 503 } }],
      events: [{ name: '180', timeUnixNano: '1700000000002500000' }],
    })
  })

  it('as protobuf', async () => {
    expect(await send('http/protobuf', await listen())).toMatchObject({ sent: 2, failed: 0 })
    expect(received[0]?.type).toBe('application/x-protobuf')
    expect(received[0]?.body.includes('INVITE')).toBe(true)
    expect(received[0]?.body.includes(Buffer.from('a'.repeat(16), 'hex'))).toBe(true)
  })

  it('what the receiver refuses is counted as lost', async () => {
    expect(await send('http/json', await listen(400))).toMatchObject({ sent: 0, failed: 2, failedExports: 1 })
  })
})

it.each([
  ['http://collector:4318', 'http://collector:4318/v1/traces'],
  ['http://collector:4318/', 'http://collector:4318/v1/traces'],
  ['https://otlp.example/mine', 'https://otlp.example/mine'],
])('%s means %s', (endpoint, url) => {
  expect(tracesUrl(endpoint)).toBe(url)
})

it('times are seconds and nanoseconds', () => {
  expect(hrTimeOf(1_700_000_000_123.25)).toEqual([1_700_000_000, 123_250_000])
})

it('off: there is nothing, and nothing of OpenTelemetry is loaded', () => {
  const index = new URL('./index.ts', import.meta.url).href
  const config = { traces: { ...TEST_SETTINGS, exporter: 'off', protocol: 'http/json', endpoint: '', headers: {} } }
  const script = `
    const { createTracing } = await import(${JSON.stringify(index)})
    const tracing = await createTracing(${JSON.stringify(config)}, {})
    const loaded = process.moduleLoadList.filter((name) => name.includes('http'))
    console.log(JSON.stringify({ tracing: tracing ?? null, loaded }))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect({ stderr, ...JSON.parse(stdout) }).toMatchObject({ tracing: null, loaded: [] })
})
