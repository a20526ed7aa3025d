// SPDX-License-Identifier: MIT
//
// Calls without end through a cluster in memory: INVITE, 100, 180, 200, ACK, BYE, 200, with accounting, so that every call also makes a
// decision, a directory entry, two reports and a record. Time is the fake clock's: calls come at a fixed rate of its seconds, so that after
// its first minutes as many things linger as ever will. What is measured then is memory after a forced collection.
//
// Phones are made of a few string operations: what they keep would be measured too.
import type { InMemoryNetwork, MemoryEndpoint } from '@tandem/test-kit'
import { type MemorySample, sampleMemory } from '../support/heap.ts'
import { ACCOUNTED_DOMAIN, createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'

export interface SoakOptions {
  readonly calls: number
  readonly sampleEvery: number
  /** Calls in a second of the fake clock. */
  readonly callsPerSecond: number
  /** Calls before the first sample: everything that lingers has to be there. */
  readonly warmUpCalls: number
  readonly onSample?: (sample: SoakSample) => void
}

export interface SoakSample extends MemorySample {
  readonly calls: number
  readonly serverTransactions: number
  readonly clientTransactions: number
  /** Bytes of messages that transactions keep. */
  readonly keptBytes: number
  readonly mints: number
  readonly finishedCalls: number
}

export interface SoakOutcome {
  readonly samples: readonly SoakSample[]
  readonly answered: number
  readonly ended: number
  readonly records: number
  readonly cpuMsPerCall: number
  readonly problems: readonly string[]
  /** When all timers have run: transactions, contexts and kept bytes. */
  readonly left: readonly number[]
}

const TICK_MS = 20
const SERVER = { address: '192.0.2.1', port: 5060 }

/** Answers each INVITE with 180 and 200, each BYE with 200. */
class Callee {
  readonly #endpoint: MemoryEndpoint

  constructor(network: InMemoryNetwork) {
    this.#endpoint = network.endpoint('192.0.2.30', 5060, (buf, start, end) =>
      this.#take(buf.toString('latin1', start, end)),
    )
  }

  register(): void {
    this.#send(
      'REGISTER sip:tandem.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.30:5060;branch=z9hG4bK-reg\r\nFrom: <sip:bob@tandem.test>;tag=r\r\n' +
        'To: <sip:bob@tandem.test>\r\nCall-ID: reg\r\nCSeq: 1 REGISTER\r\nContact: <sip:bob@192.0.2.30:5060>;expires=1000000\r\n' +
        'Content-Length: 0\r\n\r\n',
    )
  }

  #take(text: string): void {
    if (text.startsWith('INVITE ')) {
      this.#send(answerTo(text, '180 Ringing', ''))
      this.#send(answerTo(text, '200 OK', 'Contact: <sip:bob@192.0.2.30:5060>\r\n'))
    } else if (text.startsWith('BYE ')) this.#send(answerTo(text, '200 OK', ''))
  }

  #send(text: string): void {
    this.#endpoint.sendText(text, SERVER.port, SERVER.address)
  }
}

const COPIED = /^(via|from|call-id|cseq|record-route):/i

function answerTo(request: string, status: string, contact: string): string {
  let text = `SIP/2.0 ${status}\r\n`
  for (const line of request.slice(0, request.indexOf('\r\n\r\n')).split('\r\n')) {
    if (COPIED.test(line)) text += `${line}\r\n`
    else if (/^to:/i.test(line)) text += line.includes(';tag=') ? `${line}\r\n` : `${line};tag=b\r\n`
  }
  return `${text}${contact}Content-Length: 0\r\n\r\n`
}

const SDP = 'v=0\r\no=a 1 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\n'

/** Sends INVITEs; ACK and BYE follow the 200 by themselves. */
class Caller {
  answered = 0
  ended = 0
  readonly #endpoint: MemoryEndpoint

