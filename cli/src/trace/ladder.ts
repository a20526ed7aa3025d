// SPDX-License-Identifier: MIT
//
// A call as a ladder: a column for each party in the order in which they appear, an arrow for each message.
import { printable } from '../output.ts'
import { type CallMessage, titleOf } from './call-messages.ts'

const TIME_WIDTH = 14
const LEAST_LANE = 22
/** Around a title on an arrow. */
const ARROW_ROOM = 8

/** Who takes part, in the order of appearance. */
export function partiesOf(messages: readonly CallMessage[]): string[] {
  const parties: string[] = []
  for (const { from, to } of messages) {
    if (!parties.includes(from)) parties.push(from)
    if (!parties.includes(to)) parties.push(to)
  }
  return parties
}

/** Times are of the day, UTC. */
export function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 23)
}

export interface Ladder {
  readonly heading: string
  /** One line for each message. */
  readonly lines: readonly string[]
}

/** @param full every message behind its arrow */
export function ladder(messages: readonly CallMessage[], full = false): Ladder {
  const parties = partiesOf(messages)
  const titles = messages.map((message) => printable(titleOf(message)))
  const widest = Math.max(
    0,
    ...parties.map(({ length }) => length + 2),
    ...titles.map(({ length }) => length + ARROW_ROOM),
  )
  const lane = Math.max(LEAST_LANE, widest)
  const heading = ' '.repeat(TIME_WIDTH) + parties.map((party) => printable(party).padEnd(lane)).join('')
  const lines = messages.map((message, k) => {
    const [from, to] = [parties.indexOf(message.from), parties.indexOf(message.to)]
    const line = clock(message.atMs).padEnd(TIME_WIDTH) + arrow(from, to, parties.length, lane, titles[k] as string)
    return full ? `${line}\n${textLines(message)}` : line
  })
  return { heading: heading.trimEnd(), lines }
}

function arrow(from: number, to: number, parties: number, lane: number, title: string): string {
  const cells = Array.from({ length: parties }, (_, k) => `|${' '.repeat(k === parties - 1 ? 0 : lane - 1)}`).join('')
  if (from === to) return `${cells.slice(0, from * lane)}| ${title} (to itself)`
  const [left, right] = [Math.min(from, to), Math.max(from, to)]
  const room = (right - left) * lane - 1
  const body = ` ${title} `
  const before = Math.floor((room - 1 - body.length) / 2)
  const line = '-'.repeat(before) + body + '-'.repeat(room - 1 - body.length - before)
  const shaft = from < to ? `${line}>` : `<${line}`
  return `${cells.slice(0, left * lane)}|${shaft}${cells.slice(right * lane)}`.trimEnd()
}

function textLines({ text, transport, fromPlace, toPlace }: CallMessage): string {
  const way = `${fromPlace.address}:${fromPlace.port} -> ${toPlace.address}:${toPlace.port} ${transport}`
  const lines = text.split('\r\n').map((line) => `    ${printable(line)}`)
  return [`    # ${way}`, ...lines].join('\n').trimEnd()
}
