// SPDX-License-Identifier: MIT
// Runs a program for a test. Whatever happens to the test, the program ends: stop() ends its process group, the end of this process
// ends it, and a watcher ends it where this process was killed outright (the watcher reads a pipe that closes with this process).
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface ProcessOptions {
  readonly command: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Kept of stdout and stderr together, the newest; 1 MiB where absent. */
  readonly maxOutputBytes?: number
}

export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ManagedProcess {
  readonly pid: number
  /** undefined while it runs. */
  readonly end: ProcessEnd | undefined
  readonly ended: Promise<ProcessEnd>
  /** stdout and stderr as they came. */
  output(): string
  /** The first line of the output that matches, from its start on; rejects after timeoutMs or when the program ends, with its output. */
  waitForLine(pattern: RegExp | string, timeoutMs?: number): Promise<string>
  /** Rejects where it is still running after timeoutMs. */
  waitForEnd(timeoutMs: number): Promise<ProcessEnd>
  /** To the program alone. */
  signal(signal: NodeJS.Signals): void
  write(text: string): void
  /** Closes its standard input. */
  endInput(): void
  /** SIGTERM to its process group, SIGKILL after graceMs; resolves when it is gone. */
  stop(graceMs?: number): Promise<ProcessEnd>
}

const running = new Set<ManagedChild>()
let hooked = false

/** Starts the program; rejects where it can't be started. */
export async function startProcess(options: ProcessOptions): Promise<ManagedProcess> {
  const child = spawn(options.command, [...(options.args ?? [])], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  await once(child, 'spawn')
  return new ManagedChild(child, options)
}

class ManagedChild implements ManagedProcess {
  readonly pid: number
  readonly ended: Promise<ProcessEnd>
  end: ProcessEnd | undefined
  readonly #child: ChildProcess
  readonly #watcher: ChildProcess
  readonly #command: string
  readonly #maxOutputBytes: number
  readonly #listeners = new Set<() => void>()
  #output = ''

  constructor(child: ChildProcess, options: ProcessOptions) {
    this.#child = child
    this.pid = child.pid ?? 0
    this.#command = options.command
    this.#maxOutputBytes = options.maxOutputBytes ?? 1_048_576
    this.#watcher = startWatcher(this.pid)
    running.add(this)
    hookExit()
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#append(text))
    }
    child.stdin?.on('error', () => {})
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve(this.#onEnd(code, signal)))
    })
  }

  output(): string {
    return this.#output
  }

  waitForLine(pattern: RegExp | string, timeoutMs = 10_000): Promise<string> {
    const wanted = typeof pattern === 'string' ? (line: string) => line.includes(pattern) : matcher(pattern)
    return new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        clearTimeout(timer)
        this.#listeners.delete(look)
        act()
      }
      const fail = (why: string): void =>
        finish(() => reject(new Error(`${this.#command}: no line ${pattern}: ${why}\n${this.#output.slice(-4000)}`)))
      const look = (): void => {
        const line = this.#output.split('\n').find(wanted)
        if (line !== undefined) finish(() => resolve(line))
        else if (this.end !== undefined) fail(`it ended with ${JSON.stringify(this.end)}`)
      }
      const timer = setTimeout(() => fail(`waited ${timeoutMs} ms`), timeoutMs)
      this.#listeners.add(look)
      look()
    })
  }

  async waitForEnd(timeoutMs: number): Promise<ProcessEnd> {
    const end = await within(this.ended, timeoutMs)
    if (end !== undefined) return end
    throw new Error(`${this.#command}: still running after ${timeoutMs} ms\n${this.#output.slice(-4000)}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  endInput(): void {
    this.#child.stdin?.end()
  }

  async stop(graceMs = 2_000): Promise<ProcessEnd> {
    if (this.end !== undefined) return this.end
    killGroup(this.pid, 'SIGTERM')
    const end = await within(this.ended, graceMs)
    if (end !== undefined) return end
    killGroup(this.pid, 'SIGKILL')
    return this.waitForEnd(5_000)
  }

  #append(text: string): void {
    this.#output += text
    if (this.#output.length > this.#maxOutputBytes) this.#output = this.#output.slice(-this.#maxOutputBytes)
    for (const listener of [...this.#listeners]) listener()
  }

  #onEnd(code: number | null, signal: NodeJS.Signals | null): ProcessEnd {
    this.end = { code, signal }
    this.#watcher.kill('SIGKILL')
    running.delete(this)
    for (const listener of [...this.#listeners]) listener()
    return this.end
  }
}

function matcher(pattern: RegExp): (line: string) => boolean {
  const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''))
  return (line) => stateless.test(line)
}

function startWatcher(pid: number): ChildProcess {
  const watcher = spawn('/bin/sh', ['-c', `cat >/dev/null; kill -s KILL -- -${pid} 2>/dev/null`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watcher.on('error', () => {})
  watcher.stdin.on('error', () => {})
  watcher.unref()
  return watcher
}

function hookExit(): void {
  if (hooked) return
  hooked = true
  process.once('exit', () => {
    for (const child of running) killGroup(child.pid, 'SIGKILL')
  })
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // It is gone already.
  }
}

/** The promise's value, or undefined after timeoutMs. */
async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
