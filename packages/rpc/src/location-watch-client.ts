// SPDX-License-Identifier: MIT
//
// The watching half of Watch over gRPC: one stream to one of the location nodes, whichever; each tells the changes of all. It starts at
// one by chance, so that edges spread, and goes to the next when its stream ends, or when it says nothing new for a while and there is
// another. The end of a stream is told as a gap, as is the beginning of one: what was between the two is told by none.
// Race: the stream of a node that was left goes on speaking until it is cancelled; what it says is passed over.
import { performance } from 'node:perf_hooks'
import type { Client, ClientDuplexStream } from '@grpc/grpc-js'
import { type OnBug, warnOfBug } from './caller.ts'
import { backoffMs, createClient, peerMetadata } from './channel.ts'
import {
  LocationWatchServiceService,
  type WatchRequest,
  type WatchResponse,
} from './gen/tandem/location/v1/location.ts'
import { type LocationWatch, type WatchFollower, WatchReader } from './location-watch.ts'
import { CALLER_DEFAULTS, type CallerLimits, type StreamCallerOptions } from './options.ts'
import type { Addresses } from './stream-caller.ts'

type Wire = ClientDuplexStream<WatchRequest, WatchResponse>
type Options = CallerLimits & StreamCallerOptions

const WATCH = LocationWatchServiceService.watch
/** How often the node is asked for an echo of our clock. */
const ECHO_MS = 1_000
/** After so long without news another node is tried: just beyond two missed heartbeats. */
const SILENCE_MS = 600
const CHECK_MS = 100
/** Longest pause between attempts: a cache that is off costs more than they do. */
const BACKOFF_MAX_MS = 1_000
/** Nothing may be older than this for a node to count as good. */
const STALE_MS = 900

class RemoteWatch implements LocationWatch {
  readonly #addresses: Addresses
  readonly #options: Options
  readonly #onBug: OnBug
  #follower: WatchFollower | undefined
  #known: readonly string[] = []
  #next: number
  #client: Client | undefined
  #stream: Wire | undefined
  #openedMs = 0
  #newsMs = 0
  #askedMs = 0
  #failures = 0
  #retry: NodeJS.Timeout | undefined
  #checks: NodeJS.Timeout | undefined
  #resolving: NodeJS.Timeout | undefined
  #closed = false

  constructor(addresses: Addresses, options: Options) {
    this.#addresses = addresses
    this.#options = options
    this.#onBug = options.onBug ?? warnOfBug
    this.#next = Math.floor((options.random ?? Math.random)() * 1_024)
  }

  start(follower: WatchFollower): void {
    this.#follower = follower
    this.#checks = setInterval(() => this.#check(performance.now()), CHECK_MS)
    void this.#resolve()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#checks)
    clearTimeout(this.#retry)
    clearTimeout(this.#resolving)
    this.#drop()
  }

  /** An answer that is empty or an error leaves what is known. */
  async #resolve(): Promise<void> {
    const addresses = this.#addresses
    const found = typeof addresses === 'function' ? await addresses().catch((): readonly string[] => []) : addresses
    if (this.#closed) return
    if (found.length > 0) this.#known = found
    if (this.#stream === undefined && this.#retry === undefined) this.#connect()
    this.#resolving = setTimeout(() => void this.#resolve(), this.#options.resolveIntervalMs)
    this.#resolving.unref()
  }

  #connect(): void {
    const address = this.#known[this.#next++ % this.#known.length]
    const follower = this.#follower
    if (address === undefined || follower === undefined) return
    const client = createClient(address, this.#options, this.#options.credentials)
    const stream: Wire = client.makeBidiStreamRequest(
      WATCH.path,
      WATCH.requestSerialize,
      WATCH.responseDeserialize,
      peerMetadata(this.#options.peer),
    )
    this.#client = client
    this.#stream = stream
    this.#openedMs = performance.now()
    this.#newsMs = this.#openedMs
    const reader = new WatchReader(this.#gapGuarded(follower))
    stream.on('data', (response: WatchResponse) => this.#receive(stream, reader, response))
    stream.on('error', () => this.#lost(stream))
    stream.on('end', () => this.#lost(stream))
    this.#ask(this.#openedMs)
  }

  /** Notes how far the stream is complete. */
  #gapGuarded(follower: WatchFollower): WatchFollower {
    return {
      onGap: () => follower.onGap(),
      onChanged: (hashes) => follower.onChanged(hashes),
      onToldUntil: (ms) => {
        const now = performance.now()
        if (now - ms <= STALE_MS) this.#newsMs = now
        follower.onToldUntil(ms)
      },
    }
  }

  #receive(stream: Wire, reader: WatchReader, response: WatchResponse): void {
    if (stream !== this.#stream) return
    try {
      reader.read(response)
    } catch (error) {
      this.#onBug(error, 'watch of location')
    }
  }

  #ask(now: number): void {
    this.#askedMs = now
    this.#stream?.write({ clockMs: now })
  }

  #check(now: number): void {
    if (this.#stream === undefined) return
    if (now - this.#askedMs >= ECHO_MS) this.#ask(now)
    const limitMs = this.#known.length > 1 ? SILENCE_MS : this.#options.connectTimeoutMs
    if (now - this.#newsMs >= limitMs) this.#lost(this.#stream)
  }

  /** The next node at once, unless all have been tried. */
  #lost(stream: Wire): void {
    if (stream !== this.#stream || this.#closed) return
    const hadNews = this.#newsMs > this.#openedMs
    this.#drop()
    this.#follower?.onGap()
    this.#failures = hadNews ? 0 : this.#failures + 1
    const isTriedOut = this.#failures >= this.#known.length
    const { backoffMinMs, random = Math.random } = this.#options
    const pauseMs = isTriedOut ? backoffMinMs + backoffMs(this.#failures, backoffMinMs, BACKOFF_MAX_MS, random) : 0
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#connect()
    }, pauseMs)
  }

  #drop(): void {
    const stream = this.#stream
    this.#stream = undefined
    stream?.cancel()
    this.#client?.close()
    this.#client = undefined
  }
}

/** Reconnects for as long as it is open. */
export function createLocationWatch(addresses: Addresses, options: StreamCallerOptions): LocationWatch {
  return new RemoteWatch(addresses, { ...CALLER_DEFAULTS, ...options })
}
