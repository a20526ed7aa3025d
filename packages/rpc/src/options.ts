// SPDX-License-Identifier: MIT
//
// Options of callers and servers, and their defaults. Every bound of the package is one of these numbers.
import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js'
import type { BreakerSettings } from './breaker.ts'
import type { OnBug } from './caller.ts'

/** Below grpc's 4 MiB; a message above is never written and never read. */
export const MAX_MESSAGE_BYTES = 3_145_728

/** One item, so that a message of it alone stays below MAX_MESSAGE_BYTES. */
export const MAX_ITEM_BYTES = 2_097_152

export const CALLER_DEFAULTS = {
  /** Items of one message at most. */
  maxBatchItems: 64,
  /** A batch is closed before it grows above this; one larger item goes alone. */
  maxBatchBytes: 524_288,
  /** How long an item may wait for company while others are in flight; 0 to 2. */
  batchWindowMs: 2,
  /** Items waiting to be sent, at most; then unknown. */
  maxQueueItems: 16_384,
  maxQueueBytes: 33_554_432,
  /** Items in flight on one stream, at most; more wait in the queue. */
  maxInFlightPerStream: 16_384,
  connectTimeoutMs: 3_000,
  backoffMinMs: 50,
  backoffMaxMs: 5_000,
  resolveIntervalMs: 5_000,
  keepaliveMs: 5_000,
  keepaliveTimeoutMs: 3_000,
}

export type CallerLimits = typeof CALLER_DEFAULTS

/** When a replica, or all of them, are not asked. */
export interface CircuitSettings extends BreakerSettings {
  /** Without a connection for longer than this a replica counts as open. */
  readonly downMs: number
  /** Calls that are given to another replica because the first is silent, for each call; 0 for none. */
  readonly hedgeShare: number
}

export interface StreamCallerOptions extends Partial<CallerLimits> {
  /** The edge id, told to the service; part of membership. */
  peer: string
  /** Insecure unless given (mutual TLS). */
  credentials?: ChannelCredentials
  /** Goes with `credentials`: what is asked for by name (SNI), where an address is connected to. Both come from `RpcTls.client`. */
  serverName?: string
  /** Uniform in [0, 1): spreads reconnects. */
  random?: () => number
  onBug?: OnBug
  /** Without it every replica is always asked. */
  circuit?: CircuitSettings
  /** Told once for each replica that has no stream, and is asked by unary calls instead. */
  onUnary?: (address: string) => void
}

export interface RpcServerOptions {
  /** Insecure unless given (mutual TLS). */
  credentials?: ServerCredentials
  onBug?: OnBug
}

export const SERVE_DEFAULTS = {
  /** Items of one stream in progress, unsent results included, before reading stops. */
  maxInProgressPerStream: 4_096,
  maxBatchItems: 64,
  maxBatchBytes: 524_288,
}

export type ServeLimits = typeof SERVE_DEFAULTS
