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
  NodeStream,
  NodeStreams,
  RevokeOutcome,
} from '../types.ts'
import type { Argument, Reply } from './batcher.ts'
import { bytesOf, listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { ADOPT_CALL, BEGIN_CALL, END_CALL, LIST_OWNED, MAX_BRANCHES, UPDATE_CALL } from './scripts/directory.ts'
import { MEMBERSHIP } from './scripts/membership.ts'
import { READ_VALUE } from './scripts/plain.ts'
import { tagOf } from './slot.ts'

export class RedisDirectory {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  begin(call: NewCall): Promise<Stored<BeginCallOutcome>> {
    const { tag, tx } = keysOf(call.transactionKey)
    const { transactionKey, owner, invite, upstream, plan, step, callRef, leaseMs } = call
    const branches = call.branches.map((branch) => `${branch.id}\t${JSON.stringify(branch)}\n`).join('')
    const lengths = `${Buffer.byteLength(branches)} ${plan.length}`
    const lines = `${step}\n${callRef}\n${lengths}\n${JSON.stringify(upstream ?? null)}\n`
    const args: Argument[] = [transactionKey, owner, leaseMs, lines, branches, plan, invite]
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
      const [adopted, held] = listOf(reply)
      return {
        adopted: numberOf(adopted) === 1,
        entry: readEntry(transactionKey, held),
      }
    })
  }

  read(transactionKey: string): Promise<Stored<CallEntry | undefined>> {
    const { tag, tx } = keysOf(transactionKey)
    return this.#runner.run(READ_VALUE, tag, [tx], [], (reply) => readEntry(transactionKey, reply))
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

  async lease(edge: Edge, leaseMs: number): Promise<Stored<LeaseOutcome>> {
    const { name, id, incarnation } = edge
    const result = await this.#run('lease', [name, id, incarnation, JSON.stringify(edge), leaseMs])
    return mapStored(result, ({ accepted, list }) => ({ accepted, list }))
  }

  async leave(edgeId: string): Promise<Stored<EdgeList>> {
    return mapStored(await this.#run('leave', [nameOfEdge(edgeId), edgeId]), ({ list }) => list)
  }

  async list(): Promise<Stored<EdgeList>> {
    return mapStored(await this.#run('list', []), ({ list }) => list)
  }

  async holdStreams({ node, streams }: NodeStreams): Promise<Stored<EdgeList>> {
    const args = streams.flatMap(({ peer, opened }) => [peer, opened])
    return mapStored(await this.#run('hold', [node, ...args]), ({ list }) => list)
  }

  async revoke(node: string, { peer, opened }: NodeStream): Promise<Stored<RevokeOutcome>> {
    const result = await this.#run('revoke', [node, peer, opened])
    return mapStored(result, ({ accepted, list }) => ({ revoked: accepted, list }))
  }

  async claimGone(node: string, leaseMs: number, edgeId = ''): Promise<Stored<string | undefined>> {
    return mapStored(await this.#run('claim', [node, leaseMs, edgeId]), ({ named }) => named || undefined)
  }

  async settleGone(node: string, edgeId: string): Promise<Stored<EdgeList>> {
    return mapStored(await this.#run('settle', [node, edgeId]), ({ list }) => list)
  }

  #run(operation: string, args: readonly Argument[]): Promise<Stored<MembershipReply>> {
    const { edgeFreezeMs, edgeKeepMs, edgeSettleMs, nodeSilentMs } = this.#runner.settings
    const all = [operation, edgeFreezeMs, edgeKeepMs, edgeSettleMs, nodeSilentMs, ...args]
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

const LINE_END = 10

/** An entry as scripts/directory.ts has it. */
function readEntry(transactionKey: string, reply: Reply | undefined): CallEntry | undefined {
  const bytes = bytesOf(reply)
  if (bytes.length === 0) return undefined
  let at = 0
  const line = (): string => {
    const [from, end] = [at, bytes.indexOf(LINE_END, at)]
    at = end + 1
    return bytes.toString('utf8', from, end)
  }
  const [epoch, finalStatus, , ...owner] = line().split(' ')
  const [step, callRef, lengths, upstream] = [line(), line(), line(), line()]
  const [branchBytes, planBytes] = lengths.split(' ').map(Number) as [number, number]
  const planAt = at + branchBytes
  const inviteAt = planAt + planBytes
  return {
    transactionKey,
    owner: owner.join(' '),
    epoch: Number(epoch),
    invite: bytes.subarray(inviteAt),
    upstream: (JSON.parse(upstream) as Flow | null) ?? undefined,
    plan: bytes.subarray(planAt, inviteAt),
    step: Number(step),
    branches: readBranches(bytes.toString('utf8', at, planAt)),
    callRef,
    finalStatus: Number(finalStatus),
  }
}

/** In the order in which they were added. */
function readBranches(lines: string): Branch[] {
  const branches: Branch[] = []
  for (const line of lines.split('\n')) {
    if (line === '') continue
    const branch = JSON.parse(line.slice(line.indexOf('\t') + 1)) as Branch
    branches.push({ ...branch, nextHop: branch.nextHop ?? undefined })
  }
  return branches
}

function readOwned(reply: Reply): { transactionKey: string; deadlineInMs: number }[] {
  const flat = listOf(reply)
  const owned: { transactionKey: string; deadlineInMs: number }[] = []
  for (let i = 0; i < flat.length; i += 2)
    owned.push({ transactionKey: textOf(flat[i]), deadlineInMs: numberOf(flat[i + 1]) })
  return owned
}

/** `accepted`: the lease was, or was revoked; `named`: the edge that was claimed. */
type MembershipReply = LeaseOutcome & { named: string }

function readMembers(reply: Reply): MembershipReply {
  const [accepted, revision, members, gone, named] = listOf(reply)
  const list: EdgeList = {
    revision: BigInt(textOf(revision)),
    edges: [],
    unreachable: [],
    gone: listOf(gone).map(textOf),
  }
  for (const member of listOf(members)) {
    const [description, live, sinceMs] = listOf(member)
    const edge = JSON.parse(textOf(description)) as Edge
    if (numberOf(live) === 1) list.edges.push(edge)
    else list.unreachable.push({ edge, forMs: numberOf(sinceMs) })
  }
  list.edges.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { accepted: numberOf(accepted) === 1, list, named: textOf(named) }
}
