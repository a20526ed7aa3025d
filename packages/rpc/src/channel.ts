// SPDX-License-Identifier: MIT
//
// grpc-js channels as this package wants them: sizes set, no proxy from the environment, no service config from DNS, a
// connection of their own each, dead peers found by keep-alive.
import { type ChannelCredentials, type ChannelOptions, Client, credentials, Metadata } from '@grpc/grpc-js'
import { type CallerLimits, MAX_MESSAGE_BYTES, type StreamCallerOptions } from './options.ts'

export const PEER_KEY = 'tandem-peer'
/** W3C Trace Context. */
export const TRACE_KEY = 'traceparent'
/** Trailer of a refused unary call: the encoded Refusal. */
export const REFUSAL_KEY = 'tandem-refusal-bin'

export const SIZE_OPTIONS = {
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
} as const

export function createClient(
  address: string,
  limits: Pick<CallerLimits, 'keepaliveMs' | 'keepaliveTimeoutMs' | 'backoffMinMs' | 'backoffMaxMs'> &
    Pick<StreamCallerOptions, 'serverName'>,
  channelCredentials: ChannelCredentials = credentials.createInsecure(),
): Client {
  const options: ChannelOptions = {
    ...SIZE_OPTIONS,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.initial_reconnect_backoff_ms': limits.backoffMinMs,
    'grpc.max_reconnect_backoff_ms': limits.backoffMaxMs,
    ...(limits.serverName !== undefined && { 'grpc.ssl_target_name_override': limits.serverName }),
  }
  return new Client(address, channelCredentials, options)
}

export function peerMetadata(peer: string, traceparent?: string): Metadata {
  const metadata = new Metadata()
  metadata.set(PEER_KEY, peer)
  if (traceparent !== undefined) metadata.set(TRACE_KEY, traceparent)
  return metadata
}

/** Exponential with full jitter: uniform between 0 and the step, so that a restart is not met by all at once. */
export function backoffMs(attempt: number, minMs: number, maxMs: number, random: () => number): number {
  return Math.floor(random() * Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30)))
}
