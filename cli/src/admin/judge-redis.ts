// SPDX-License-Identifier: MIT
//
// What a Redis that answered is fit for, by the facts that it tells and the durability that the configuration asks for.
import type { Config } from '@tandem/service-kit'
import type { RedisFacts } from './redis-facts.ts'

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly detail: string
}

const MAX_SKEW_MS = 1_000
const OLDEST = [6, 2] as const
const FSYNC = [7, 2] as const
/** Beyond this share of maxmemory it is time to do something. */
const FULL = 0.85

type Durability = Config['store']['durability']

const judged = (check: string, isGood: boolean, bad: 'warn' | 'fail', good: string, otherwise: string): Finding => ({
  check,
  state: isGood ? 'ok' : bad,
  detail: isGood ? good : otherwise,
})

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ofMajor = 0, ofMinor = 0] = version.split('.').map(Number)
  return ofMajor > major || (ofMajor === major && ofMinor >= minor)
}

export function judgeRedis(facts: RedisFacts, durability: Durability, needed = 1): Finding[] {
  return [
    ...judgeServer(facts),
    ...judgeMemory(facts),
    judged(
      'store persistence',
      facts.appendOnly || facts.savesSnapshots,
      'warn',
      facts.appendOnly ? 'append-only file' : 'snapshots only: a crash loses what came after the last',
      'neither append-only file nor snapshots: a restart loses everything',
    ),
    ...judgeReplicas(facts, durability, needed),
    ...(durability === 'fsync' ? [judgeFsync(facts)] : []),
    judged(
      'store clock',
      Math.abs(facts.skewMs) <= MAX_SKEW_MS,
      'warn',
      `differs by ${facts.skewMs} ms`,
      `differs from this machine's by ${facts.skewMs} ms: synchronise both by NTP`,
    ),
  ]
}

function judgeServer({ name, version, masters, isWhole }: RedisFacts): Finding[] {
  const known = masters > 1 ? `${name}, ${masters} masters` : name
  const found = judged('store version', isAtLeast(version, OLDEST), 'fail', known, `${name} is too old: 6.2 is needed`)
  if (isWhole) return [found]
  const detail = 'cluster_state is not ok: a slot has no master, and what lies in it is refused'
  return [found, { check: 'store cluster', state: 'fail', detail }]
}

function judgeMemory({ maxmemoryPolicy, usedBytes, maxBytes }: RedisFacts): Finding[] {
  const [used, most] = [usedBytes, maxBytes].map((bytes) => `${Math.ceil(bytes / 1_048_576)} MiB`)
  return [
    judged(
      'store eviction',
      maxmemoryPolicy === 'noeviction',
      'fail',
      'maxmemory-policy noeviction',
      `maxmemory-policy is ${maxmemoryPolicy}: bindings and calls could be evicted; set noeviction`,
    ),
    judged(
      'store memory',
      maxBytes === 0 || usedBytes < FULL * maxBytes,
      'warn',
      maxBytes === 0 ? `${used} used, no maxmemory: the machine's memory is the bound` : `${used} of ${most} used`,
      `${used} of ${most} used: at maxmemory new registrations and calls are refused; give it more`,
    ),
  ]
}

function judgeReplicas(
  { replicas, minReplicasToWrite }: RedisFacts,
  durability: Durability,
  needed: number,
): Finding[] {
  const enough = replicas >= needed || durability !== 'replica'
  const lack = `store.durability is replica and needs ${needed}, and there ${replicas === 1 ? 'is 1' : `are ${replicas}`}`
  const found = judged('store replicas', enough, 'fail', `${replicas} replicas`, lack)
  if (durability !== 'replica' || minReplicasToWrite < 0) return [found]
  const none =
    'min-replicas-to-write is 0: a master that lost its replicas goes on taking writes that nobody confirms; set 1'
  const guard = `min-replicas-to-write ${minReplicasToWrite}`
  return [found, judged('store guard', minReplicasToWrite > 0, 'warn', guard, none)]
}

function judgeFsync({ name, version, appendOnly }: RedisFacts): Finding {
  const isKnown = isAtLeast(version, FSYNC)
  const lack = isKnown
    ? 'store.durability fsync needs an append-only file: set "appendonly yes"'
    : `store.durability fsync needs Redis 7.2, this is ${name}`
  return judged('store fsync', isKnown && appendOnly, 'fail', 'WAITAOF is there, and an append-only file', lack)
}
