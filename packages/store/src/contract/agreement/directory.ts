// SPDX-License-Identifier: MIT
// Steps over the directory of calls in set-up, edge membership, references and nonces.
import { createReference } from '../../shard.ts'
import type { Branch, CallEntry, EdgeList } from '../../types.ts'
import { ended, type Side, type Step, type Walk } from './walk.ts'

const TRANSACTIONS = Array.from({ length: 16 }, (_, i) => `tx-${i}`)
const OWNERS = ['edge0.1', 'edge1.1', 'edge2.1']
const ALL = 10_000
// Odd, where time passes by even milliseconds: whether a key of Redis lives in the very millisecond of its end is its server's affair.
const LEASES_MS = [301, 5_001, 60_001]
const KEEPS_MS = [501, 32_001]

/** Owner and epoch as the walk believes them: right most of the time. */
const held = new WeakMap<Walk, Map<string, { owner: string; epoch: number }>>()

function heldBy(walk: Walk): Map<string, { owner: string; epoch: number }> {
  const known = held.get(walk) ?? new Map()
  held.set(walk, known)
  return known
}

function randomHolder(walk: Walk, transactionKey: string): { owner: string; epoch: number } {
  const known = heldBy(walk).get(transactionKey)
  if (known !== undefined && walk.chance(0.85)) return known
  return { owner: walk.pick(OWNERS), epoch: 1 + walk.int(3) }
}

function randomBranches(walk: Walk): Branch[] {
  return Array.from({ length: walk.int(3) }, () => ({
    id: `z9hG4bK${walk.int(4)}`,
    uri: `sip:x@192.0.2.${walk.int(4)}`,
    nextHop: walk.chance(0.5)
      ? undefined
      : { transport: 'udp', address: '192.0.2.7', port: 5060, edgeId: '', flowId: 0 },
    provisionalStatus: walk.pick([0, 180]),
    finalStatus: walk.pick([0, 486]),
  }))
}

export function beginStep(walk: Walk): Step {
  const transactionKey = walk.pick(TRANSACTIONS)
  const call = {
    transactionKey,
    owner: walk.pick(OWNERS),
    invite: Buffer.from(`INVITE ${walk.next()}`),
    upstream: walk.chance(0.5)
      ? undefined
      : { transport: 'tls', address: '::1', port: 5061, edgeId: 'edge1.1', flowId: 9 },
    plan: Buffer.from([0, 255, walk.int(256)]),
    step: walk.int(3),
    branches: uniqueById(randomBranches(walk)),
    callRef: createReference(),
    leaseMs: walk.pick(LEASES_MS),
  }
  return {
    text: `begin ${transactionKey} by ${call.owner} for ${call.leaseMs}`,
    run: ({ store }) =>
      ended(store.location.beginCall({ ...call, branches: [...call.branches] }), (outcome) => {
        heldBy(walk).set(transactionKey, { owner: outcome.owner, epoch: outcome.epoch })
        return outcome
      }),
  }
}

function uniqueById(branches: Branch[]): Branch[] {
  return [...new Map(branches.map((branch) => [branch.id, branch])).values()]
}

export function updateCallStep(walk: Walk): Step {
  const transactionKey = walk.pick(TRANSACTIONS)
  const update = { transactionKey, ...randomHolder(walk, transactionKey), step: walk.int(5) }
  const branches = randomBranches(walk)
  return {
    text: `update ${JSON.stringify(update)} with ${branches.length}`,
    run: ({ store }) => ended(store.location.updateCall({ ...update, branches: branches.map((one) => ({ ...one })) })),
  }
}

export function endCallStep(walk: Walk): Step {
  const transactionKey = walk.pick(TRANSACTIONS)
  const holder = randomHolder(walk, transactionKey)
  const end = { transactionKey, ...holder, finalStatus: walk.pick([200, 486]), keepMs: walk.pick(KEEPS_MS) }
  return { text: `end ${JSON.stringify(end)}`, run: ({ store }) => ended(store.location.endCall(end)) }
}

export function adoptStep(walk: Walk): Step {
  const transactionKey = walk.pick(TRANSACTIONS)
  const adoption = {
    transactionKey,
    ...randomHolder(walk, transactionKey),
    newOwner: walk.pick(OWNERS),
    leaseMs: walk.pick(LEASES_MS),
  }
  return {
    text: `adopt ${JSON.stringify(adoption)}`,
    run: ({ store }) =>
      ended(store.location.adoptCall(adoption), (outcome) => {
        learn(walk, outcome.entry)
        return outcome
      }),
  }
}

function learn(walk: Walk, entry: CallEntry | undefined): void {
  if (entry !== undefined) heldBy(walk).set(entry.transactionKey, { owner: entry.owner, epoch: entry.epoch })
}

export function readCallStep(walk: Walk): Step {
  const transactionKey = walk.pick(TRANSACTIONS)
  return { text: `read ${transactionKey}`, run: ({ store }) => ended(store.location.readCall(transactionKey)) }
}

