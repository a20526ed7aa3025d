// SPDX-License-Identifier: MIT
//
// What the contract suites share: a binding to be tested, handlers to start from, and small waits on events (no sleeps).
import type { Caller, HandlerContext, OnBug, StreamHooks } from './caller.ts'
import type { Binding as ContactBinding, LocateResponse, Push } from './gen/tandem/location/v1/location.ts'
import { EdgeList, LocateRequest } from './gen/tandem/location/v1/location.ts'
import type { LocationMethods } from './method-map.ts'
import type { PushHub } from './push-hub.ts'
import { done, type Result } from './result.ts'
import type { LocationHandlers } from './serve.ts'

export interface BindingSetup extends StreamHooks {
  handlers: LocationHandlers
  pushes: PushHub<Push>
  peer: string
  onBug: OnBug
  /** Calls held at most, waiting and in flight together. */
  bound?: number
}

export interface TestBinding {
  caller: Caller<LocationMethods, Push>
  /** Lets go of everything. */
  stop(): Promise<void>
}

export interface RemoteTestBinding extends TestBinding {
  /** The service's process dies: connections are cut, nothing is answered. */
  kill(): Promise<void>
  /** It is back under the same address. */
  restart(): Promise<void>
}

export function bindingOf(uri: string): ContactBinding {
  return {
    uri,
    expiresS: 60,
    qMilli: 1000,
    callId: 'c',
    cseq: 1,
    instanceId: '',
    regId: 0,
    flow: undefined,
    path: [],
    params: '',
    userAgent: '',
  }
}

export function locateRequest(aor: string) {
  return LocateRequest.fromPartial({ aor })
}

export function located(aor: string): Result<LocateResponse> {
  return done({ bindings: [bindingOf(aor)], version: 1n })
}

type Replace = Partial<LocationHandlers>

/** Answers everything in the plainest way. */
export function plainHandlers(replace: Replace = {}): LocationHandlers {
  const edges = EdgeList.fromPartial({ revision: 1n })
  return {
    register: () => done({ bindings: [], version: 1n }),
    locate: (request: LocateRequest, _context: HandlerContext) => located(request.aor),
    beginCall: (request) => done({ created: true, owner: request.owner, epoch: 1 }),
    updateCall: () => done({ held: true }),
    endCall: () => done({ held: true }),
    leaseEdge: () => done({ edges }),
    leaveEdge: () => done({}),
    subscribe: () => done({ notification: undefined }),
    notifyDone: () => done({}),
    readCall: () => done({ entry: undefined }),
    adoptCall: () => done({ adopted: false, entry: undefined }),
    listOwned: () => done({ calls: [] }),
    listEdges: () => done({ edges }),
    kick: () => done({ removed: 0 }),
    countRegistrations: () => done({ count: 0n }),
    listAors: () => done({ aors: [], shardCount: 1 }),
    readBindings: () => done({ aors: [] }),
    writeBindings: () => done({ written: 0, kept: 0 }),
    ...replace,
  }
}

/** A promise that is settled from outside. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((take) => {
    resolve = take
  })
  return { promise, resolve }
}

/** Resolves after `count` calls of `hit`. */
export function counter(count: number): { hit: () => void; reached: Promise<void>; hits: () => number } {
  let hits = 0
  const { promise, resolve } = deferred<void>()
  const hit = () => {
    hits++
    if (hits === count) resolve()
  }
  return { hit, reached: promise, hits: () => hits }
}

export async function whenReady(caller: Pick<Caller<LocationMethods>, 'ready' | 'onReadyChange'>, ready = true) {
  if (caller.ready === ready) return
  await new Promise<void>((resolve) => {
    caller.onReadyChange((now) => {
      if (now === ready) resolve()
    })
  })
}

/** A whole turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
