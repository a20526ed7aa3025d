// SPDX-License-Identifier: MIT
// Runs scripts: those of one turn for one node go out as one pipeline, with WAIT or WAITAOF once at its end when the
// durability asks for it, on the connection that wrote. Says of every script whether it was stored.
//
// Stored: it answered, and the durability holds. Not stored: it was not sent, or the server refused it before it ran.
// Unknown: sent, and no answer; or written, and the replicas or the disk did not confirm in time.
// In a Cluster, a script whose keys are being moved (ASK) goes to the node that they move to, by a lane of its own; one whose keys are
// on both sides (TRYAGAIN), or reaches a key that it was not given and that has moved, is tried again a little later.
// A pipeline goes over the wire (wire.ts) where there is one, over ioredis otherwise: to a Cluster, and while a wire is being opened.
// What nobody waits for (the end of a call in set-up) goes with the next pipeline, 10 ms later at most: alone it costs Redis more to wake up for
// it than to do it.
// ioredis's own auto-pipelining is not used: it has no place for WAIT, and keeps one pipeline at a time per node.
// A repeat of what another node wrote, unconfirmed, writes nothing itself, and a server waits for a connection's own writes alone (Redis 7.2,
// Valkey): so a batch that waits ends with a small write of its own (`MARK`), which comes after everything before it.

import { performance } from 'node:perf_hooks'
import { notStored, type Stored, stored, unknown } from '../result.ts'
import type { OnScript } from '../store.ts'
import type { Client, Connection } from './connection.ts'
import { MARK } from './scripts/mark.ts'
import type { Script } from './scripts/script.ts'
import type { Wire } from './wire.ts'

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
  readonly read: (reply: Reply) => unknown
  readonly resolve: (result: Stored<unknown>) => void
  triesLeft: number
  bringsSource: boolean
  /** host:port of the node that its keys are being moved to; '' where they are where the slot is. */
  askedAt: string
  /** When it was asked for; 0 where nobody wants to know. */
  readonly startMs: number
}

/** What waits for one node, until the end of the turn, or for company. */
interface Lane {
  readonly waiting: Pending[]
  isLeaving: boolean
  timer: NodeJS.Timeout | undefined
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
/** How long a patient script waits for company. */
const PATIENCE_MS = 10
/** Scripts of one pipeline, at most. */
const BATCH_LIMIT = 512

export class Batcher {
  readonly #connection: Connection
  readonly #settings: BatcherSettings
  readonly #lanes = new Map<string, Lane>()
  /** When each lane last answered; lanes are as many as masters. */
  readonly #answeredMs = new Map<string, number>()
  #inFlight = 0
  #scripts = 0
  #batches = 0
  #refused = 0
  #unknowns = 0
  #onScript: OnScript | undefined

  constructor(connection: Connection, settings: BatcherSettings) {
    this.#connection = connection
    this.#settings = settings
  }

  onScript(listener: OnScript): void {
    this.#onScript = listener
  }

  /** What `read` makes of the reply; a reply that it throws at is `unknown`. */
  run<T>(
    script: Script,
    tag: string,
    keys: readonly string[],
    args: readonly Argument[],
    read: (reply: Reply) => T,
  ): Promise<Stored<T>> {
    const refusal = this.#refusal(script)
    if (refusal !== undefined) {
      this.#refused++
      return Promise.resolve(refusal)
    }
    this.#inFlight++
    this.#scripts++
    const startMs = this.#onScript === undefined ? 0 : performance.now()
    const fresh = { triesLeft: TRIES, bringsSource: false, askedAt: '', startMs }
    return new Promise<Stored<unknown>>((resolve) =>
      this.#enqueue({ script, tag, keys, args, read, resolve, ...fresh }),
    ) as Promise<Stored<T>>
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
    const lane = this.#lanes.get(name) ?? { waiting: [], isLeaving: false, timer: undefined }
    if (lane.waiting.push(pending) === 1) this.#lanes.set(name, lane)
    if (lane.isLeaving) return
    if (pending.script.isPatient && lane.waiting.length < BATCH_LIMIT)
      lane.timer ??= setTimeout(() => this.#flush(name, lane), PATIENCE_MS)
    else {
      lane.isLeaving = true
      setImmediate(() => this.#flush(name, lane))
    }
  }

  #flush(name: string, lane: Lane): void {
    clearTimeout(lane.timer)
    if (this.#lanes.get(name) === lane) this.#lanes.delete(name)
    const waiting = lane.waiting.splice(0)
    for (let at = 0; at < waiting.length; at += BATCH_LIMIT) this.#send(name, waiting.slice(at, at + BATCH_LIMIT))
  }

  #send(name: string, asked: readonly Pending[]): void {
    this.#batches++
    const isAsked = name.startsWith(ASKED)
    const waits = this.#settings.durability !== 'async' && asked.some(({ script }) => script.writes)
    const batch = waits ? [...asked, this.#mark(asked)] : asked
    const wire = isAsked ? undefined : this.#connection.wire
    const running = wire === undefined ? this.#pipe(name, batch, waits) : this.#transmit(wire, batch, waits)
    void this.#bounded(name, running).then((outcomes) => {
      const at = (index: number): Outcome => outcomeOf(outcomes, isAsked ? 2 * index + 1 : index)
      const trouble = waits ? (markTrouble(at(batch.length - 1)) ?? this.#waitTrouble(outcomes)) : undefined
      for (const [index, pending] of batch.entries()) this.#judge(pending, at(index), trouble)
    })
  }

  /** On the slot of one of the batch; not tried again. */
  #mark([first]: readonly Pending[]): Pending {
    const tag = first?.tag ?? ''
    this.#inFlight++
    const key = { tag, keys: [`{${tag}}:mark`], askedAt: first?.askedAt ?? '' }
    return {
      ...key,
      script: MARK,
      args: [],
      read: () => undefined,
      resolve: () => undefined,
      triesLeft: 0,
      bringsSource: true,
      startMs: 0,
    }
  }

