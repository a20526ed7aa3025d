// SPDX-License-Identifier: MIT
// Runs scripts: those of one turn for one node go out as one pipeline, with WAIT or WAITAOF once at its end when the
// durability asks for it, on the connection that wrote. Says of every script whether it was stored.
//
// Stored: it answered, and the durability holds. Not stored: it was not sent, or the server refused it before it ran.
// Unknown: sent, and no answer; or written, and the replicas or the disk did not confirm in time.
// In a Cluster, a script whose keys are being moved (ASK) goes to the node that they move to, by a lane of its own; one whose keys are
// on both sides (TRYAGAIN), or reaches a key that it was not given and that has moved, is tried again a little later.
// ioredis's own auto-pipelining is not used: it has no place for WAIT, and keeps one pipeline at a time per node.
// A repeat of what another node wrote, unconfirmed, writes nothing itself; its WAIT still covers that write, because Redis
// counts a connection's offset after every command, not after its writes alone (redis-store.test.ts holds it to that).

import { performance } from 'node:perf_hooks'
import { notStored, type Stored, stored, unknown } from '../result.ts'
import type { Client, Connection } from './connection.ts'
import type { Script } from './scripts/script.ts'

export type Durability = 'async' | 'replica' | 'fsync'
export type Argument = string | number | Uint8Array
/** As Redis gives it; text is a Buffer. */
export type Reply = Buffer | number | null | Reply[]

export interface BatcherSettings {
  durability: Durability
  replicas: number
  timeoutMs: number
  /** Scripts on their way, at most; more are refused as `full`. */
  maxInFlight: number
}

interface Pending {
  readonly script: Script
  readonly tag: string
  readonly keys: readonly string[]
  readonly args: readonly Argument[]
  readonly resolve: (result: Stored<Reply>) => void
  triesLeft: number
  bringsSource: boolean
  /** host:port of the node that its keys are being moved to; '' where they are where the slot is. */
  askedAt: string
}

type Outcome = [error: Error | null, reply: unknown]

/**
 * The server did not run it, or it ended at a key of its slot that has moved: another try is safe, because each script looks at such keys
 * before it writes what belongs to them.
 */
const ELSEWHERE = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b|attempted to access a non local key|same slots allocation group/
const ASK = /^ASK \d+ (\S+)$/
const REFUSED = /^(READONLY|MISCONF|OOM|NOREPLICAS|LOADING|MASTERDOWN|BUSY|NOAUTH|NOPERM|WRONGPASS)\b/
const NOT_SENT = /enableOfflineQueue options is false|Cluster is ended/
const TRIES = 4
/** Wait before another try of what is elsewhere, times the tries so far. */
const RETRY_MS = 50
/** Lanes to nodes that keys are being moved to. */
const ASKED = 'asked '
/** Scripts of one pipeline, at most. */
const BATCH_LIMIT = 512

export class Batcher {
  readonly #connection: Connection
  readonly #settings: BatcherSettings
  readonly #lanes = new Map<string, Pending[]>()
  /** When each lane last answered; lanes are as many as masters. */
  readonly #answeredMs = new Map<string, number>()
  #inFlight = 0
  #scripts = 0
  #batches = 0
  #refused = 0
  #unknowns = 0

  constructor(connection: Connection, settings: BatcherSettings) {
    this.#connection = connection
    this.#settings = settings
  }

  run(script: Script, tag: string, keys: readonly string[], args: readonly Argument[]): Promise<Stored<Reply>> {
    const refusal = this.#refusal(script)
    if (refusal !== undefined) {
      this.#refused++
      return Promise.resolve(refusal)
    }
    this.#inFlight++
    this.#scripts++
    return new Promise((resolve) =>
      this.#enqueue({ script, tag, keys, args, resolve, triesLeft: TRIES, bringsSource: false, askedAt: '' }),
    )
  }

  counts(): Record<string, number> {
    return {
      redisInFlightCount: this.#inFlight,
      redisScripts: this.#scripts,
      redisBatches: this.#batches,
      redisRefused: this.#refused,
      redisUnknown: this.#unknowns,
    }
  }

  #refusal(script: Script): Stored<never> | undefined {
    const { state, detail } = this.#connection.status
    if (state === 'closed') return notStored('closed', 'the store is closed')
    if (state === 'unusable' && script.writes) return notStored('unsupported', detail)
    if (state !== 'ready' && state !== 'unusable') return notStored('away', detail)
    if (this.#inFlight >= this.#settings.maxInFlight)
      return notStored('full', `${this.#settings.maxInFlight} operations are on their way to the store`)
    return undefined
  }

  #enqueue(pending: Pending): void {
    const name = pending.askedAt === '' ? this.#connection.laneOf(pending.tag) : ASKED + pending.askedAt
    const lane = this.#lanes.get(name)
    if (lane !== undefined) {
      lane.push(pending)
      return
    }
    this.#lanes.set(name, [pending])
    setImmediate(() => this.#flush(name))
  }

