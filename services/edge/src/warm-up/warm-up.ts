// SPDX-License-Identifier: MIT
//
// Calls to itself before the first real one: an edge that has just started runs every line slowly, until the engine has seen
// it often enough to compile it, and that costs the first thousands of calls two to three times what later ones cost
// (docs/performance.md). So a new edge places calls over loopback sockets, through the same code. Location and policy are others
// of the same kind over a store that is thrown away, where the edge has them in its process; canned answers elsewhere. Nothing of the
// cluster is touched, and nothing leaves the machine.
//
// Compiled code must fit the real calls, or the engine throws it away when they come. Hence: the objects are made several times
// (code for the functions of one object alone would not fit the next), messages come in several forms, and protocol timers are
// short, so that transactions end too.
//
// Once per process. Bounded in calls and in time; that it fails or does not finish is no error.

import { createLogger, type EdgeConfig } from '@tandem/service-kit'
import { createUdpListener, type UdpListener } from '@tandem/transport'
import { Facing } from '../listeners/facing.ts'
import { type Listeners, UdpSource } from '../listeners/listeners.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import type { EdgeServiceOptions } from '../options.ts'
import { Receiver } from '../receive.ts'
import { createEdgeCore } from '../wiring.ts'
import { cannedCallers } from './warm-up-callers.ts'
import { LoopbackPhone, WARM_UP_DOMAIN, WARM_UP_USER } from './warm-up-phone.ts'

const HOST = '127.0.0.1'
const LONGEST_MS = 8_000
/** Shares of the calls, each placed through an edge of its own. */
const ROUNDS = [0.05, 0.05, 0.9]
/** T1: what lingers in a transaction goes after 64 times that. */
const T1_MS = 50

const SILENT = createLogger({ level: 'silent', service: 'warm-up' })

let isWarm = false

/** Places the calls of the configuration, or as many as a few seconds allow. Never rejects. */
export async function warmUp(options: EdgeServiceOptions): Promise<void> {
  const calls = options.config.warmUpCalls
  if (isWarm || calls === 0) return
  isWarm = true
  const begin = performance.now()
  const msLeft = () => begin + LONGEST_MS - performance.now()
  let ended = 0
  try {
    for (const share of ROUNDS) ended += await placeCalls(options, Math.ceil(calls * share), msLeft())
    options.logger.info({ calls: ended, ms: Math.round(performance.now() - begin) }, 'warmed up')
  } catch (error) {
    options.logger.info({ err: error }, 'no warm-up: the first calls will be slower')
  }
}

/** Returns how many ended. */
async function placeCalls(options: EdgeServiceOptions, calls: number, withinMs: number): Promise<number> {
  if (withinMs <= 0) return 0
  let receiver: Receiver | undefined
  const config = shortTimers(options.config)
  const edgeId = 'warm-up.0'
  const source: { current?: UdpSource } = {}
  const own = await createUdpListener({
    address: HOST,
    port: 0,
    batch: config.udp.batch,
    sink: { onDatagram: (...datagram) => source.current?.onDatagram(...datagram) },
  })
  const facing = facingOf(own, edgeId, 'udp', false)
  source.current = new UdpSource(facing, (buf, start, end, from) => receiver?.receive(buf, start, end, from))
  const phone = await LoopbackPhone.open(own.port, config.udp.batch)
  const callers = (await options.warmUpCallers?.(WARM_UP_USER, WARM_UP_DOMAIN)) ?? cannedCallers(phone.contact)
  const { core } = createEdgeCore({ config, logger: SILENT, ...callers }, loopbackListeners(own, facing, edgeId))
  await core.membership.start()
  receiver = new Receiver(core)
  const tick = () => {
    const now = core.now()
    core.layer.tick(now)
    core.proxy.tick(now)
  }
  // The timers' clock stands until the first tick: what began before would be over with it.
  tick()
  const ticker = setInterval(tick, 10)
  // Canned answers know their one contact already.
  const isKnown = options.warmUpCallers === undefined || (await phone.register())
  const ended = isKnown ? await phone.place(calls, withinMs) : 0
  clearInterval(ticker)
  await core.membership.leave()
  await Promise.all([phone.close(), own.close(), callers.close()])
  return ended
}

function shortTimers(config: EdgeConfig): EdgeConfig {
  return { ...config, timers: { ...config.timers, t1Ms: T1_MS, t2Ms: 8 * T1_MS, t4Ms: 8 * T1_MS } }
}

function facingOf(listener: UdpListener, edgeId: string, transport: 'udp' | 'tcp', internal: boolean): Facing {
  return new Facing({ transport, host: HOST, port: listener.port, edgeHash: edgeHashOf(edgeId), internal })
}

/** UDP alone: a warm-up opens no connection. */
function loopbackListeners(own: UdpListener, facing: Facing, edgeId: string): Listeners {
  return {
    edgeId,
    edgeHash: edgeHashOf(edgeId),
    udp: own,
    udpFacing: facing,
    tcp: undefined,
    tcpFacing: undefined,
    internalTcp: undefined,
    internalFacing: facingOf(own, edgeId, 'tcp', true),
    onConnectionLost: () => undefined,
    facings: () => [facing],
    allUdp: () => [own],
    allTcp: () => [],
    close: () => Promise.resolve(),
  }
}
