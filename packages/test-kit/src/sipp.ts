// SPDX-License-Identifier: MIT
import type { ManagedProcess } from './process.ts'

export interface SippOptions {
  /** A scenario file, inline XML, or one of SIPp's own (-sn). */
  readonly scenario: { readonly file: string } | { readonly xml: string } | { readonly builtin: string }
  /** 'host:port' of the other side; absent for a server. */
  readonly target?: string
  readonly localAddress?: string
  /** A free one where absent. */
  readonly localPort?: number
  readonly transport?: 'u1' | 't1' | 'tn' | 'un'
  /** Calls after which it ends (-m), 1 where absent; 0 runs until stopped. */
  readonly calls?: number
  /** Calls per second (-r). */
  readonly rate?: number
  /** Rows of an injection file, the first line (SEQUENTIAL …) included. */
  readonly inject?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

export interface SippResult {
  /** 0: every call as the scenario says. */
  readonly exitCode: number | null
  readonly timedOut: boolean
  /** The last row of its statistics by column name; empty where it wrote none. */
  readonly stats: Readonly<Record<string, string>>
  readonly successfulCalls: number
  readonly failedCalls: number
  /** Its error file: unexpected messages in full. */
  readonly errors: string
  /** Messages sent and received (-trace_msg). */
  readonly messages: string
  /** stdout and stderr. */
  readonly output: string
}

export interface RunningSipp {
  readonly port: number
  readonly process: ManagedProcess
  /** Resolves when it ends by itself, or is ended after timeoutMs. Never rejects. */
  readonly result: Promise<SippResult>
  stop(): Promise<SippResult>
}

export type Availability =
  | { readonly available: true; readonly path: string }
  | { readonly available: false; readonly reason: string }

export function sippAvailable(): Availability {
  throw new Error('surface only')
}

/** Starts it and comes back when it has its port. */
export async function startSipp(options: SippOptions): Promise<RunningSipp> {
  throw new Error(`surface only ${options}`)
}

/** Runs it to its end, at most timeoutMs (30 s). */
export async function runSipp(options: SippOptions): Promise<SippResult> {
  throw new Error(`surface only ${options}`)
}
