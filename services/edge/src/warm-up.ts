// SPDX-License-Identifier: MIT
//
// Calls to itself before the first real one: an edge that has just started runs every line slowly, until the engine has seen
// it often enough to compile it, and that costs the first thousands of calls two to three times what later ones cost
// (docs/performance.md). So a new edge places calls over loopback sockets, through the same code, with answers made here in
// place of location and policy: nothing is stored, counted or logged, and nothing leaves the machine.
//
// Once per process. Bounded in calls and in time; that it fails or does not finish is no error.

import {
  createInProcess,
  done,
  type Handlers,
  type LocationMethods,
  location,
  locationService,
  type PolicyMethods,
  policy,
  policyService,
} from '@tandem/rpc'
import type { EdgeConfig, Logger } from '@tandem/service-kit'
import { createUdpListener, type UdpListener } from '@tandem/transport'
import { edgeHashOf } from './edge-hash.ts'
import { Facing } from './facing.ts'
import { type Listeners, UdpSource } from './listeners.ts'
import { Receiver } from './receive.ts'
import { LoopbackPhone } from './warm-up-phone.ts'
import { createEdgeCore } from './wiring.ts'

const HOST = '127.0.0.1'
const LONGEST_MS = 5_000

let isWarm = false

/** Places `calls` calls, or as many as a few seconds allow. Never rejects. */
export async function warmUp(config: EdgeConfig, calls: number, logger: Logger): Promise<void> {
  if (isWarm || calls === 0) return
  isWarm = true
  try {
    await placeCalls(config, calls, logger)
  } catch (error) {
    logger.info({ err: error }, 'no warm-up: the first calls will be slower')
  }
}

async function placeCalls(config: EdgeConfig, calls: number, logger: Logger): Promise<void> {
  let receiver: Receiver | undefined
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
  const callers = cannedCallers(phone.contact)
  const wiring = createEdgeCore({ config, logger, ...callers }, loopbackListeners(own, facing, edgeId))
  receiver = new Receiver(wiring.core)
  const ticker = setInterval(() => {
    const now = wiring.core.now()
    wiring.core.layer.tick(now)
    wiring.core.proxy.tick(now)
  }, 10)
  await phone.place(calls, LONGEST_MS)
  clearInterval(ticker)
  await Promise.all([phone.close(), own.close(), callers.location.close(), callers.policy.close()])
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

/** Location and policy as a call needs them, for one contact. */
function cannedCallers(contact: string) {
  const bindings = [location.Binding.fromPartial({ uri: contact, expiresS: 60, qMilli: 1000 })]
  const step = policy.Step.fromPartial({ targets: [{ where: { $case: 'aor', value: 'sip:warm-up@invalid' } }] })
  const decision = policy.DecideResponse.fromPartial({ verdict: { $case: 'plan', value: { steps: [step] } } })
  const held = done({ held: true })
  const locationHandlers: Handlers<LocationMethods> = {
    register: () => done({ bindings, version: 1n }),
    locate: () => done({ bindings, version: 1n }),
    beginCall: (request) => done({ created: true, owner: request.owner, epoch: 1 }),
    updateCall: () => held,
    endCall: () => held,
    leaseEdge: () => done({ edges: undefined }),
    leaveEdge: () => done({}),
    subscribe: () => done({ notification: undefined }),
    notifyDone: () => done({}),
    readCall: () => done({ entry: undefined }),
    adoptCall: () => done({ adopted: false, entry: undefined }),
    listOwned: () => done({ calls: [] }),
  }
  const policyHandlers: Handlers<PolicyMethods> = {
    decide: () => done(decision),
    report: () => done(policy.ReportResponse.fromPartial({})),
  }
  return {
    location: createInProcess(locationService, locationHandlers, { peer: 'warm-up' }),
    policy: createInProcess(policyService, policyHandlers, { peer: 'warm-up' }),
  }
}
