// SPDX-License-Identifier: MIT
//
// `tandem drain EDGE`: the edge takes no new calls, says that it is not ready, and finishes what it has. It is done for the command when the
// edge's lease says so; the process goes on until it is stopped.
import { setTimeout as sleep } from 'node:timers/promises'
import type { location } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { callLocation, callPolicy } from './targets.ts'

const POLL_MS = 500
const TRIES = 20

async function members(config: Config): Promise<readonly location.Edge[]> {
  return (await callLocation(config, 'listEdges', {})).edges?.edges ?? []
}

/** Throws `CommandFailed` where there is no such edge, or it does not say that it drains. */
export async function drainEdge(config: Config, edge: string, format: Format): Promise<string> {
  const { edges: told } = await callPolicy(config, 'drainEdge', { edge })
  if (told.length === 0) {
    const names = (await members(config)).map(({ name }) => name).join(', ')
    throw new CommandFailed(
      `No edge ${edge} is connected to policy. Those of the cluster: ${names === '' ? 'none' : names}.`,
    )
  }
  for (let tries = 0; tries < TRIES; tries++) {
    // A stream's peer is named with the incarnation or without.
    const edges = (await members(config)).filter(({ id, name }) => told.includes(id) || told.includes(name))
    if (edges.length > 0 && edges.every(({ draining }) => draining)) {
      const rows = edges.map(({ name, id }) => ({ edge: name, id, state: 'draining' }))
      return render(format, { edges: rows }, ['edge', 'id', 'state'], rows)
    }
    await sleep(POLL_MS)
  }
  throw new CommandFailed(
    `${edge} was told to drain and its lease does not say so yet: look at \`tandem doctor\` and its log.`,
  )
}
