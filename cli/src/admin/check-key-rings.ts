// SPDX-License-Identifier: MIT
//
// For `doctor`: whether all edges have one key ring, and the one of this configuration. Asks a running cluster; without one there is nothing to ask.
// That policy and records nodes have it too, `tandem_process_signing_key_id` says.
import type { location } from '@tandem/rpc'
import { type Config, keyRingText } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import { hasMadeKeys } from '../settings.ts'
import type { Finding } from './judge-redis.ts'
import { callLocation } from './targets.ts'

const CHECK = 'key ring'
const NAMES_SHOWN = 5
const TODO =
  'What one signs another may refuse: all need one ring before the next step of a change (docs/operations/restarts.md)'

/** @param own as keyRingText() gives it, undefined where the configuration has none @returns undefined: no edge says what it has */
export function judgeKeyRings(own: string | undefined, edges: readonly location.Edge[]): Finding | undefined {
  const byRing = new Map<string, string[]>()
  for (const { name, keyRing } of edges) {
    if (keyRing !== undefined) byRing.set(keyRing, [...(byRing.get(keyRing) ?? []), name])
  }
  if (byRing.size === 0) return undefined
  const all = [...new Set([...byRing.keys(), ...(own === undefined ? [] : [own])])]
  if (all.length === 1)
    return { check: CHECK, state: 'ok', detail: `all edges have ${keysOf(all[0])}: the first signs` }
  const ours = own === undefined ? '' : `; this configuration: ${keysOf(own)}`
  const theirs = [...byRing].map(([ring, names]) => `${listed(names)}: ${keysOf(ring)}`).join('; ')
  const isAlike = new Set(all.map(keysOf)).size < all.length
  const hint = isAlike ? '. There are different secrets under one id' : ''
  return { check: CHECK, state: 'warn', detail: `they differ: ${theirs}${ours}${hint}. ${TODO}` }
}

/** undefined: nothing is running, or nobody says. */
export async function checkKeyRings(config: Config): Promise<Finding | undefined> {
  try {
    const { edges } = await callLocation(config, 'listEdges', {})
    const own = hasMadeKeys(config) ? undefined : keyRingText(config.cluster.secrets)
    return judgeKeyRings(own, edges?.edges ?? [])
  } catch (error) {
    if (error instanceof CommandFailed) return undefined
    throw error
  }
}

/** `keys 2, 1` */
function keysOf(ring = ''): string {
  const ids = ring.split(',').map((key) => key.split(':')[0])
  return `keys ${ids.join(', ')}`
}

function listed(names: readonly string[]): string {
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${more}`
}
