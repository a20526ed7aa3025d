// SPDX-License-Identifier: MIT
// The directory of calls in set-up and edge membership in Redis: arguments and replies of their scripts.

import { nameOfEdge } from '../membership.ts'
import { mapStored, notStored, type Stored } from '../result.ts'
import { shardOf } from '../shard.ts'
import type {
  AdoptOutcome,
  BeginCallOutcome,
  Branch,
  CallAdoption,
  CallEnd,
  CallEntry,
  CallUpdate,
  Edge,
  EdgeList,
  Flow,
  LeaseOutcome,
  NewCall,
} from '../types.ts'
import type { Argument, Reply } from './batcher.ts'
import { fieldsOf, listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import {
  ADOPT_CALL,
  BEGIN_CALL,
  END_CALL,
  LIST_OWNED,
  MAX_BRANCHES,
  READ_CALL,
  UPDATE_CALL,
} from './scripts/directory.ts'
import { MEMBERSHIP } from './scripts/membership.ts'
import { tagOf } from './slot.ts'

export class RedisDirectory {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  begin(call: NewCall): Promise<Stored<BeginCallOutcome>> {
    const { tag, tx } = keysOf(call.transactionKey)
    const { transactionKey, owner, invite, upstream, plan, step, callRef, leaseMs } = call
    const fixed: Argument[] = [transactionKey, owner, invite, JSON.stringify(upstream ?? null), plan, step, callRef]
    const args = [...fixed, leaseMs, ...branchArgs(call.branches)]
    return this.#runner.run(BEGIN_CALL, tag, [tx, ownedKey(tag, owner)], args, (reply) => {
      const [made, holder, epoch, final] = listOf(reply)
      if (numberOf(made) === 1) return { created: true, repeated: false, owner, epoch: 1 }
      const repeated = numberOf(made) === 0 && textOf(holder) === owner && numberOf(final) === 0
      return { created: repeated, repeated, owner: textOf(holder), epoch: numberOf(epoch) }
    })
  }

  async update(update: CallUpdate): Promise<Stored<{ held: boolean }>> {
    const { tag, tx } = keysOf(update.transactionKey)
    const { transactionKey, owner, epoch, step, branches } = update
    const args = [transactionKey, owner, epoch, step, ...branchArgs(branches)]
    const result = await this.#runner.run(UPDATE_CALL, tag, [tx, ownedKey(tag, owner)], args, numberOf)
    if (result.state === 'stored' && result.value === 2)
      return notStored('full', `a call has ${MAX_BRANCHES} branches at most`)
    return mapStored(result, (code) => ({ held: code === 1 }))
  }

  end(end: CallEnd): Promise<Stored<{ held: boolean }>> {
    const { tag, tx } = keysOf(end.transactionKey)
    const args = [end.transactionKey, end.owner, end.epoch, end.finalStatus, end.keepMs]
    const keys = [tx, ownedKey(tag, end.owner)]
    return this.#runner.run(END_CALL, tag, keys, args, (reply) => ({ held: numberOf(reply) === 1 }))
  }

  adopt(adoption: CallAdoption): Promise<Stored<AdoptOutcome>> {
    const { transactionKey, owner, epoch, newOwner, leaseMs } = adoption
    const { tag, tx } = keysOf(transactionKey)
    const keys = [tx, ownedKey(tag, owner), ownedKey(tag, newOwner)]
    return this.#runner.run(ADOPT_CALL, tag, keys, [transactionKey, owner, epoch, newOwner, leaseMs], (reply) => {
      const [adopted, fields] = listOf(reply)
      return {
        adopted: numberOf(adopted) === 1,
        entry: fields === undefined ? undefined : readEntry(transactionKey, fields),
      }
    })
  }

  read(transactionKey: string): Promise<Stored<CallEntry | undefined>> {
    const { tag, tx } = keysOf(transactionKey)
    return this.#runner.run(READ_CALL, tag, [tx], [], (reply) => readEntry(transactionKey, reply))
  }

  async listOwned(owner: string, limit: number): Promise<Stored<{ transactionKey: string; deadlineInMs: number }[]>> {
    const lists = await this.#runner.everyShard((shard) => {
      const tag = tagOf('t', shard)
      return this.#runner.run(LIST_OWNED, tag, [ownedKey(tag, owner)], [limit], readOwned)
    })
    return mapStored(lists, (owned) => {
      const all = owned.flat().sort((a, b) => a.deadlineInMs - b.deadlineInMs)
      return all.slice(0, limit)
    })
  }
}