  #flush(name: string): void {
    const lane = this.#lanes.get(name) ?? []
    this.#lanes.delete(name)
    for (let at = 0; at < lane.length; at += BATCH_LIMIT) this.#send(name, lane.slice(at, at + BATCH_LIMIT))
  }

  #send(name: string, batch: readonly Pending[]): void {
    this.#batches++
    const isAsked = name.startsWith(ASKED)
    const client = isAsked ? this.#connection.nodeAt(name.slice(ASKED.length)) : this.#connection.client
    const pipeline = client.pipeline()
    for (const { script, keys, args, bringsSource } of batch) {
      if (isAsked) pipeline.asking()
      const [command, text] = bringsSource ? ['eval', script.source] : ['evalsha', script.sha]
      pipeline.callBuffer(command, text, keys.length, ...keys, ...bytes(args))
    }
    const isWriting = batch.some(({ script }) => script.writes)
    const waits = isWriting && this.#settings.durability !== 'async'
    if (waits) this.#addWait(pipeline)
    void this.#bounded(name, pipeline.exec() as Promise<Outcome[] | null>).then((outcomes) => {
      const trouble = waits ? this.#waitTrouble(outcomes) : undefined
      for (const [index, pending] of batch.entries())
        this.#judge(pending, outcomeOf(outcomes, isAsked ? 2 * index + 1 : index), trouble)
    })
  }

  #addWait(pipeline: ReturnType<Client['pipeline']>): void {
    const { durability, replicas, timeoutMs } = this.#settings
    const waitMs = Math.ceil(timeoutMs / 2)
    if (durability === 'replica') pipeline.call('wait', replicas, waitMs)
    else pipeline.call('waitaof', 1, 0, waitMs)
  }

  /** What the end of the pipeline says about all its writes. */
  #waitTrouble(outcomes: Outcome[] | Error): string | undefined {
    if (outcomes instanceof Error) return undefined
    const [error, reply] = outcomes.at(-1) ?? [new Error('no answer'), null]
    if (error !== null) return `written, not confirmed: ${error.message}`
    const { durability, replicas } = this.#settings
    const confirmed = Number(Array.isArray(reply) ? reply[0] : reply)
    if (durability === 'replica' && confirmed < replicas)
      return `written, but ${confirmed} of ${replicas} replicas confirmed in time`
    if (durability === 'fsync' && confirmed < 1) return 'written, but the append-only file was not synced in time'
    return undefined
  }

  #judge(pending: Pending, [error, reply]: Outcome, waitTrouble: string | undefined): void {
    if (error === null) {
      const isUnsure = waitTrouble !== undefined && pending.script.writes
      this.#settle(pending, isUnsure ? unknown(waitTrouble) : stored(reply as Reply))
    } else if (error.message.startsWith('NOSCRIPT') || ELSEWHERE.test(error.message)) this.#again(pending, error)
    else if (NOT_SENT.test(error.message)) this.#settle(pending, notStored('away', error.message))
    else if (REFUSED.test(error.message)) this.#settle(pending, notStored('refused', error.message))
    else this.#settle(pending, unknown(`${pending.script.name}: ${error.message}`))
  }

  /** Once more: with the source where the script is missing, where its keys are now, or a little later where the slot is elsewhere. */
  #again(pending: Pending, cause: Error): void {
    if (pending.triesLeft === 0) {
      this.#settle(pending, notStored('refused', cause.message))
      return
    }
    pending.triesLeft--
    if (cause.message.startsWith('NOSCRIPT')) {
      pending.bringsSource = true
      this.#enqueue(pending)
      return
    }
    pending.askedAt = ASK.exec(cause.message)?.[1] ?? ''
    if (pending.askedAt !== '') {
      this.#enqueue(pending)
      return
    }
    this.#connection.refresh()
    setTimeout(() => this.#enqueue(pending), RETRY_MS * (TRIES - pending.triesLeft))
  }

  #settle(pending: Pending, result: Stored<Reply>): void {
    this.#inFlight--
    if (result.state === 'unknown') this.#unknowns++
    pending.resolve(result)
  }

  /** The outcomes, or why there are none. A lane that answers nothing at all is dropped; one that is slow is not. */
  #bounded(lane: string, running: Promise<Outcome[] | null>): Promise<Outcome[] | Error> {
    const { timeoutMs } = this.#settings
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(new Error(`no answer within ${timeoutMs} ms`))
        const answeredMs = this.#answeredMs.get(lane) ?? 0
        if (performance.now() - answeredMs >= timeoutMs) this.#connection.reset(lane)
      }, timeoutMs)
      running
        .then(
          (outcomes) => {
            this.#answeredMs.set(lane, performance.now())
            resolve(outcomes ?? new Error('no answer'))
          },
          (error: unknown) => resolve(error instanceof Error ? error : new Error(String(error))),
        )
        .finally(() => clearTimeout(timer))
    })
  }
}

function outcomeOf(outcomes: Outcome[] | Error, index: number): Outcome {
  if (outcomes instanceof Error) return [outcomes, null]
  return outcomes[index] ?? [new Error('no answer'), null]
}

function bytes(args: readonly Argument[]): (string | number | Buffer)[] {
  return args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength) : arg))
}
