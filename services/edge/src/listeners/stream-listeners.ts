// SPDX-License-Identifier: MIT
//
// The listeners of TLS, WebSocket, secure WebSocket and SCTP, with what they share with TCP: one admission for a source whichever port it
// takes, load balancers that speak for others, certificates that are looked at again while they run.

import { BlockList } from 'node:net'
import { type EdgeConfig, type Logger, watchCertificates } from '@tandem/service-kit'
import {
  SctpTransport,
  StreamAdmission,
  type StreamLimits,
  type StreamOptions,
  type StreamPlace,
  type StreamSink,
  type StreamTransport,
  TlsCredentials,
  TlsTransport,
  WsAuthorizer,
  WsTransport,
} from '@tandem/transport'
import type { Facing } from './facing.ts'
import type { Door } from './public-doors.ts'

export interface OpenStream<T extends StreamTransport> {
  readonly transport: T
  readonly facing: Facing
}

/** What listens besides UDP and TCP. */
export interface MoreStreams {
  readonly tls?: OpenStream<TlsTransport>
  readonly ws?: OpenStream<WsTransport>
  readonly wss?: OpenStream<WsTransport>
  readonly sctp?: OpenStream<SctpTransport>
  readonly credentials?: TlsCredentials
}

export type StreamName = 'tls' | 'ws' | 'wss' | 'sctp'

export interface StreamOpening {
  readonly config: EdgeConfig
  readonly logger: Logger
  readonly place: Omit<StreamPlace, 'port'>
  readonly shared: Omit<StreamOptions, 'sink'>
  facingOf(transport: StreamName, port: number): Facing
  sinkOf(facing: Facing): StreamSink
  /** Told of everything that is open, at once, so that a failure later closes it. */
  onOpened(close: () => Promise<void> | void): void
  /** Takes what opens a port, which is done last. */
  toOpen(open: () => Promise<Door>): void
}

const CLOSE_GRACE_MS = 500

export function streamLimits({ limits }: EdgeConfig): Partial<StreamLimits> {
  return {
    maxConnections: limits.maxConnections,
    maxConnectionsPerSource: limits.maxConnectionsPerAddress,
    idleMs: limits.connectionIdleMs, // [RFC3261-18ab]
    maxQueuedBytes: limits.maxQueuedBytes,
    partialMessageMs: limits.partialMessageMs,
    handshakeMs: limits.handshakeMs,
  }
}

/** One for all ports of the edge toward the world. */
export function streamAdmission({ limits }: EdgeConfig): StreamAdmission {
  return new StreamAdmission({
    maxConnections: limits.maxConnections,
    maxConnectionsPerSource: limits.maxConnectionsPerAddress,
    maxHandshakes: limits.maxHandshakes,
    maxHandshakesPerSource: limits.maxHandshakesPerAddress,
    handshakesPerSecond: limits.handshakesPerSecond,
  })
}

/** Networks as the configuration has them: `10.0.0.0/8`, `2001:db8::/32`. */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/')
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list
}

export async function openMoreStreams(opening: StreamOpening): Promise<MoreStreams> {
  const { config } = opening
  const { tls: hasTls, ws: hasWs, wss: hasWss } = config.listeners
  const credentials = hasTls || hasWss ? await openCredentials(opening) : undefined
  const tls = credentials !== undefined && hasTls ? await openTls(opening, credentials) : undefined
  const authorizer = hasWs || hasWss ? wsAuthorizer(opening) : undefined
  const ws = hasWs ? await openWs(opening, undefined, authorizer) : undefined
  const wss = credentials !== undefined && hasWss ? await openWs(opening, credentials, authorizer) : undefined
  const sctp = config.listeners.sctp ? await openSctp(opening) : undefined
  return {
    ...(credentials === undefined ? {} : { credentials }),
    ...(tls === undefined ? {} : { tls }),
    ...(ws === undefined ? {} : { ws }),
    ...(wss === undefined ? {} : { wss }),
    ...(sctp === undefined ? {} : { sctp }),
  }
}