  constructor(network: InMemoryNetwork) {
    this.#endpoint = network.endpoint('192.0.2.20', 5060, (buf, start, end) =>
      this.#take(buf.toString('latin1', start, end)),
    )
  }

  call(serial: number): void {
    const headers = `Contact: <sip:alice@192.0.2.20:5060>\r\nContent-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`
    this.#send(`INVITE sip:bob@tandem.test SIP/2.0\r\n${lines(String(serial), 'i', '', '1 INVITE')}${headers}`)
  }

  #take(text: string): void {
    if (!text.startsWith('SIP/2.0 200')) return
    if (text.includes('CSeq: 2 BYE')) {
      this.ended += 1
      return
    }
    this.answered += 1
    const serial = /Call-ID: soak-(\d+)/.exec(text)?.[1] as string
    const route = /Record-Route: (.*)\r\n/.exec(text)?.[1] as string
    const rest = `Route: ${route}\r\nContent-Length: 0\r\n\r\n`
    this.#send(`ACK sip:bob@192.0.2.30:5060 SIP/2.0\r\n${lines(serial, 'a', ';tag=b', '1 ACK')}${rest}`)
    this.#send(`BYE sip:bob@192.0.2.30:5060 SIP/2.0\r\n${lines(serial, 'b', ';tag=b', '2 BYE')}${rest}`)
  }

  #send(text: string): void {
    this.#endpoint.sendText(text, SERVER.port, SERVER.address)
  }
}

function lines(serial: string, branch: string, toTag: string, cseq: string): string {
  return (
    `Via: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK-${branch}${serial};rport\r\nMax-Forwards: 70\r\n` +
    `From: <sip:alice@tandem.test>;tag=a${serial}\r\nTo: <sip:bob@tandem.test>${toTag}\r\n` +
    `Call-ID: soak-${serial}@192.0.2.20\r\nCSeq: ${cseq}\r\n`
  )
}

/** Takes every finished record, as the records service does. */
class RecordSink {
  taken = 0

  constructor(cluster: MemoryCluster) {
    const consumption = cluster.policy.feed.consume({ group: 'soak', consumer: 'soak', window: 4_096 }, (items) => {
      this.taken += items.length
      consumption.acknowledge(items.map(({ id }) => id))
    })
    this.close = () => consumption.close()
  }

  readonly close: () => void

  /** The feed looks for records by the real clock. */
  async takeAll(count: number): Promise<void> {
    for (let round = 0; round < 100 && this.taken < count; round++)
      await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function sampleOf(calls: number, cluster: MemoryCluster): Promise<SoakSample> {
  const { layer } = cluster.edge.core
  const counts = cluster.store.counts()
  return {
    calls,
    serverTransactions: layer.serverCount,
    clientTransactions: layer.clientCount,
    keptBytes: layer.keptBytes,
    mints: counts.mintCount ?? 0,
    finishedCalls: counts.finishedCallCount ?? 0,
    ...(await sampleMemory()),
  }
}

export async function soak(options: SoakOptions): Promise<SoakOutcome> {
  // What the store remembers of a call for an hour by design is forgotten after a minute here, so that it does not look like a leak.
  const cluster = await createMemoryCluster({ resources: ACCOUNTED_DOMAIN, finishedKeepMs: 1_000 })
  cluster.network.maxTrace = 0
  const callee = new Callee(cluster.network)
  const caller = new Caller(cluster.network)
  callee.register()
  await cluster.settle()
  const sink = new RecordSink(cluster)
  const samples: SoakSample[] = []
  const cpu = process.cpuUsage()
  const perTick = (options.callsPerSecond * TICK_MS) / 1_000
  for (let made = 0; made < options.calls; ) {
    for (let k = 0; k < perTick; k++) caller.call(made++)
    await cluster.settle()
    await cluster.advance(TICK_MS, TICK_MS)
    if (made >= options.warmUpCalls && made % options.sampleEvery === 0) {
      const sample = await sampleOf(made, cluster)
      samples.push(sample)
      options.onSample?.(sample)
    }
  }
  const { user, system } = process.cpuUsage(cpu)
  await cluster.advance(400_000, 1_000)
  await sink.takeAll(options.calls)
  const { layer, proxy } = cluster.edge.core
  const left = [layer.serverCount, layer.clientCount, proxy.inProgress, layer.keptBytes]
  sink.close()
  await cluster.close()
  const { answered, ended } = caller
  const cpuMsPerCall = (user + system) / 1_000 / options.calls
  return { samples, answered, ended, records: sink.taken, cpuMsPerCall, problems: cluster.problems, left }
}

/** Bytes per call by which a figure grows: the slope of the line that fits best. */
export function trend(samples: readonly SoakSample[], figure: (sample: SoakSample) => number): number {
  const mean = (of: (sample: SoakSample) => number): number =>
    samples.reduce((sum, s) => sum + of(s), 0) / samples.length
  const [meanX, meanY] = [mean((s) => s.calls), mean(figure)]
  const top = samples.reduce((sum, s) => sum + (s.calls - meanX) * (figure(s) - meanY), 0)
  return top / samples.reduce((sum, s) => sum + (s.calls - meanX) ** 2, 0)
}
