// SPDX-License-Identifier: MIT
// Runs SIPp, a SIP program that we did not write. Each run has a temporary folder for its scenario and logs, which are read into the result
// and removed. A run is bounded twice: SIPp's own -timeout, and the end of its process shortly after.
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { type ManagedProcess, startProcess } from './process.ts'
import { type Availability, findProgram } from './program.ts'
import { waitUntil } from './wait.ts'

export interface SippOptions {
  /** A scenario file, inline XML, or one of SIPp's own (-sn). */
  readonly scenario: { readonly file: string } | { readonly xml: string } | { readonly builtin: string }
  /** 'host:port' of the other side; absent for a server. */
  readonly target?: string
  /** 127.0.0.1 where absent. */
  readonly localAddress?: string
  /** A free one where absent. */
  readonly localPort?: number
  /** u1 where absent. */
  readonly transport?: 'u1' | 'un' | 't1' | 'tn' | 's1'
  /** Calls after which it ends (-m), 1 where absent; 0 runs until stopped. */
  readonly calls?: number
  /** Calls per second (-r). */
  readonly rate?: number
  /** An injection file's text, its first line (SEQUENTIAL …) included. */
  readonly inject?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** 30 s where absent. */
  readonly timeoutMs?: number
  /** What `messages` holds: whole messages, or for long runs a line each. Full where absent. */
  readonly trace?: 'full' | 'short'
  /** Command and arguments that run it elsewhere, e.g. in a network namespace; localPort has to be given then. */
  readonly prefix?: readonly string[]
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
  /**
   * Messages sent and received (-trace_msg), or with the short trace tab-separated lines: day, time, seconds since 1970, S or R,
   * Call-ID, CSeq header, start line.
   */
  readonly messages: string
  /** stdout and stderr. */
  readonly output: string
}

export interface RunningSipp {
  readonly port: number
  readonly process: ManagedProcess
  /** Resolves when it ends by itself, or is ended after timeoutMs. Never rejects. */
  readonly result: Promise<SippResult>
  /** Lets the calls under way end, for graceMs, then ends it. */
  stop(graceMs?: number): Promise<SippResult>
}

const END_MARGIN_MS = 3_000
const READY_TIMEOUT_MS = 5_000

export function sippAvailable(): Availability {
  return findProgram(['sipp'], 'sip-tester')
}

/** Starts it and comes back when it has its port. */
export async function startSipp(options: SippOptions): Promise<RunningSipp> {
  const program = sippAvailable()
  if (!program.available) throw new Error(program.reason)
  const folder = await mkdtemp(join(tmpdir(), 'tandem-sipp-'))
  const port = options.localPort ?? (await freePort(options.localAddress ?? '127.0.0.1'))
  const args = await argumentsOf(options, folder, port)
  const [command, ...rest] = [...(options.prefix ?? []), program.path, ...args]
  const env = { TERM: 'dumb', ...options.env }
  const child = await startProcess({ command: command as string, args: rest, cwd: folder, env })
  const result = collect(child, folder, options.timeoutMs ?? 30_000)
  const isTcp = options.transport?.startsWith('t') === true
  // A TCP client has no listening port, and a scenario can be over before it is looked at.
  if (!isTcp || options.target === undefined) await waitForPort(child, isTcp ? 'tcp' : 'udp', port)
  return { port, process: child, result, stop: (graceMs) => stop(child, result, graceMs) }
}

/** Runs it to its end. */
export async function runSipp(options: SippOptions): Promise<SippResult> {
  const running = await startSipp(options)
  return running.result
}

async function argumentsOf(options: SippOptions, folder: string, port: number): Promise<string[]> {
  const args = [...(await scenarioArguments(options, folder))]
  if (options.target !== undefined) args.push(options.target)
  args.push('-i', options.localAddress ?? '127.0.0.1', '-p', String(port), '-t', options.transport ?? 'u1')
  const calls = options.calls ?? 1
  if (calls > 0) args.push('-m', String(calls))
  if (options.rate !== undefined) args.push('-r', String(options.rate))
  const seconds = Math.ceil((options.timeoutMs ?? 30_000) / 1_000)
  args.push('-timeout', `${seconds}s`, '-timeout_error', '-nostdin', '-skip_rlimit')
  args.push('-trace_stat', '-stf', 'stats.csv', '-fd', '1', '-trace_err', '-error_file', 'errors.log')
  args.push(...TRACES[options.trace ?? 'full'], ...(options.args ?? []))
  return args
}

const TRACES = {
  full: ['-trace_msg', '-message_file', 'messages.log'],
  short: ['-trace_shortmsg', '-shortmessage_file', 'messages.log'],
} as const

async function scenarioArguments(options: SippOptions, folder: string): Promise<string[]> {
  const args: string[] = []
  if (options.inject !== undefined) {
    await writeFile(join(folder, 'inject.csv'), options.inject)
    args.push('-inf', 'inject.csv')
  }
  if ('builtin' in options.scenario) return ['-sn', options.scenario.builtin, ...args]
  if ('file' in options.scenario) return ['-sf', options.scenario.file, ...args]
  await writeFile(join(folder, 'scenario.xml'), options.scenario.xml)
  return ['-sf', 'scenario.xml', ...args]
}

async function collect(child: ManagedProcess, folder: string, timeoutMs: number): Promise<SippResult> {
  let wasEnded = false
  await child.waitForEnd(timeoutMs + END_MARGIN_MS).catch(async () => {
    wasEnded = true
    await child.stop(0)
  })
  const stats = lastRow(await textOf(join(folder, 'stats.csv')))
  const [errors, messages] = [await textOf(join(folder, 'errors.log')), await textOf(join(folder, 'messages.log'))]
  await rm(folder, { recursive: true, force: true })
  const exitCode = child.end?.code ?? null
  return {
    exitCode,
    timedOut: wasEnded || exitCode === 97 || errors.includes(' timed out after '),
    stats,
    successfulCalls: Number(stats['SuccessfulCall(C)'] ?? 0),
    failedCalls: Number(stats['FailedCall(C)'] ?? 0),
    errors,
    messages,
    output: child.output(),
  }
}

async function stop(child: ManagedProcess, result: Promise<SippResult>, graceMs = 1_000): Promise<SippResult> {
  if (child.end === undefined) {
    child.signal('SIGUSR1')
    await child.waitForEnd(graceMs).catch(() => child.stop(500))
  }
  return result
}

async function textOf(path: string): Promise<string> {
  return existsSync(path) ? readFile(path, 'latin1') : ''
}

function lastRow(csv: string): Record<string, string> {
  const rows = csv.trim().split('\n')
  const values = (rows.length > 1 ? rows.at(-1) : '')?.split(';') ?? []
  const names = rows[0]?.split(';') ?? []
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']).filter(([name]) => name !== ''))
}

async function waitForPort(child: ManagedProcess, kind: 'udp' | 'tcp', port: number): Promise<void> {
  const place = `:${port.toString(16).toUpperCase().padStart(4, '0')} `
  const isBound = (): boolean =>
    child.end !== undefined || [kind, `${kind}6`].some((table) => tableOf(child.pid, table).includes(place))
  await waitUntil(`sipp to have ${kind} port ${port}\n${child.output()}`, isBound, READY_TIMEOUT_MS)
}

function tableOf(pid: number, table: string): string {
  try {
    return readFileSync(`/proc/${pid}/net/${table}`, 'latin1')
  } catch {
    return ''
  }
}
