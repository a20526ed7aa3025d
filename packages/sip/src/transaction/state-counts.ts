// SPDX-License-Identifier: MIT
// How many transactions are in which state: counted over all of them when somebody asks, so that a transition costs nothing.
import { STATE } from './machine.ts'

export interface StateCount {
  readonly machine: 'invite_server' | 'server' | 'invite_client' | 'client'
  /** `proceeding`, … */
  readonly state: string
  readonly count: number
}

const STATE_NAMES = Object.entries(STATE)
  .sort((a, b) => a[1] - b[1])
  .map(([name]) => name.toLowerCase())

interface Counted {
  readonly state: number
  readonly isInvite: boolean
}

/** @param side of those in `all`, by their id */
export function countStates(all: readonly (Counted | undefined)[], side: 'server' | 'client'): StateCount[] {
  const counts = new Uint32Array(2 * STATE_NAMES.length)
  for (const tx of all) {
    if (tx === undefined) continue
    const at = (tx.isInvite ? STATE_NAMES.length : 0) + tx.state
    counts[at] = (counts[at] as number) + 1
  }
  const found: StateCount[] = []
  for (const [at, count] of counts.entries()) {
    const isInvite = at >= STATE_NAMES.length
    const state = STATE_NAMES[at % STATE_NAMES.length] as string
    if (count > 0) found.push({ machine: isInvite ? `invite_${side}` : side, state, count })
  }
  return found
}
