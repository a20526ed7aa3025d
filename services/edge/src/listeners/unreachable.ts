// SPDX-License-Identifier: MIT
//
// What the network says of destinations over UDP (ICMP): a host or port that can't be reached ends the client transactions that
// sent there, as a transport error (RFC 3261 section 18.4), so that the next endpoint or target is tried at once instead of after Timer B.
//
// Anybody can send an ICMP error. So it counts for requests only that nothing has been heard of, and at once only when it quotes the
// request as far as its branch, which nobody else can know. One without (8 bytes are all that it must quote) counts when another
// one comes while the request is still unanswered, after it has been repeated: who lives has answered by then.
//
// Bounds: what proves nothing is looked at all together, once in LOOK_MS; between two looks MAX_PLACES are kept, others are dropped.
// Leaves out requests without a transaction, and with a shared address errors that come to another edge than the one that sent.

import { type ClientTransaction, isUnanswered } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { UdpPeer } from './peers.ts'

const LOOK_MS = 100
const MAX_PLACES = 256

export class Unreachables {
  /** Named by errors without proof since the last look. */
  private readonly places = new Set<string>()
  /** Unanswered requests to such places, and since when. */
  private readonly suspects = new WeakMap<ClientTransaction, number>()
  private lookedAtMs = Number.NEGATIVE_INFINITY

  /** One ICMP error. @param buf what it quotes of the datagram in [start, end), valid during the call, maybe nothing */
  onError(core: EdgeCore, address: string, port: number, buf: Buffer, start: number, end: number): void {
    const proven = clientOf(core, buf, start, end)
    if (proven !== undefined) return this.end(core, proven, address, port)
    if (this.places.size < MAX_PLACES) this.places.add(`${address} ${port}`)
    const nowMs = core.now()
    if (nowMs - this.lookedAtMs < LOOK_MS) return
    this.lookedAtMs = nowMs
    this.look(core, nowMs)
    this.places.clear()
  }

  /** The same for whom an exception must not reach. */
  receive(core: EdgeCore, address: string, port: number, buf: Buffer, start: number, end: number): void {
    try {
      this.onError(core, address, port, buf, start, end)
    } catch (error) {
      core.logger.error({ err: error }, 'bug: exception while an ICMP error was handled')
    }
  }

  private look(core: EdgeCore, nowMs: number): void {
    const ended: ClientTransaction[] = []
    core.layer.eachUnansweredClient((client) => {
      const { peer } = client
      if (!(peer instanceof UdpPeer) || !this.places.has(`${peer.address} ${peer.port}`)) return
      const since = this.suspects.get(client)
      if (since === undefined) this.suspects.set(client, nowMs)
      // Timer A or E has fired in between.
      else if (nowMs - since >= 0.8 * core.config.timers.t1Ms) ended.push(client)
    })
    for (const client of ended) this.end(core, client, (client.peer as UdpPeer).address, (client.peer as UdpPeer).port)
  }

  /** [RFC3261-18.4a] [RFC3261-17.1.4a] */
  private end(core: EdgeCore, client: ClientTransaction, address: string, port: number): void {
    const { peer } = client
    if (!(peer instanceof UdpPeer) || peer.address !== address || peer.port !== port || !isUnanswered(client)) return
    core.counts.unreachable += 1
    core.layer.transportError(client)
  }
}

/** The transaction whose request is quoted: by the method that it begins with and the branch of our Via. */
function clientOf(core: EdgeCore, buf: Buffer, start: number, end: number): ClientTransaction | undefined {
  const quote = buf.latin1Slice(start, end)
  const found = /^([!-~]+) [^\r\n]*\r\n(?:.*?\r\n)??Via: SIP\/2\.0\/UDP [^\s;]+;branch=([^\s;,]+);/s.exec(quote)
  return found === null ? undefined : core.layer.findClientByBranch(found[1] as string, found[2] as string)
}
