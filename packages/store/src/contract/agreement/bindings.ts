// SPDX-License-Identifier: MIT
// Steps over bindings, their expiry, their feed and those who watch them.
import { SHARDS, shardOf } from '../../shard.ts'
import type { Bindings, BindingUpdate, Change, ContactUpdate } from '../../types.ts'
import { contact, update } from '../world.ts'
import { ended, type Side, type Step, type Walk } from './walk.ts'

/** All AoRs lie in these, so that their sweeps and feeds meet. */
const USED_SHARDS = [0, 1, 2, 3]
const CALL_IDS = ['call-1', 'call-2', 'call-3']
const KEYS = ['a', 'b', 'c', 'd', 'e'].map((user) => `sip:${user}@192.0.2.1`).concat('sip:a@192.0.2.1;x')
const INSTANCES = ['', '', '<urn:uuid:1>', '<urn:uuid:2>']
const EDGES = ['e.1', 'e.2']
const PAGE = 10_000

const AORS = aorsIn(USED_SHARDS, 24)

function aorsIn(shards: readonly number[], count: number): string[] {
  const aors: string[] = []
  for (let i = 0; aors.length < count; i++) {
    const aor = `sip:u${i}@${i % 3 === 0 ? 'b' : 'a'}.test`
    if (shards.includes(shardOf(aor))) aors.push(aor)
  }
  return aors
}

export function registerStep(walk: Walk): Step {
  const asked = randomUpdate(walk)
  return {
    text: `register ${JSON.stringify(asked)}`,
    run: (side) =>
      ended(side.store.location.register(asked), (outcome) => {
        if (outcome.result === 'outOfOrder' || outcome.result === 'tooMany') return outcome
        return { ...outcome, version: grows(side, asked.aor, outcome) }
      }),
  }
}

function randomUpdate(walk: Walk): BindingUpdate {
  const contacts = Array.from({ length: walk.pick([0, 1, 1, 1, 1, 2, 3]) }, () => randomContact(walk))
  const named = new Set(contacts.map(({ uriKey }) => uriKey))
  const others = KEYS.filter((key) => !named.has(key))
  const removeAll = walk.chance(0.05)
  return update(walk.pick(AORS), Math.max(0, walk.next() - walk.pick([0, 0, 0, 1, 5, 40])), contacts, {
    ...(removeAll && { removeAll, contacts: [] }),
    callId: walk.pick(CALL_IDS),
    alsoRemove: removeAll || walk.chance(0.85) ? [] : [walk.pick(others)],
    ...(walk.chance(0.5) && { differ: walk.chance(0.5) ? [] : [walk.pick(others)] }),
    maxContacts: walk.pick([1, 2, 3, 10]),
    replaceOldest: walk.chance(0.3),
    registrationHash: 1 + walk.int(1_000),
    userAgent: walk.pick(['', 'phone/1', 'phöne/2']),
  })
}

function randomContact(walk: Walk): ContactUpdate {
  const key = walk.pick(KEYS)
  const instanceId = walk.pick(INSTANCES)
  const flow = {
    transport: 'tcp',
    address: '2001:db8::1',
    port: 1 + walk.int(65_535),
    edgeId: walk.pick(EDGES),
    flowId: 7,
  }
  return contact(key, {
    uri: walk.chance(0.2) ? `${key};x=${walk.int(3)}` : key,
    expiresS: walk.pick([0, 1, 3, 20, 60, 3_600]),
    qMilli: walk.pick([0, 500, 1_000]),
    instanceId,
    regId: instanceId === '' ? 0 : walk.int(3),
    params: walk.pick(['', ';methods="INVITE"']),
    path: walk.chance(0.2) ? ['<sip:p1;lr>', '<sip:p2;lr>'] : [],
    ...(walk.chance(0.3) && { flow }),
  })
}

/** A version never goes back. */
function grows(side: Side, aor: string, { version }: Bindings): string {
  const before = side.versions.get(aor) ?? 0n
  if (version < before) return `${side.name} went back from ${before} to ${version}`
  side.versions.set(aor, version)
  return 'grows'
}

export function locateStep(walk: Walk): Step {
  const aor = walk.pick(AORS)
  return {
    text: `locate ${aor}`,
    run: (side) =>
      ended(side.store.location.locate(aor), (found) => ({
        bindings: found.bindings,
        version: grows(side, aor, found),
      })),
  }
}