async function openCredentials({ config, logger, onOpened }: StreamOpening): Promise<TlsCredentials> {
  const { certificates, caFile, minVersion, reloadMs } = config.tls
  const { tls, wss } = config.advertised
  const ownNames = [...new Set([tls.host, wss.host, config.advertisedAddress, config.bindAddress, 'localhost'])]
  const files = { certificates, caFile, minVersion, ownName: config.id, ownNames }
  const credentials = await TlsCredentials.open(files, (sentence) => logger.warn(sentence))
  if (credentials.isSelfMade) {
    logger.info('no edge.tls.certificates: TLS and WSS show a certificate of this process, which nobody can verify')
  }
  credentials.watch(reloadMs)
  const { counters } = credentials
  const forget = watchCertificates('sip', () => ({ notAfterMs: credentials.notAfterMs, failures: counters.failures }))
  onOpened(() => {
    forget()
    credentials.close()
  })
  return credentials
}

async function openTls(opening: StreamOpening, credentials: TlsCredentials): Promise<OpenStream<TlsTransport>> {
  const { config, logger } = opening
  const facing = opening.facingOf('tls', config.tlsPort)
  warnOfOtherNames(credentials, facing, logger)
  credentials.onChange(() => warnOfOtherNames(credentials, facing, logger))
  const transport = new TlsTransport({
    ...opening.shared,
    sink: opening.sinkOf(facing),
    tls: { credentials, clientCertificates: config.tls.clientCertificates },
    onNotice: (sentence) => logger.warn(sentence),
  })
  await listen(opening, transport, config.tlsPort)
  return { transport, facing }
}

/** [RFC5922-7.5c] Servers and phones that verify certificates connect to the host of our Record-Route. */
export function warnOfOtherNames(credentials: Pick<TlsCredentials, 'proves'>, { host }: Facing, logger: Logger): void {
  if (credentials.proves(host)) return
  logger.warn(`no TLS certificate is for ${host}, the host of Record-Route: who verifies it cannot come back`)
}

/** One for both ports. */
function wsAuthorizer({ config, logger, onOpened }: StreamOpening): WsAuthorizer | undefined {
  const { url, timeoutMs, maxConcurrent, forwardHeaders } = config.webSocket.authorize
  if (url === '') return undefined
  const onNotice = (sentence: string): void => logger.warn(sentence)
  const authorizer = new WsAuthorizer({ url, timeoutMs, maxConcurrent, forwardHeaders, onNotice })
  onOpened(() => authorizer.close())
  return authorizer
}

/** [RFC7118-4.1a] A browser asks its user for a certificate when it is asked: WSS never asks. */
async function openWs(
  opening: StreamOpening,
  credentials: TlsCredentials | undefined,
  authorizer: WsAuthorizer | undefined,
): Promise<OpenStream<WsTransport>> {
  const { config, shared } = opening
  const { origins, pingMs, pongTimeoutMs } = config.webSocket
  const isSecure = credentials !== undefined
  const port = isSecure ? config.wssPort : config.wsPort
  const facing = opening.facingOf(isSecure ? 'wss' : 'ws', port)
  const options = {
    ...shared,
    sink: opening.sinkOf(facing),
    origins,
    pings: { intervalMs: pingMs, timeoutMs: pongTimeoutMs },
    ...(authorizer === undefined ? {} : { authorizer }),
  }
  const transport = new WsTransport(
    isSecure ? { ...options, tls: { credentials, clientCertificates: 'none' } } : options,
  )
  await listen(opening, transport, port)
  return { transport, facing }
}

const WILDCARDS = new Set(['0.0.0.0', '::'])

/**
 * An association tells its peer all addresses of a socket: where the edge binds one, only that. Whether there is SCTP at all shows before the
 * edge joins the cluster.
 */
async function openSctp(opening: StreamOpening): Promise<OpenStream<SctpTransport>> {
  const { bindAddress, sctp, sipPort } = opening.config
  const { initAttempts, initTimeoutMs } = sctp
  const facing = opening.facingOf('sctp', sipPort)
  const { proxySources: _none, ...shared } = opening.shared
  const transport = new SctpTransport({
    ...shared,
    sink: opening.sinkOf(facing),
    tuning: { initAttempts, initTimeoutMs },
    ...(WILDCARDS.has(bindAddress) ? {} : { localAddress: bindAddress }),
  })
  await listen(opening, transport, sipPort)
  transport.probe(bindAddress)
  return { transport, facing }
}

async function listen(
  { place, onOpened, toOpen }: StreamOpening,
  transport: StreamTransport,
  port: number,
): Promise<void> {
  onOpened(() => transport.close(CLOSE_GRACE_MS))
  toOpen(() => transport.listen({ ...place, port }))
}