export function listOwnedStep(walk: Walk): Step {
  const owner = walk.pick(OWNERS)
  const show = (entries: { transactionKey: string; deadlineInMs: number }[]): unknown =>
    entries.map(({ transactionKey, deadlineInMs }) => `${deadlineInMs} ${transactionKey}`).sort()
  return { text: `owned by ${owner}`, run: ({ store }) => ended(store.location.listOwned(owner, ALL), show) }
}

export function leaseStep(walk: Walk): Step {
  const [name, incarnation] = [walk.pick(['edge0', 'edge1', 'edge2']), walk.pick(['1', '2', '2', '10'])]
  const [leaseMs, draining] = [walk.pick([500, 3_000]), walk.chance(0.1)]
  const place = { internalAddress: '127.0.0.1', internalPort: 5150, listeners: ['udp'], version: '1' }
  const edge = { id: `${name}.${incarnation}`, name, incarnation, draining, ...place }
  return {
    text: `lease ${edge.id} for ${leaseMs}`,
    run: (side) =>
      ended(side.store.location.leaseEdge(edge, leaseMs), ({ accepted, list }) => ({
        accepted,
        list: members(side, list),
      })),
  }
}

export function leaveStep(walk: Walk): Step {
  const id = `${walk.pick(['edge0', 'edge1'])}.${walk.pick(['1', '2'])}`
  return {
    text: `leave ${id}`,
    run: (side) => ended(side.store.location.leaveEdge(id), (list) => members(side, list)),
  }
}

export function listEdgesStep(): Step {
  return {
    text: 'list edges',
    run: (side) => ended(side.store.location.listEdges(), (list) => members(side, list)),
  }
}

const NODES = ['node-1', 'node-2']
const PEERS = ['edge0', 'edge1', 'edge1.2', 'tool']
const GONE = ['edge0.1', 'edge0.2', 'edge1.1', 'edge1.2', 'edge2.2']

export function holdStreamsStep(walk: Walk): Step {
  const streams = Array.from({ length: walk.int(3) }, () => ({ peer: walk.pick(PEERS), opened: walk.int(4) }))
  const held = { node: walk.pick(NODES), streams }
  return {
    text: `hold ${JSON.stringify(held)}`,
    run: (side) => ended(side.store.location.holdStreams(held), (list) => members(side, list)),
  }
}

export function revokeStep(walk: Walk): Step {
  const [node, stream] = [walk.pick(NODES), { peer: walk.pick(PEERS), opened: walk.int(4) }]
  return {
    text: `revoke ${stream.peer} ${stream.opened} by ${node}`,
    run: (side) =>
      ended(side.store.location.revokeEdge(node, stream), ({ revoked, list }) => ({
        revoked,
        list: members(side, list),
      })),
  }
}

export function claimGoneStep(walk: Walk): Step {
  const [node, leaseMs] = [walk.pick(NODES), walk.pick([301, 5_001])]
  const edgeId = walk.chance(0.3) ? walk.pick(GONE) : undefined
  return {
    text: `claim ${edgeId ?? 'one'} by ${node} for ${leaseMs}`,
    run: ({ store }) =>
      ended(store.location.claimGone(node, leaseMs, edgeId), (claimed) => ({ claimed: claimed ?? 'none' })),
  }
}

export function settleGoneStep(walk: Walk): Step {
  const [node, edgeId] = [walk.pick(NODES), walk.pick(GONE)]
  return {
    text: `settle ${edgeId} by ${node}`,
    run: (side) => ended(side.store.location.settleGone(node, edgeId), (list) => members(side, list)),
  }
}

/** In no order; the revision as what was added to the first one. */
function members(side: Side, { revision, edges, unreachable, gone }: EdgeList): unknown {
  side.firstRevision ??= revision
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1)
  const lapsed = [...unreachable].sort((a, b) => byName(a.edge, b.edge))
  const grown = revision - side.firstRevision
  return { revision: grown, edges: [...edges].sort(byName), unreachable: lapsed, gone: [...gone].sort() }
}

export function mintStep(walk: Walk): Step {
  const [key, keepMs] = [`mint-${walk.int(12)}`, walk.pick(KEEPS_MS)]
  const proposal = { ref: createReference(), decision: Buffer.from([walk.int(256)]), call: undefined, deadlineMs: 0 }
  return { text: `mint ${key} for ${keepMs}`, run: ({ store }) => ended(store.policy.mint(key, proposal, keepMs)) }
}

export function releaseStep(walk: Walk): Step {
  const [key, keepMs] = [`mint-${walk.int(12)}`, walk.pick(KEEPS_MS)]
  return { text: `release ${key} in ${keepMs}`, run: ({ store }) => ended(store.policy.releaseMint(key, keepMs)) }
}

export function nonceStep(walk: Walk): Step {
  const [id, key, ttlMs] = [`nonce-${walk.int(4)}`, `user-${walk.int(3)}`, walk.pick(LEASES_MS)]
  const count = walk.chance(0.7) ? 1 + walk.int(40) : 1 + walk.int(200)
  return {
    text: `nonce ${id} ${count} ${key}`,
    run: ({ store }) =>
      ended(store.policy.useNonce({ nonceId: id, count, transactionKey: key, ttlMs, user: 'u', source: 's' })),
  }
}