export function kickStep(walk: Walk): Step {
  const aor = walk.pick(AORS)
  const keys = walk.chance(0.7) ? [walk.pick(KEYS), walk.pick(KEYS)] : []
  return { text: `kick ${aor} ${keys}`, run: (side) => ended(side.store.location.removeBindings(aor, keys)) }
}

/** All at once: in which order an edge's addresses come is nobody's promise. */
export function removeEdgeStep(walk: Walk): Step {
  const [shard, edgeId] = [walk.pick(USED_SHARDS), walk.pick(EDGES)]
  walk.isSwept = true
  return {
    text: `remove bindings of ${edgeId} from ${shard}`,
    run: async ({ store }) => {
      await store.location.expire(shard, PAGE)
      return ended(store.location.removeEdgeBindings(shard, edgeId, PAGE))
    },
  }
}

export function countStep(walk: Walk): Step {
  const [shard, domain] = [walk.pick(USED_SHARDS), walk.pick(['', 'a.test', 'b.test', 'test'])]
  return { text: `count ${shard} ${domain}`, run: (side) => ended(side.store.location.countAors(shard, domain)) }
}

/** Tells of all that has expired; how much was left to tell is not compared, but what is listed then is. */
export function sweepStep(walk: Walk): Step {
  walk.isSwept = true
  return {
    text: 'sweep',
    run: async ({ store }) => {
      for (const shard of USED_SHARDS) await store.location.expire(shard, PAGE)
      const lists = USED_SHARDS.map((shard) =>
        ended(store.location.listAors(shard), (aors) => aors.filter((aor) => AORS.includes(aor)).sort()),
      )
      return Promise.all(lists)
    },
  }
}

/** What the feed tells of each contact, in its order, since it was read last. To be taken right after a sweep. */
export function feedStep(): Step {
  return {
    text: 'the feed',
    run: async (side) => Promise.all(USED_SHARDS.map((shard) => readFeed(side, shard))),
  }
}

async function readFeed(side: Side, shard: number): Promise<unknown> {
  const after = side.cursors.get(shard)
  const told = await ended(side.store.location.readChanges(shard, after, PAGE), (page) => {
    side.cursors.set(shard, page.cursor)
    return { gap: page.gap, changes: byContact(page.changes) }
  })
  return told
}

function byContact(changes: readonly Change[]): Record<string, string[]> {
  const told: Record<string, string[]> = {}
  for (const { aor, contact: uri, kind, cause } of changes) {
    const of = `${aor} ${uri}`
    told[of] ??= []
    told[of].push(`${kind} ${cause}`)
  }
  return Object.fromEntries(Object.entries(told).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function readWatchStep(walk: Walk): Step {
  const aor = walk.pick(AORS)
  return {
    text: `read watch ${aor}`,
    run: (side) =>
      ended(side.store.location.readWatch(aor), (watch) => {
        if (walk.isSwept) side.revisions.set(aor, watch.revision)
        return { ...watch, revision: watch.revision > 0 }
      }),
  }
}

/** By the revision that each side knows; one that was read before time passed is none. */
export function writeWatchStep(walk: Walk): Step {
  const aor = walk.pick(AORS)
  const state = walk.chance(0.2) ? '' : `state ${walk.next()}`
  const dueInMs = walk.pick([0, 700, 5_000])
  const keepMs = walk.pick([1_001, 10_001, 60_001])
  return {
    text: `write watch ${aor} ${state} due in ${dueInMs} kept ${keepMs}`,
    run: ({ store, revisions }) =>
      ended(store.location.writeWatch({ aor, revision: revisions.get(aor) ?? 0, state, dueInMs, keepMs })),
  }
}

/** All that are due: of those due at one moment none is first. */
export function claimWatchesStep(walk: Walk): Step {
  const [shard, leaseMs] = [walk.pick(USED_SHARDS), walk.pick([200, 3_000])]
  return {
    text: `claim watches ${shard} for ${leaseMs}`,
    run: ({ store }) =>
      ended(store.location.claimWatches(shard, leaseMs, SHARDS), ({ aors, more }) => ({ aors: aors.sort(), more })),
  }
}
