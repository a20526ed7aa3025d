// SPDX-License-Identifier: MIT
//
// How an edge goes: the cluster is told, no further connections are taken, requests that begin something are refused where their
// sender can go elsewhere, phones on connections are sent away one after the other, calls in set-up and reports are waited for. What is left at
// the end is handed over: the edge leaves its ports, then the cluster, and the others adopt (service.ts, any-edge/takeover.ts).
//
// It stays a member until then, marked as draining: responses that come to other edges must find it.
// Where all share an address, refusing would send the client back to that very address: everything is taken as before, until a balancer has
// heard of it. Where the kernel is the balancer (SO_REUSEPORT), it hears of it when the port is closed, so that nothing is waited for.
// Bounded by `shutdown.drainMs` in all.
// Race: of several edges with one address that go at once nobody is left: they refuse as soon as they know of one another.

import type { EdgeCore } from '../core.ts'
import type { EdgeListeners } from '../listeners/listeners.ts'
import { udpOf } from '../membership/membership.ts'
import { ConnectionDrain } from './connection-drain.ts'

const POLL_MS = 50

export interface DrainParts {
  readonly core: EdgeCore
  readonly listeners: Pick<EdgeListeners, 'closeStreams' | 'answerKeepAlives' | 'arrivedConnections'>
  /** From now on the lease says that this edge drains. */
  setDraining(): void
  /** Requests that begin something get 503, or are taken. */
  refuseNew(isRefused: boolean): void
}

/** Comes back when nothing is left to wait for, or the time is over. */
export async function drainEdge({ core, listeners, setDraining, refuseNew }: DrainParts): Promise<void> {
  const { config, membership, now } = core
  const deadline = now() + config.drainMs
  await sleep(Math.min(config.drain.noticeMs, config.drainMs))
  setDraining()
  await Promise.all([membership.renew(), listeners.closeStreams()])
  const connections = new ConnectionDrain(core, listeners, now())
  while (now() < deadline) {
    const refuses = refusesNew(core)
    refuseNew(refuses)
    listeners.answerKeepAlives(!refuses)
    const areGone = connections.close(now())
    if (areGone && isQuiet(core, refuses)) return
    await sleep(POLL_MS)
  }
}

/** Whether who is refused has somewhere else to go, or there is nobody else in any case. */
export function refusesNew({
  config,
  membership,
  edgeId,
}: Pick<EdgeCore, 'config' | 'membership' | 'edgeId'>): boolean {
  const { newRequests } = config.drain
  if (newRequests !== 'auto') return newRequests === 'refuse'
  const edges = [...membership.edges()]
  const own = edges.find(({ id }) => id === edgeId)
  if (own === undefined) return true
  return !edges.some((edge) => edge.id !== edgeId && !edge.draining && isSamePlace(own, edge))
}

type Place = Parameters<typeof udpOf>[0]

/** With UDP its address says it; else any of what they listen at. */
function isSamePlace(own: Place, other: Place): boolean {
  const udp = udpOf(own)
  if (udp !== '') return udpOf(other) === udp
  return own.listeners.some((listener) => other.listeners.includes(listener))
}

/** What would be lost, or has to be handed over, with this edge. */
function isQuiet({ config, proxy, reporter, location }: EdgeCore, refuses: boolean): boolean {
  if (reporter.pending > 0) return false
  const isKernelsChoice = config.sharedAddress && !refuses
  return isKernelsChoice || (proxy.inProgress === 0 && location.counts.inFlight === 0)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
