// SPDX-License-Identifier: MIT
import type { TransportName } from './types.ts'

const DEFAULT_PORTS: Readonly<Record<TransportName, number>> = {
  udp: 5060,
  tcp: 5060,
  sctp: 5060,
  tls: 5061,
  ws: 80,
  wss: 443,
}

/** [RFC3261-19.1.2] 5060, 5061 for TLS; [RFC7118-4.1] the ports of HTTP for WebSocket. */
export function defaultPort(transport: TransportName): number {
  return DEFAULT_PORTS[transport]
}