  #pipe(name: string, batch: readonly Pending[], waits: boolean): Promise<Outcome[] | null> {
    const isAsked = name.startsWith(ASKED)
    const client = isAsked ? this.#connection.nodeAt(name.slice(ASKED.length)) : this.#connection.client
    const pipeline = client.pipeline()
    for (const { script, keys, args, bringsSource } of batch) {
      if (isAsked) pipeline.asking()
      const [command, text] = bringsSource ? ['eval', script.source] : ['evalsha', script.sha]
      pipeline.callBuffer(command, text, keys.length, ...keys, ...bytes(args))
    }
    if (waits) this.#addWait(pipeline)
    return pipeline.exec() as Promise<Outcome[] | null>
  }

  #transmit(wire: Wire, batch: readonly Pending[], waits: boolean): Promise<Outcome[]> {
    for (const pending of batch) write(wire, pending)
    if (waits) for (const part of this.#waitWords()) wire.writer.raw(part)
    return new Promise((resolve, reject) => {
      wire.send(batch.length + (waits ? 1 : 0), (outcomes) =>
        outcomes instanceof Error ? reject(outcomes) : resolve(outcomes),
      )
    })
  }

  #waitWords(): string[] {
    const { durability, replicas, timeoutMs } = this.#settings
    const waitMs = Math.ceil(timeoutMs / 2)
    const words = durability === 'replica' ? ['WAIT', replicas, waitMs] : ['WAITAOF', 1, 0, waitMs]
    return [`*${words.length}\r\n`, ...words.map((word) => `$${String(word).length}\r\n${word}\r\n`)]
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
      this.#settle(pending, isUnsure ? unknown(waitTrouble) : readReply(pending, reply as Reply))
    } else if (error.message.startsWith('NOSCRIPT') || ELSEWHERE.test(error.message)) this.#again(pending, error)
    else if (NOT_SENT.test(error.message)) this.#settle(pending, notStored('away', error.message))
    else if (REFUSED.test(error.message)) this.#settle(pending, notStored('refused', error.message))
    else this.#settle(pending, unknown(`store: ${pending.script.name}: ${error.message}`))
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

  #settle(pending: Pending, result: Stored<unknown>): void {
    this.#inFlight--
    if (result.state === 'unknown') this.#unknowns++
    if (pending.startMs > 0) this.#onScript?.(pending.script.name, performance.now() - pending.startMs)
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

function markTrouble([error]: Outcome): string | undefined {
  return error === null ? undefined : `written, not confirmed: ${error.message}`
}

function outcomeOf(outcomes: Outcome[] | Error, index: number): Outcome {
  if (outcomes instanceof Error) return [outcomes, null]
  return outcomes[index] ?? [new Error('no answer'), null]
}

function bytes(args: readonly Argument[]): (string | number | Buffer)[] {
  return args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength) : arg))
}

function readReply({ script, read }: Pending, reply: Reply): Stored<unknown> {
  try {
    return stored(read(reply))
  } catch (error) {
    return unknown(`${script.name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** What every EVALSHA of a script with so many keys and arguments begins with. */
const heads = new Map<Script, Map<number, string>>()

function headOf(script: Script, keyCount: number, wordCount: number): string {
  const known = heads.get(script)?.get(wordCount)
  if (known !== undefined) return known
  const count = String(keyCount)
  const head = `*${wordCount + 3}\r\n$7\r\nEVALSHA\r\n$${script.sha.length}\r\n${script.sha}\r\n$${count.length}\r\n${count}\r\n`
  const all = heads.get(script) ?? new Map<number, string>()
  if (all.size < MAX_HEADS) heads.set(script, all.set(wordCount, head))
  return head
}

/** Counts of arguments of which a script's beginning is kept; every script has its own count of keys. */
const MAX_HEADS = 64

function write({ writer }: Wire, { script, keys, args, bringsSource }: Pending): void {
  const words = keys.length + args.length
  if (bringsSource) {
    writer.raw(`*${words + 3}\r\n$4\r\nEVAL\r\n`)
    writer.argument(script.source)
    writer.argument(keys.length)
  } else writer.raw(headOf(script, keys.length, words))
  writer.arguments(keys)
  writer.arguments(args)
}