export class RedisMembership {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  lease(edge: Edge, leaseMs: number): Promise<Stored<LeaseOutcome>> {
    const { name, id, incarnation } = edge
    return this.#run('lease', [name, id, incarnation, JSON.stringify(edge), leaseMs])
  }

  async leave(edgeId: string): Promise<Stored<EdgeList>> {
    return mapStored(await this.#run('leave', [nameOfEdge(edgeId), edgeId]), ({ list }) => list)
  }

  async list(): Promise<Stored<EdgeList>> {
    return mapStored(await this.#run('list', []), ({ list }) => list)
  }

  #run(operation: string, args: readonly Argument[]): Promise<Stored<LeaseOutcome>> {
    const { edgeFreezeMs, edgeKeepMs } = this.#runner.settings
    const all = [operation, edgeFreezeMs, edgeKeepMs, ...args]
    return this.#runner.run(MEMBERSHIP, tagOf('e', 0), ['{e}:edges'], all, readMembers)
  }
}

function keysOf(transactionKey: string): { tag: string; tx: string } {
  const tag = tagOf('t', shardOf(transactionKey))
  return { tag, tx: `{${tag}}:tx:${transactionKey}` }
}

function ownedKey(tag: string, owner: string): string {
  return `{${tag}}:owned:${owner}`
}

function branchArgs(branches: readonly Branch[]): string[] {
  return branches.flatMap((branch) => [branch.id, JSON.stringify(branch)])
}

function readEntry(transactionKey: string, reply: Reply): CallEntry | undefined {
  const fields = fieldsOf(reply)
  if (!fields.has('o')) return undefined
  const text = (name: string) => fields.get(name)?.toString() ?? ''
  const upstream = (JSON.parse(text('u')) as Flow | null) ?? undefined
  return {
    transactionKey,
    owner: text('o'),
    epoch: Number(text('e')),
    invite: fields.get('i') ?? Buffer.alloc(0),
    upstream,
    plan: fields.get('p') ?? Buffer.alloc(0),
    step: Number(text('s')),
    branches: readBranches(fields),
    callRef: text('r'),
    finalStatus: Number(text('f')),
  }
}

/** In the order in which they were added. */
function readBranches(fields: Map<string, Buffer>): Branch[] {
  const held: { ordinal: number; branch: Branch }[] = []
  for (const [name, value] of fields) {
    if (!name.startsWith('b:')) continue
    const text = value.toString()
    const bar = text.indexOf('|')
    const branch = JSON.parse(text.slice(bar + 1)) as Branch
    held.push({ ordinal: Number(text.slice(0, bar)), branch: { ...branch, nextHop: branch.nextHop ?? undefined } })
  }
  return held.sort((a, b) => a.ordinal - b.ordinal).map(({ branch }) => branch)
}

function readOwned(reply: Reply): { transactionKey: string; deadlineInMs: number }[] {
  const flat = listOf(reply)
  const owned: { transactionKey: string; deadlineInMs: number }[] = []
  for (let i = 0; i < flat.length; i += 2)
    owned.push({ transactionKey: textOf(flat[i]), deadlineInMs: numberOf(flat[i + 1]) })
  return owned
}

function readMembers(reply: Reply): LeaseOutcome {
  const [accepted, revision, members] = listOf(reply)
  const list: EdgeList = { revision: BigInt(textOf(revision)), edges: [], unreachable: [] }
  for (const member of listOf(members)) {
    const [description, live, sinceMs] = listOf(member)
    const edge = JSON.parse(textOf(description)) as Edge
    if (numberOf(live) === 1) list.edges.push(edge)
    else list.unreachable.push({ edge, forMs: numberOf(sinceMs) })
  }
  list.edges.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { accepted: numberOf(accepted) === 1, list }
}
