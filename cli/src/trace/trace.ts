// SPDX-License-Identifier: MIT
//
// `tandem trace CALL-ID`: the messages of a call that edges still keep, as a ladder, as data, or as a file for Wireshark.
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { policy } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { callPolicy } from '../admin/targets.ts'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { type CallMessage, callMessages, titleOf } from './call-messages.ts'
import { ladder } from './ladder.ts'
import { pcapOf } from './pcap.ts'

export interface TraceFlags {
  readonly full: boolean
  readonly follow: boolean
  /** A file. */
  readonly pcap?: string
}

const FOLLOW_MS = 1_000

export async function trace(
  config: Config,
  callId: string,
  { full, follow, pcap }: TraceFlags,
  format: Format,
  print: (text: string) => void,
): Promise<void> {
  if (follow) return followCall(config, callId, full, print)
  const { edges, silent } = await callPolicy(config, 'traceCall', { callId })
  const messages = callMessages(edges)
  if (messages.length === 0) throw new CommandFailed(whyNone(callId, edges, silent))
  if (pcap !== undefined) {
    await writeFile(pcap, pcapOf(messages), { mode: 0o600 })
    return print(`${messages.length} messages in ${pcap}`)
  }
  if (format !== 'table') return print(render(format, dataOf(callId, edges, silent, messages), [], []))
  const { heading, lines } = ladder(messages, full)
  print([heading, ...lines, ...notes(edges, silent)].join('\n'))
}

/** Until it is interrupted. */
async function followCall(
  config: Config,
  callId: string,
  full: boolean,
  print: (text: string) => void,
): Promise<never> {
  let shown = 0
  let last = ''
  for (;;) {
    const { edges } = await callPolicy(config, 'traceCall', { callId })
    const { heading, lines } = ladder(callMessages(edges), full)
    if (lines.length > shown) print([...(heading === last ? [] : [heading]), ...lines.slice(shown)].join('\n'))
    last = heading
    shown = Math.max(shown, lines.length)
    await sleep(FOLLOW_MS)
  }
}

function whyNone(callId: string, edges: readonly policy.CapturedRequest[], silent: readonly string[]): string {
  if (edges.length === 0 && silent.length === 0) return 'No edge is connected to policy: nobody can be asked.'
  const keeping = edges.filter(({ keeps }) => keeps)
  if (keeping.length === 0) return 'No edge keeps messages: `edge.capture.ringBytes` is 0.'
  const oldest = Math.min(...keeping.map(({ oldestMs }) => Number(oldestMs)).filter((ms) => ms > 0))
  const since = Number.isFinite(oldest)
    ? ` The oldest message that they keep is of ${new Date(oldest).toISOString()}.`
    : ''
  return `No edge keeps a message of the call ${callId}.${since} \`tandem cdr --call-id\` has its record.`
}

/** What is missing in the picture. */
function notes(edges: readonly policy.CapturedRequest[], silent: readonly string[]): string[] {
  const cut = edges.filter(({ isCut }) => isCut).map(({ edge }) => edge)
  return [
    ...(silent.length === 0 ? [] : ['', `Not answered: ${silent.join(', ')}.`]),
    ...(cut.length === 0 ? [] : ['', `The oldest messages of ${cut.join(', ')} are left out: there are too many.`]),
  ]
}

function dataOf(
  callId: string,
  edges: readonly policy.CapturedRequest[],
  silent: readonly string[],
  messages: readonly CallMessage[],
): unknown {
  return {
    callId,
    edges: edges.map(({ edge, keeps, isCut }) => ({ edge, keeps, isCut })),
    silent,
    messages: messages.map((message) => ({
      at: new Date(message.atMs).toISOString(),
      from: message.from,
      to: message.to,
      transport: message.transport,
      title: titleOf(message),
      text: message.text,
    })),
  }
}
