// SPDX-License-Identifier: MIT
// Bindings in Redis: arguments and replies of scripts/bindings.ts.

import { contactBound, contentHash, inContactOrder, instanceHash } from '../binding-content.ts'
import type { Stored } from '../result.ts'
import { shardOf } from '../shard.ts'
import type {
  Binding,
  Bindings,
  BindingUpdate,
  Change,
  ChangeCause,
  ChangeKind,
  ChangePage,
  ContactUpdate,
  EdgeRemoval,
  RegisterOutcome,
  RemovedBinding,
  Watch,
} from '../types.ts'
import type { Argument, Reply } from './batcher.ts'
import { type Packed, unpack } from './msgpack.ts'
import { packId, packKey, packPayload, unpackId, unpackKey, unpackPayload } from './packed-binding.ts'
import { bytesOf, listOf, numberOf, textOf, versionOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { COUNT_AORS, EXPIRE, LOCATE, READ_CHANGES, REGISTER, REMOVE_BINDINGS, REMOVE_EDGE } from './scripts/bindings.ts'
import { LIST_FIELDS } from './scripts/plain.ts'
import { tagOf } from './slot.ts'

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
    const args: Argument[] = [aor, packId(callId), cseq, removeAll ? '1' : '0', contactBound(update)]
    args.push(
      contentHash(update),
      tombstoneMs,
      changesMaxLen,
      update.replaceOldest ? '1' : '0',
      update.registrationHash,
      differArgument(update.differ),
    )
    if (!removeAll) for (const contact of update.contacts) pushContact(args, contact, update.userAgent)
    if (!removeAll) for (const uriKey of update.alsoRemove) args.push(packKey(uriKey), 0, 0, '', 0, 0)
    return this.#runner.run(REGISTER, tag, [loc, changes, exp], args, readOutcome)
  }

  locate(aor: string): Promise<Stored<Bindings>> {
    const { tag, loc, changes } = keysOf(aor)
    return this.#runner.run(LOCATE, tag, [loc, changes], [aor], (reply) => readBindings(listOf(reply)))
  }

  removeBindings(aor: string, uriKeys: readonly string[] = []): Promise<Stored<{ removed: number }>> {
    const { tag, loc, changes, exp } = keysOf(aor)
    const args = [aor, this.#runner.settings.changesMaxLen, ...uriKeys.map(packKey)]
    return this.#runner.run(REMOVE_BINDINGS, tag, [loc, changes, exp], args, (reply) => ({ removed: numberOf(reply) }))
  }

  expire(shard: number, limit: number): Promise<Stored<{ expired: number; more: boolean }>> {
    const tag = tagOf('l', shard)
    const keys = [`{${tag}}:loc`, `{${tag}}:changes`, `{${tag}}:exp`]
    const args = [limit, this.#runner.settings.changesMaxLen]
    return this.#runner.run(EXPIRE, tag, keys, args, (reply) => {
      const [expired, more] = listOf(reply)
      return { expired: numberOf(expired), more: numberOf(more) === 1 }
    })
  }

  removeEdge(shard: number, edgeId: string, limit: number): Promise<Stored<EdgeRemoval>> {
    const tag = tagOf('l', shard)
    const keys = [`{${tag}}:loc`, `{${tag}}:changes`, `{${tag}}:exp`]
    const args = [edgeId, limit, this.#runner.settings.changesMaxLen]
    return this.#runner.run(REMOVE_EDGE, tag, keys, args, (reply) => {
      const [removed, more, watched] = listOf(reply).map(numberOf)
      return { removed: removed ?? 0, more: more === 1, watched: watched === 1 }
    })
  }

  listAors(shard: number): Promise<Stored<string[]>> {
    const tag = tagOf('l', shard)
    return this.#runner.run(LIST_FIELDS, tag, [`{${tag}}:loc`], [], (reply) => listOf(reply).map(textOf))
  }

  countAors(shard: number, domain: string): Promise<Stored<number>> {
    const tag = tagOf('l', shard)
    const args = [domain, this.#runner.settings.tombstoneMs]
    return this.#runner.run(COUNT_AORS, tag, [`{${tag}}:loc`, `{${tag}}:exp`], args, numberOf)
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
  return { tag, loc: `{${tag}}:loc`, changes: `{${tag}}:changes`, exp: `{${tag}}:exp` }
}

function pushContact(args: Argument[], contact: ContactUpdate, userAgent: string): void {
  const { uriKey, expiresS, qMilli, instanceId, regId } = contact
  args.push(packKey(uriKey), expiresS, qMilli, packPayload(contact, userAgent), instanceHash(instanceId), regId)
}

/** '' where nothing is to be compared. */
function differArgument(keys: readonly string[] | undefined): string {
  return keys === undefined ? '' : `\0${keys.map((key) => `${packKey(key)}\0`).join('\0')}`
}

const WATCHED = { watched: true } as const

/** {now, packed AoR, version where there is none, watched, added}, with a word before where they are to be compared; or the word for what was refused. */
function readOutcome(reply: Reply): RegisterOutcome {
  const parts = listOf(reply)
  if (typeof parts[0] === 'number')
    return { result: 'ok', ...readBindings(parts), added: numberOf(parts[4]), ...(parts[3] === 1 ? WATCHED : {}) }
  const word = textOf(parts[0])
  if (word === 'compare') return { result: 'compare', ...readBindings(parts.slice(1)) }
  return { result: word === 'late' ? 'outOfOrder' : 'tooMany' }
}

/** {now, packed AoR, version where there is none}. */
function readBindings(parts: Reply[]): Bindings {
  const nowMs = numberOf(parts[0])
  const packed = bytesOf(parts[1])
  if (packed.length === 0) return { bindings: [], version: versionOf(textOf(parts[2])) }
  const [held, , version] = unpack(packed) as [Packed[][], Packed, string | number]
  const bindings: Binding[] = []
  for (const binding of held) if ((binding[1] as number) > nowMs) bindings.push(bindingOf(binding, nowMs))
  return {
    bindings: inContactOrder(bindings),
    version: versionOf(typeof version === 'number' ? `${version}-0` : version),
  }
}

/** Live bindings with their keys and ends, and the keys of those removed lately, of a packed AoR. */
export function readWatched(packed: Buffer, nowMs: number): Pick<Watch, 'bindings' | 'removed'> {
  if (packed.length === 0) return { bindings: [], removed: [] }
  const [held, tombs] = unpack(packed) as [Packed[][], Packed[][]]
  const isAlive = (entry: Packed[]): boolean => (entry[1] as number) > nowMs
  const bindings = held
    .filter(isAlive)
    .map((one) => ({ ...bindingOf(one, nowMs), uriKey: unpackKey(one[0] as string), untilMs: one[1] as number }))
  const removed = tombs
    .filter(isAlive)
    .map(
      ([key, , callId, cseq]) =>
        ({ uriKey: unpackKey(key as string), callId: unpackId(callId as string), cseq }) as RemovedBinding,
    )
  return { bindings, removed }
}

function bindingOf(held: Packed[], nowMs: number): Binding {
  const [key, untilMs, callId, cseq, , qMilli, payload, , registrationHash = 0] = held as unknown as PackedBinding
  const expiresS = Math.ceil((untilMs - nowMs) / 1000)
  return {
    ...unpackPayload(unpackKey(key), payload),
    expiresS,
    qMilli,
    callId: unpackId(callId),
    cseq,
    registrationHash,
  }
}

function readChange(entry: Reply): Change {
  const [id, fields] = listOf(entry)
  const [, kind, , aor, , contact, , cause] = listOf(fields).map(textOf)
  return {
    aor: aor ?? '',
    kind: kind as ChangeKind,
    contact: unpackKey(contact ?? ''),
    cause: cause as ChangeCause,
    version: versionOf(textOf(id)),
  }
}
