// SPDX-License-Identifier: MIT
// A receiver of five lines sees the whole trace of a call through five processes: alice's SIPp at one edge, bob at another by a connection that
// he keeps, location, policy and records, each span below the one that it is part of. Half of the calls are sampled, by their ids: of one
// that is not nothing comes, unless it fails.
// Not tested here: collectors and their stores; what is in each span (test/traces), protobuf and what is lost (packages/telemetry).
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isSampledId, rootIdOf, traceIdOf } from '@tandem/telemetry'
import { sippAvailable, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { forget, type Message, Phone, withPhone } from './support/phone.ts'
import { expectPlayed, newCallId, playSipp } from './support/sipp.ts'

interface Received {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly attributes: readonly { key: string; value: { stringValue?: string; intValue?: number } }[]
  readonly status: { code?: number }
}

interface ResourceSpans {
  readonly resource: { readonly attributes: Received['attributes'] }
  readonly scopeSpans: readonly { readonly spans: readonly Received[] }[]
}

const WAIT_MS = 15_000
const CLIENT = 3
const missing = [sippAvailable()].flatMap((one) => (one.available ? [] : [one.reason]))[0]

const attribute = (attributes: Received['attributes'], name: string): string | number | undefined => {
  const value = attributes.find(({ key }) => key === name)?.value
  return value?.stringValue ?? value?.intValue
}

/** A Call-ID whose trace is sampled at one half, or is not. */
function callIdThat(isSampled: boolean): string {
  for (;;) {
    const callId = newCallId('traced')
    if (isSampledId(traceIdOf(callId), 0.5) === isSampled) return callId
  }
}

describe('traces of a cluster in five processes', () => {
  let cluster: Cluster
  let bob: Phone
  let receiver: Server
  const batches: ResourceSpans[] = []

  const spansOf = (callId: string) =>
    batches.flatMap(({ resource, scopeSpans }) => {
      const of = (name: string) => attribute(resource.attributes, name)
      const service = `${of('service.name')}${of('tandem.edge') === undefined ? '' : ` ${of('tandem.edge')}`}`
      const spans = scopeSpans.flatMap((scope) => scope.spans)
      return spans.filter(({ traceId }) => traceId === traceIdOf(callId)).map((span) => ({ ...span, service }))
    })

  /** `service name`, below it what hangs on it; a branch of an edge is marked. */
  function treeOf(callId: string): string[] {
    const spans = spansOf(callId)
    const titleOf = ({ service, name, kind }: (typeof spans)[number]): string =>
      `${service} ${name.replace(/^tandem\.\w+\.v1\./, '')}${kind === CLIENT ? ' →' : ''}`
    const parents = new Map(spans.map((span) => [span.spanId, titleOf(span)]))
    return spans.map((span) => {
      const above = span.parentSpanId ? ` < ${parents.get(span.parentSpanId) ?? 'somebody who is not there'}` : ''
      return titleOf(span) + above
    })
  }

  /** bob answers calls so, and everything else with 200, for as long as `run` takes. */
  async function whileBob(status: string, run: () => Promise<void>): Promise<void> {
    let isOver = false
    const isRequest = (message: Message): boolean => message.method !== ''
    const answer = async (): Promise<void> => {
      while (!isOver) {
        const request = await bob.next('a request', isRequest, 500).catch(() => undefined)
        if (request === undefined || request.method === 'ACK') continue
        const isInvite = request.method === 'INVITE'
        if (isInvite) bob.reply(request, '180 Ringing', [`Contact: ${bob.contact}`])
        bob.reply(request, isInvite ? status : '200 OK', [`Contact: ${bob.contact}`])
      }
    }
    const answering = answer()
    await run().finally(() => {
      isOver = true
    })
    await answering
  }

  const callBySipp = async (callId: string): Promise<void> =>
    expectPlayed(
      await playSipp({
        scenario: 'call-and-hang-up',
        port: cluster.sipPort(0),
        user: 'alice',
        callId,
        pauseMs: 200,
        keys: { callee: 'bob', other_port: cluster.sipPort(1) },
      }),
    )

  beforeAll(async () => {
    if (missing !== undefined) return
    receiver = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        batches.push(...JSON.parse(String(Buffer.concat(chunks))).resourceSpans)
        response.end('{}')
      })
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => receiver.once('listening', resolve))
    const env = {
      TANDEM_TELEMETRY_TRACES_EXPORTER: 'otlp',
      TANDEM_TELEMETRY_TRACES_PROTOCOL: 'http/json',
      TANDEM_TELEMETRY_TRACES_SAMPLE_RATIO: '0.5',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`,
    }
    cluster = await Cluster.start({ processes: 'many', env })
    await forget('bob', cluster.sipPort(1))
    bob = await Phone.open({ user: 'bob', port: cluster.sipPort(1), transport: 'tcp' })
    expect((await bob.register()).status).toBe(200)
  }, 60_000)
  beforeEach((context) => {
    if (missing !== undefined) context.skip(missing)
  })
  afterAll(async () => {
    bob?.close()
    await cluster?.stop()
    receiver?.closeAllConnections()
    receiver?.close()
  })

  it('one that is sampled is whole, from the first INVITE to the record', { timeout: 60_000 }, async () => {
    const callId = callIdThat(true)
    await whileBob('200 OK', () => callBySipp(callId))
    const record = await cluster.record(callId)
    expect(record).toMatchObject({ trace_id: traceIdOf(callId), outcome: 'answered' })
    const invite = 'tandem-edge edge-0 INVITE'
    const wanted = [
      invite,
      `tandem-edge edge-0 PolicyService/decide → < ${invite}`,
      'tandem-policy PolicyService/decide < tandem-edge edge-0 PolicyService/decide →',
      'tandem-policy store mint → < tandem-policy PolicyService/decide',
      `tandem-edge edge-0 LocationService/beginCall → < ${invite}`,
      'tandem-location LocationService/beginCall < tandem-edge edge-0 LocationService/beginCall →',
      'tandem-location store beginCall → < tandem-location LocationService/beginCall',
      `tandem-edge edge-0 INVITE → < ${invite}`,
      'tandem-edge edge-1 INVITE < tandem-edge edge-0 INVITE →',
      `tandem-edge edge-0 PolicyService/report → < ${invite}`,
      'tandem-policy PolicyService/report < tandem-edge edge-0 PolicyService/report →',
      `tandem-edge edge-0 ACK < ${invite}`,
      'tandem-edge edge-1 ACK < tandem-edge edge-0 ACK',
      `tandem-edge edge-0 BYE < ${invite}`,
      'tandem-edge edge-0 BYE → < tandem-edge edge-0 BYE',
      'tandem-edge edge-1 BYE < tandem-edge edge-0 BYE →',
      'tandem-edge edge-0 PolicyService/report → < tandem-edge edge-0 BYE',
      `tandem-records record ndjson < ${invite}`,
    ]
    const isThere = (): boolean => wanted.every((line) => treeOf(callId).includes(line))
    await waitUntil('the whole trace', isThere, WAIT_MS).catch(() => undefined)
    expect(treeOf(callId)).toEqual(expect.arrayContaining(wanted))
    expect(treeOf(callId).filter((line) => line.includes('not there'))).toEqual([])
    const root = spansOf(callId).find(({ spanId }) => spanId === rootIdOf(traceIdOf(callId)))
    expect(root && attribute(root.attributes, 'sip.call_id')).toBe(callId)
    expect(root && attribute(root.attributes, 'sip.response.status_code')).toBe(200)
  })

  it('one that is not sampled is sent if it fails, and else leaves nothing', { timeout: 60_000 }, async () => {
    const [good, bad] = [callIdThat(false), callIdThat(false)]
    await whileBob('200 OK', () => callBySipp(good))
    await cluster.record(good)
    await whileBob('500 Out of order', () =>
      withPhone({ user: 'alice', port: cluster.sipPort(0) }, async (alice) => {
        const uri = 'sip:bob@example.test'
        const headers = [`Contact: ${alice.contact}`]
        const final = await alice.ask('INVITE', { uri, to: `<${uri}>`, callId: bad, headers })
        expect(final.status).toBe(500)
        alice.acknowledge(final, uri)
      }),
    )
    const invite = 'tandem-edge edge-0 INVITE'
    const wanted = [
      invite,
      'tandem-policy PolicyService/decide < tandem-edge edge-0 PolicyService/decide →',
      'tandem-location LocationService/beginCall < tandem-edge edge-0 LocationService/beginCall →',
      'tandem-edge edge-1 INVITE < tandem-edge edge-0 INVITE →',
      `tandem-records record ndjson < ${invite}`,
    ]
    const isThere = (): boolean => wanted.every((line) => treeOf(bad).includes(line))
    await waitUntil('the trace of a failed call', isThere, WAIT_MS).catch(() => undefined)
    expect(treeOf(bad)).toEqual(expect.arrayContaining(wanted))
    expect(treeOf(good)).toEqual([])
  })

  it('what became of spans is counted', async () => {
    expect(await cluster.metric(0, 'tandem_traces_spans_total{result="sent"')).toBeGreaterThan(5)
    expect(await cluster.metric(0, 'tandem_traces_failed_exports_total')).toBe(0)
  })
})
