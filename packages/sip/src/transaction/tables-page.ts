// SPDX-License-Identifier: MIT
// docs/transaction-tables.md, written from the tables that run: a state diagram and the rows of each machine.
import { INVITE_CLIENT } from './invite-client.ts'
import { INVITE_SERVER } from './invite-server.ts'
import { actionWords, type EventName, type Machine, type Row, type StateName } from './machine.ts'
import { NON_INVITE_CLIENT } from './non-invite-client.ts'
import { NON_INVITE_SERVER } from './non-invite-server.ts'
import { DEFAULT_TIMERS, timerLengthMs } from './timers.ts'

const MACHINES: readonly (readonly [machine: Machine, file: string])[] = [
  [INVITE_CLIENT, 'invite-client.ts'],
  [NON_INVITE_CLIENT, 'non-invite-client.ts'],
  [INVITE_SERVER, 'invite-server.ts'],
  [NON_INVITE_SERVER, 'non-invite-server.ts'],
]

const EVENT_WORDS: Partial<Record<EventName, string>> = {
  START: 'begin',
  REQUEST: 'request repeated',
  ACK: 'ACK received',
  TU_100: '100 from core',
  TU_101_199: '101-199 from core',
  TU_2XX: '2xx from core',
  TU_300_699: '300-699 from core',
  TU_408: '408 from core',
  RX_1XX: '1xx received',
  RX_2XX: '2xx received',
  RX_300_699: '300-699 received',
  TRANSPORT_ERROR: 'transport error',
}

const INTRO = `# Transaction tables

The four transaction machines of RFC 3261 §17, with the Accepted states and Timers L and M of RFC 6026 and the rules of
RFC 4320 for non-INVITE transactions. Written by \`scripts/generate.mjs\` from the tables that the layer
runs (\`packages/sip/src/transaction/\`); a test fails when this page differs from them.

An event without a row changes nothing: the transaction stays as it is and the layer counts a *stay*. "Core" is the
transaction user, here the proxy. *Keep* means that the message is copied so that it can be sent again, *forget* that
its bytes are given up. A transaction in TERMINATED is gone from the tables.
`

const titled = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1)
const stateWord = (state: StateName): string => (state === 'INITIAL' ? '[*]' : titled(state.toLowerCase()))
const eventWords = (event: EventName): string => EVENT_WORDS[event] ?? `Timer ${event.slice('TIMER_'.length)}`
const actionsText = (machine: Machine, row: Row): string => actionWords(machine, row[3]).join(', ')

const diagram = (machine: Machine): string[] => {
  const edges = machine.rows.map((row) => {
    const actions = actionsText(machine, row)
    const label = actions === '' ? eventWords(row[1]) : `${eventWords(row[1])} / ${actions}`
    return `    ${stateWord(row[0])} --> ${stateWord(row[2])}: ${label}`
  })
  return ['```mermaid', 'stateDiagram-v2', ...edges, '    Terminated --> [*]', '```']
}

const rowsTable = (machine: Machine): string[] => [
  '| State | Event | Next | Actions | Source |',
  '|---|---|---|---|---|',
  ...machine.rows.map((row) => {
    const from = row[0] === 'INITIAL' ? 'none' : stateWord(row[0])
    return `| ${from} | ${eventWords(row[1])} | ${stateWord(row[2])} | ${actionsText(machine, row)} | ${row[4]} |`
  }),
]

const timersTable = (machine: Machine): string[] => [
  '| Timer | Over UDP | Over TCP, TLS, WS, WSS |',
  '|---|---|---|',
  ...machine.timers.map((letter) => {
    const isRetransmit = letter === 'A' || letter === 'E' || letter === 'G'
    const cap = letter === 'A' ? '' : ` up to ${DEFAULT_TIMERS.t2Ms} ms`
    const udp = `${timerLengthMs(letter, DEFAULT_TIMERS, false)} ms${isRetransmit ? `, doubled each time${cap}` : ''}`
    return `| ${letter} | ${udp} | ${isRetransmit ? 'not started' : `${timerLengthMs(letter, DEFAULT_TIMERS, true)} ms`} |`
  }),
]

const section = (machine: Machine, file: string): string =>
  [
    `## ${titled(machine.name)} transaction`,
    '',
    `\`packages/sip/src/transaction/${file}\``,
    '',
    ...diagram(machine),
    '',
    ...rowsTable(machine),
    '',
    ...timersTable(machine),
    '',
  ].join('\n')

export const transactionTablesPage = (): string =>
  [INTRO, ...MACHINES.map(([machine, file]) => section(machine, file))].join('\n')
