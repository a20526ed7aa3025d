// SPDX-License-Identifier: MIT
// Bindings in Redis: arguments and replies of scripts/bindings.ts.

import { contactBound, contentHash, inContactOrder, instanceHash } from '../binding-content.ts'
import type { Stored } from '../result.ts'
import { shardOf } from '../shard.ts'
import type {
  Binding,
  Bindings,
  BindingUpdate,
  ChangeKind,
  ChangePage,
  ContactUpdate,
  Flow,
  RegisterOutcome,
  RemovedBinding,
  Watch,
} from '../types.ts'
import type { Argument, Reply } from './batcher.ts'
import { type Packed, unpack } from './msgpack.ts'
import { bytesOf, listOf, numberOf, textOf, versionOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { EXPIRE, LOCATE, READ_CHANGES, REGISTER, REMOVE_BINDINGS } from './scripts/bindings.ts'
import { tagOf } from './slot.ts'

/** The last one only behind a NAT. */
type PackedFlow = [
  transport: string,
  address: string,
  port: number,
  edgeId: string,
  flowId: number,
  natEdge?: string | undefined,
]
/** uri is '' where it is the uriKey. */
type Payload = [
  uri: string,
  instanceId: string,
  regId: number,
  flow: PackedFlow | 0,
  path: string[],
  params: string,
  userAgent: string,
]

/** The last two only with an instance. */
type PackedBinding = [
  uriKey: string,
  untilMs: number,
  callId: string,
  cseq: number,
  hash: string,
  qMilli: number,
  payload: string,
  instance?: number,
  registration?: number,
]

export class RedisBindings {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  register(update: BindingUpdate): Promise<Stored<RegisterOutcome>> {
    const { tag, loc, changes, exp } = keysOf(update.aor)
    const { tombstoneMs, changesMaxLen } = this.#runner.settings
    const { aor, callId, cseq, removeAll } = update
    const args: Argument[] = [aor, callId, cseq, removeAll ? '1' : '0', contactBound(update)]
    args.push(
      contentHash(update),
      tombstoneMs,
      changesMaxLen,
      update.replaceOldest ? '1' : '0',
      update.registrationHash,
    )
    if (!removeAll) for (const contact of update.contacts) pushContact(args, contact, update.userAgent)
    if (!removeAll) for (const uriKey of update.alsoRemove) args.push(uriKey, 0, 0, '', 0, 0)
    return this.#runner.run(REGISTER, tag, [loc, changes, exp], args, readOutcome)
  }

  locate(aor: string): Promise<Stored<Bindings>> {
    const { tag, loc, changes } = keysOf(aor)
    return this.#runner.run(LOCATE, tag, [loc, changes], [], (reply) => readBindings(listOf(reply)))
  }

  removeBindings(aor: string): Promise<Stored<{ removed: number }>> {
    const { tag, loc, changes, exp } = keysOf(aor)
    const args = [aor, this.#runner.settings.changesMaxLen]
    return this.#runner.run(REMOVE_BINDINGS, tag, [loc, changes, exp], args, (reply) => ({ removed: numberOf(reply) }))
  }

  expire(shard: number, limit: number): Promise<Stored<{ expired: number; more: boolean }>> {
    const tag = tagOf('l', shard)
    const args = [`{${tag}}:loc:`, limit, this.#runner.settings.changesMaxLen]
    return this.#runner.run(EXPIRE, tag, [`{${tag}}:exp`, `{${tag}}:changes`], args, (reply) => {
      const [expired, more] = listOf(reply)
      return { expired: numberOf(expired), more: numberOf(more) === 1 }
    })
  }

  readChanges(shard: number, after: string | undefined, limit: number): Promise<Stored<ChangePage>> {
    const tag = tagOf('l', shard)
    const args = [after ?? '', limit, this.#runner.settings.changesMaxLen]
    return this.#runner.run(READ_CHANGES, tag, [`{${tag}}:changes`], args, (reply) => {
      const [cursor, gap, entries] = listOf(reply)
      return { changes: listOf(entries).map(readChange), cursor: textOf(cursor), gap: numberOf(gap) === 1 }
    })
  }
}

