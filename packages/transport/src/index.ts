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
export type { SctpTuning } from './sctp/options.ts'
export type { SctpTransportOptions } from './sctp.ts'
export { SctpTransport } from './sctp.ts'
export { createFlowIds, StreamTransport } from './stream-transport.ts'
export type { StreamCounters, StreamLimits, StreamListener, StreamOptions, StreamPlace } from './stream-types.ts'
export { TcpTransport } from './tcp.ts'
export type { TlsFiles } from './tls/credentials.ts'
export { TlsCredentials } from './tls/credentials.ts'
export type { CertificateParts, Identity } from './tls/issue-certificate.ts'
export { issueCertificate } from './tls/issue-certificate.ts'
export type { ClientCertificates, TlsOptions } from './tls/tls-stage.ts'
export type { TlsTransportOptions } from './tls.ts'
export { TlsTransport } from './tls.ts'
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
export type { WsAuthorizerOptions } from './ws/ws-authorizer.ts'
export { WsAuthorizer } from './ws/ws-authorizer.ts'
export type { WsPings } from './ws/ws-connection.ts'
export type { WsTransportOptions } from './ws.ts'
export { WsTransport } from './ws.ts'
