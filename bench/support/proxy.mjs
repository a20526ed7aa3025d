// SPDX-License-Identifier: MIT
//
// A proxy under measurement: starts a command, waits until it is ready, says what its process tree has spent and holds as the kernel
// accounts it (ticks of 10 ms), ends the tree. The load is other processes' and is not counted.
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const TICK_MS = 10
const START_MS = 60_000
const STOP_MS = 5_000
const KEPT_OUTPUT = 4_000

export class RunningProxy {
  #child
  #output = ''

  constructor(child) {
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => this.#keep(chunk))
  }

  /**
   * @param {readonly string[]} command
   * @param {{ readyLine?: RegExp, readyPort?: number, readyUdpPort?: number, env?: Record<string, string> }} options one of the
   *   first three says when it is ready: a line, a port that accepts, a port that answers OPTIONS
   */
  static async start([program, ...args], { readyLine, readyPort, readyUdpPort, env = {} }) {
    const stdio = ['ignore', 'pipe', 'pipe']
    const proxy = new RunningProxy(spawn(program, args, { stdio, env: { ...process.env, ...env } }))
    const isReady = async () => {
      if (readyLine !== undefined) return readyLine.test(proxy.#output)
      return readyUdpPort === undefined ? accepts(readyPort) : answersOptions(readyUdpPort)
    }
    for (const until = Date.now() + START_MS; !(await isReady()); await sleep(100)) {
      if (Date.now() < until && proxy.#child.exitCode === null) continue
      await proxy.stop()
      throw new Error(`${program} did not become ready:\n${proxy.#output}`)
    }
    return proxy
  }

  /** Its own process id first, then those of its children, oldest first. */
  get pids() {
    return treeOf(this.#child.pid)
  }

  get output() {
    return this.#output
  }

  /** CPU time since its start. */
  spent() {
    return spentBy(this.pids)
  }

  /** CPU time in milliseconds since the start by what runs: a service's name, `edge` for all edges, '' for all else. */
  spentByService() {
    const spent = new Map()
    for (const pid of this.pids) {
      const service = /\0run\0(\w+)\0/.exec(commandLineOf(pid))?.[1] ?? ''
      const { userMs, systemMs } = spentBy([pid])
      spent.set(service, (spent.get(service) ?? 0) + userMs + systemMs)
    }
    return spent
  }

  /** Of these processes, all where none are named. */
  rssBytes(pids = this.pids) {
    return pids.reduce((sum, pid) => sum + rssOf(pid), 0)
  }

  /** The process ids of the edges in their order, where each edge is a process of its own. */
  get edges() {
    const found = this.pids.map((pid) => [pid, /\0run\0edge\0.*--index\0(\d+)/.exec(commandLineOf(pid))?.[1]])
    return found
      .filter(([, index]) => index !== undefined)
      .sort(([, a], [, b]) => a - b)
      .map(([pid]) => pid)
  }

  /** The whole tree is gone when this resolves: it ends itself, or is ended. */
  async stop() {
    const pids = this.pids
    signal(pids.slice(0, 1), 'SIGTERM')
    for (const until = Date.now() + STOP_MS; Date.now() < until && pids.some(isAlive); await sleep(50)) {
      // until all have ended, or long enough
    }
    signal(pids.filter(isAlive), 'SIGKILL')
  }

  #keep(chunk) {
    this.#output = (this.#output + chunk).slice(-KEPT_OUTPUT)
  }
}

/** CPU time of these processes, as the kernel accounts it. */
export function spentBy(pids) {
  const sum = { userMs: 0, systemMs: 0 }
  for (const pid of pids) {
    const fields = statOf(pid)
    sum.userMs += Number(fields[11] ?? 0) * TICK_MS
    sum.systemMs += Number(fields[12] ?? 0) * TICK_MS
  }
  return sum
}

/** The difference of two `spent()`, per call in microseconds. */
export function perCall(before, after, calls) {
  const userUs = Math.round(((after.userMs - before.userMs) * 1_000) / calls)
  const systemUs = Math.round(((after.systemMs - before.systemMs) * 1_000) / calls)
  return { usPerCall: userUs + systemUs, userUs, systemUs }
}

/** What is there no more, is nothing. */
function proc(path) {
  try {
    return readFileSync(`/proc/${path}`, 'latin1')
  } catch {
    return ''
  }
}

/** Fields of /proc/PID/stat from the state on; none where it has ended. */
function statOf(pid) {
  const text = proc(`${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

const commandLineOf = (pid) => proc(`${pid}/cmdline`)

const rssOf = (pid) => Number(/VmRSS:\s+(\d+)/.exec(proc(`${pid}/status`))?.[1] ?? 0) * 1_024

function treeOf(root) {
  const children = new Map()
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  for (const pid of all.map(Number).sort((a, b) => a - b)) {
    const parent = Number(statOf(pid)[1])
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const found = [root]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

/** What has ended and was not waited for is dead too. */
const isAlive = (pid) => !['', 'Z'].includes(statOf(pid)[0])

function signal(pids, name) {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It has ended meanwhile.
    }
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const done = (is) => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', () => done(true)).once('error', () => done(false))
  })
}

const OPTIONS_MS = 300

/** Whether anything comes back from a UDP port that was asked for its capabilities. */
function answersOptions(port) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const done = (is) => {
      clearTimeout(timer)
      socket.close()
      resolve(is)
    }
    const timer = setTimeout(() => done(false), OPTIONS_MS)
    socket.once('message', () => done(true)).once('error', () => done(false))
    socket.bind(0, '127.0.0.1', () => {
      const [own, id] = [socket.address().port, Math.random().toString(36).slice(2)]
      const head = [`OPTIONS sip:127.0.0.1:${port} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK${id}`]
      const names = [`From: <sip:ready@elsewhere.test>;tag=${id}`, `To: <sip:127.0.0.1:${port}>`, `Call-ID: ${id}`]
      const rest = ['Max-Forwards: 70', 'CSeq: 1 OPTIONS', 'Content-Length: 0', '', '']
      socket.send([...head, ...names, ...rest].join('\r\n'), port, '127.0.0.1')
    })
  })
}