function keysOf(aor: string): { tag: string; loc: string; changes: string; exp: string } {
  const tag = tagOf('l', shardOf(aor))
  return { tag, loc: `{${tag}}:loc:${aor}`, changes: `{${tag}}:changes`, exp: `{${tag}}:exp` }
}

function pushContact(args: Argument[], contact: ContactUpdate, userAgent: string): void {
  const { uriKey, expiresS, qMilli, instanceId, regId } = contact
  args.push(uriKey, expiresS, qMilli, payloadOf(contact, userAgent), instanceHash(instanceId), regId)
}

function payloadOf(contact: ContactUpdate, userAgent: string): string {
  const { uri, uriKey, instanceId, regId, flow, path, params } = contact
  const payload: Payload = [
    uri === uriKey ? '' : uri,
    instanceId,
    regId,
    flow ? packFlow(flow) : 0,
    [...path],
    params,
    userAgent,
  ]
  return JSON.stringify(payload)
}

function packFlow({ transport, address, port, edgeId, flowId, natEdge }: Flow): PackedFlow {
  const plain: PackedFlow = [transport, address, port, edgeId, flowId]
  if (natEdge !== undefined) plain.push(natEdge)
  return plain
}

function readOutcome(reply: Reply): RegisterOutcome {
  const parts = listOf(reply)
  const status = textOf(parts[0])
  if (status === 'late') return { result: 'outOfOrder' }
  if (status === 'many') return { result: 'tooMany' }
  return { result: 'ok', ...readBindings(parts), ...(numberOf(parts[4]) === 1 ? { watched: true as const } : {}) }
}

/** {status, now, version where there is no AoR, packed AoR}. */
function readBindings(parts: Reply[]): Bindings {
  const nowMs = numberOf(parts[1])
  const packed = bytesOf(parts[3])
  if (packed.length === 0) return { bindings: [], version: versionOf(textOf(parts[2])) }
  const [held, , version] = unpack(packed) as [Packed[][], Packed, string]
  const bindings: Binding[] = []
  for (const binding of held) if ((binding[1] as number) > nowMs) bindings.push(bindingOf(binding, nowMs))
  return { bindings: inContactOrder(bindings), version: versionOf(version) }
}

/** Live bindings with their keys and ends, and the keys of those removed lately, of a packed AoR. */
export function readWatched(packed: Buffer, nowMs: number): Pick<Watch, 'bindings' | 'removed'> {
  if (packed.length === 0) return { bindings: [], removed: [] }
  const [held, tombs] = unpack(packed) as [Packed[][], Packed[][]]
  const isAlive = (entry: Packed[]): boolean => (entry[1] as number) > nowMs
  const bindings = held
    .filter(isAlive)
    .map((one) => ({ ...bindingOf(one, nowMs), uriKey: one[0] as string, untilMs: one[1] as number }))
  const removed = tombs.filter(isAlive).map(([uriKey, , callId, cseq]) => ({ uriKey, callId, cseq }) as RemovedBinding)
  return { bindings, removed }
}

function bindingOf(held: Packed[], nowMs: number): Binding {
  const [uriKey, untilMs, callId, cseq, , qMilli, text, , registrationHash = 0] = held as unknown as PackedBinding
  const [uri, instanceId, regId, way, path, params, userAgent] = JSON.parse(text) as Payload
  const expiresS = Math.ceil((untilMs - nowMs) / 1000)
  const flow = way === 0 ? undefined : flowOf(way)
  return {
    uri: uri === '' ? uriKey : uri,
    expiresS,
    qMilli,
    callId,
    cseq,
    instanceId,
    regId,
    flow,
    path,
    params,
    userAgent,
    registrationHash,
  }
}

function flowOf([transport, address, port, edgeId, flowId, natEdge]: PackedFlow): Flow {
  const plain = { transport, address, port, edgeId, flowId }
  return natEdge === undefined ? plain : { ...plain, natEdge }
}

function readChange(entry: Reply): { aor: string; kind: ChangeKind; version: bigint } {
  const [id, kind, aor] = listOf(entry)
  return { aor: textOf(aor), kind: textOf(kind) as ChangeKind, version: versionOf(textOf(id)) }
}
