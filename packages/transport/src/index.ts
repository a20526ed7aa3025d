// SPDX-License-Identifier: MIT
// UDP, TCP and the location of servers: everything between the pure SIP core and the network.
export type { AdmissionLimits } from './admission.ts'
export { StreamAdmission } from './admission.ts'
export { defaultPort } from './default-port.ts'
export type { ListenPlace, TransportErrorCode } from './errors.ts'
export { listenError, TRANSPORT_ERROR, TransportError } from './errors.ts'
export { numericHost } from './numeric-host.ts'
export type { DnsCounters } from './resolve/dns-cache.ts'
export type { LocateResult, LocateTarget, LocatorOptions } from './resolve/locate-server.ts'
export { ServerLocator } from './resolve/locate-server.ts'
export type { NodeResolverOptions } from './resolve/node-resolver.ts'
export { createNodeResolver } from './resolve/node-resolver.ts'
export type { AddressRecord, DnsResolver, NaptrRecord, SrvRecord } from './resolve/resolver.ts'
export type { PacketSource, ResponseTarget, ViaTarget } from './response-target.ts'
export { responseTarget } from './response-target.ts'
export { createFlowIds, StreamTransport } from './stream-transport.ts'
export type { StreamCounters, StreamLimits, StreamListener, StreamOptions, StreamPlace } from './stream-types.ts'
export { TcpTransport } from './tcp.ts'
export type {
  CloseReason,
  Connection,
  DatagramSink,
  Endpoint,
  StreamSink,
  TransportName,
  UdpCounters,
  UdpListener,
} from './types.ts'
export type { UdpOptions } from './udp.ts'
export { createUdpListener } from './udp.ts'
