// SPDX-License-Identifier: MIT
//
// Child processes of `up --processes many`. A child that ends before it was ever ready ends the whole start with its exit
// status; one that dies later is reported and started again, with a pause that doubles. Children are told to stop by
// SIGTERM, in reverse order, and stop by themselves when this process is gone (their IPC channel closes).
// They live in process groups of their own, so that Ctrl-C reaches this process only and the order of stopping holds.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Logger } from '@tandem/service-kit'

export interface ChildSpec {
  readonly name: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface SupervisorOptions {
  readonly logger: Logger
  /** Program and leading arguments, e.g. [node, main.js]. */
  readonly command: readonly [string, ...string[]]
  readonly firstPauseMs: number
  readonly maxPauseMs: number
  /** Restarts of one child without its being ready for `steadyMs` in between; beyond it the whole ends. */
  readonly maxRestarts: number
  readonly steadyMs: number
  /** How long a stopping child may take before it is killed. */
  readonly stopMs: number
  /** A child gave up, or never started: exit status for the whole. */
  readonly onFatal: (name: string, exitCode: number) => void
}

export const SUPERVISOR_DEFAULTS = {
  firstPauseMs: 250,
  maxPauseMs: 10_000,
  maxRestarts: 10,
  steadyMs: 30_000,
  stopMs: 15_000,
}

type ChildState = 'starting' | 'ready' | 'pausing' | 'ended'

class SupervisedChild {
  readonly spec: ChildSpec
  private readonly options: SupervisorOptions
  private process: ChildProcess | undefined
  private timer: NodeJS.Timeout | undefined
  private restarts = 0
  private wasReady = false
  private readyAt = 0
  private stopping = false
  state: ChildState = 'starting'

  constructor(spec: ChildSpec, options: SupervisorOptions) {
    this.spec = spec
    this.options = options
  }

  start(): void {
    const [program, ...leading] = this.options.command
    this.state = 'starting'
    const child = spawn(program, [...leading, ...this.spec.args], {
      env: this.spec.env,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: true,
    })
    this.process = child
    child.on('message', (message) => this.onMessage(message))
    child.on('error', (error) =>
      this.options.logger.error({ err: error, child: this.spec.name }, 'child process failed'),
    )
    child.on('exit', (code, signal) => this.onExit(code, signal))
  }

  private onMessage(message: unknown): void {
    if (message !== 'ready') return
    this.state = 'ready'
    this.wasReady = true
    this.readyAt = performance.now()
  }

  private onExit(code: number | null, signal: NodeJS.Signals | null): void {
    const before = this.state
    this.process = undefined
    this.state = 'ended'
    if (this.stopping) return
    if (!this.wasReady) {
      this.options.onFatal(this.spec.name, code || 1)
      return
    }
    if (before === 'ready' && performance.now() - this.readyAt >= this.options.steadyMs) this.restarts = 0
    this.restart(code, signal)
  }

  private restart(code: number | null, signal: NodeJS.Signals | null): void {
    const { logger, firstPauseMs, maxPauseMs, maxRestarts, onFatal } = this.options
    if (this.restarts >= maxRestarts) {
      onFatal(this.spec.name, 1)
      return
    }
    const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** this.restarts)
    this.restarts++
    this.state = 'pausing'
    logger.error({ child: this.spec.name, code, signal, pauseMs }, 'child process ended, starting it again')
    this.timer = setTimeout(() => this.start(), pauseMs)
  }

  async stop(): Promise<void> {
    this.stopping = true
    clearTimeout(this.timer)
    const child = this.process
    if (!child) return
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGTERM')
    const killer = setTimeout(() => child.kill('SIGKILL'), this.options.stopMs)
    await exited
    clearTimeout(killer)
  }

  get pid(): number | undefined {
    return this.process?.pid
  }
}

export class Supervisor {
  private readonly children: SupervisedChild[]

  /** `specs` in starting order. */
  constructor(specs: readonly ChildSpec[], options: SupervisorOptions) {
    this.children = specs.map((spec) => new SupervisedChild(spec, options))
  }

  start(): void {
    for (const child of this.children) child.start()
  }

  /** Whether every child has said that it is ready. */
  ready(): boolean {
    return this.children.every((child) => child.state === 'ready')
  }

  /** Stops children whose name `matches`, all of them at once. */
  async stop(matches: (name: string) => boolean = () => true): Promise<void> {
    await Promise.all(this.children.filter((child) => matches(child.spec.name)).map((child) => child.stop()))
  }

  /** Process ids by name, for those that run. */
  pids(): Record<string, number> {
    const running = this.children.flatMap((child) =>
      child.pid === undefined ? [] : [[child.spec.name, child.pid] as const],
    )
    return Object.fromEntries(running)
  }
}
