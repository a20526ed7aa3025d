// SPDX-License-Identifier: MIT
// The four tables as data: well-formed, cited, and executed by the layer as they say, for every state and event.
// What each row does on the wire and upward is in layer.test.ts; this suite checks states, timers and stays.
import { describe, expect, test } from 'vitest'
import type { ClientTransaction } from './client-transaction.ts'
import { INVITE_CLIENT, inviteClient } from './invite-client.ts'
import { INVITE_SERVER, inviteServer } from './invite-server.ts'
import {
  ACTION,
  actionWords,
  type CompiledMachine,
  EVENT,
  EVENT_BITS,
  type EventName,
  type Machine,
  ROW,
  type Row,
  STATE,
  type StateName,
  TO_SHIFT,
} from './machine.ts'
import { NON_INVITE_CLIENT, nonInviteClient } from './non-invite-client.ts'
import { NON_INVITE_SERVER, nonInviteServer } from './non-invite-server.ts'
import { ServerTransaction } from './server-transaction.ts'
import { Bench, type MessageParts, request, requestText, response, UDP } from './testing.ts'

type Transaction = ClientTransaction | ServerTransaction

const COMPILED = [inviteClient, nonInviteClient, inviteServer, nonInviteServer]
const MACHINES = [INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER]
const EVENTS = (Object.keys(EVENT) as EventName[]).filter((event) => event !== 'START')
const STATUS: Partial<Record<EventName, number>> = {
  TU_100: 100,
  TU_101_199: 180,
  TU_2XX: 200,
  TU_300_699: 486,
  TU_408: 408,
  RX_1XX: 180,
  RX_2XX: 200,
  RX_300_699: 486,
}

const isClient = (machine: Machine): boolean => machine === INVITE_CLIENT || machine === NON_INVITE_CLIENT
const isInvite = (machine: Machine): boolean => machine === INVITE_CLIENT || machine === INVITE_SERVER
const partsOf = (machine: Machine): MessageParts => ({ method: isInvite(machine) ? 'INVITE' : 'OPTIONS' })
const rowOf = (machine: Machine, from: StateName, event: EventName): Row | undefined =>
  machine.rows.find((row) => row[0] === from && row[1] === event)

/** Which events the outside can bring about at all for this machine: a client gets no requests, and so on. */
const canHappen = (machine: Machine, event: EventName): boolean => {
  if (event.startsWith('TIMER_')) return false
  if (event.startsWith('RX_')) return isClient(machine)
  if (event === 'TU_408') return machine === NON_INVITE_SERVER
  if (event === 'ACK') return machine === INVITE_SERVER
  return event === 'TRANSPORT_ERROR' || !isClient(machine)
}

/** Events that lead from the start to a state. */
const PATHS: Partial<Record<StateName, EventName[]>>[] = [
  {
    CALLING: [],
    PROCEEDING: ['RX_1XX'],
    ACCEPTED: ['RX_2XX'],
    COMPLETED: ['RX_300_699'],
    TERMINATED: ['TRANSPORT_ERROR'],
  },
  { TRYING: [], PROCEEDING: ['RX_1XX'], COMPLETED: ['RX_2XX'], TERMINATED: ['TRANSPORT_ERROR'] },
  { PROCEEDING: [], ACCEPTED: ['TU_2XX'], COMPLETED: ['TU_300_699'], CONFIRMED: ['TU_300_699', 'ACK'], TERMINATED: [] },
  { TRYING: [], PROCEEDING: ['TU_100'], COMPLETED: ['TU_300_699'], TERMINATED: [] },
]

const begin = (bench: Bench, machine: Machine): Transaction =>
  isClient(machine) ? bench.client(requestText(partsOf(machine)), UDP) : bench.server(request(partsOf(machine)), UDP)

const happen = (bench: Bench, tx: Transaction, event: EventName): void => {
  const status = STATUS[event]
  const parts = { method: tx.isInvite ? 'INVITE' : 'OPTIONS' }
  if (event === 'TRANSPORT_ERROR') bench.layer.transportError(tx)
  else if (!(tx instanceof ServerTransaction)) bench.layer.receiveResponse(tx, response(status ?? 0, parts))
  else if (status !== undefined) bench.respond(tx, status, parts)
  else bench.layer.receiveRequest(tx, request(event === 'ACK' ? { method: 'ACK' } : parts))
}

const inState = (machine: Machine, state: StateName): { bench: Bench; tx: Transaction } => {
  const bench = new Bench()
  const tx = begin(bench, machine)
  for (const event of PATHS[MACHINES.indexOf(machine)]?.[state] ?? []) happen(bench, tx, event)
  if (state === 'TERMINATED') bench.layer.abort(tx)
  expect(tx.state).toBe(STATE[state])
  bench.recorder.take()
  return { bench, tx }
}

const pairs = MACHINES.flatMap((machine) =>
  machine.states.flatMap((state) =>
    EVENTS.filter((event) => canHappen(machine, event)).map((event) => ({ machine, name: machine.name, state, event })),
  ),
)

describe('every state and event', () => {
  test.each(pairs)('$name: $state × $event', ({ machine, state, event }) => {
    const { bench, tx } = inState(machine, state)
    const before = { stays: bench.layer.counts.stays, timers: bench.layer.runningTimers }
    happen(bench, tx, event)
    const row = rowOf(machine, state, event)
    if (row === undefined) {
      expect(tx.state).toBe(STATE[state])
      expect(bench.layer.counts.stays).toBe(before.stays + 1)
      expect(bench.layer.runningTimers).toBe(before.timers)
      expect(bench.recorder.take()).toEqual([])
    } else {
      expect(tx.state, row[4]).toBe(STATE[row[2]])
      expect(bench.layer.counts.stays).toBe(before.stays)
    }
  })

  test('the pairs cover the whole table but timers, which a layer only fires where they run', () => {
    const covered = new Set(pairs.map(({ name, state, event }) => `${name} ${state} ${event}`))
    for (const machine of MACHINES) {
      for (const [from, event] of machine.rows) {
        if (from === 'INITIAL' || event.startsWith('TIMER_')) continue
        expect(covered).toContain(`${machine.name} ${from} ${event}`)
      }
    }
  })
})

describe('compiled', () => {
  test.each(MACHINES.map((machine, i) => ({ name: machine.name, machine, compiled: COMPILED[i] as CompiledMachine })))(
    '$name: each of its rows is there, and every other state and event is empty',
    ({ machine, compiled }) => {
      for (const from of Object.keys(STATE) as StateName[]) {
        for (const event of Object.keys(EVENT) as EventName[]) {
          const row = rowOf(machine, from, event)
          const expected = row === undefined ? 0 : ROW | (STATE[row[2]] << TO_SHIFT) | row[3]
          expect(compiled.table[(STATE[from] << EVENT_BITS) | EVENT[event]], `${from} ${event}`).toBe(expected)
        }
      }
    },
  )
})

const timerRows = MACHINES.flatMap((machine) =>
  machine.rows.filter((row) => row[1].startsWith('TIMER_')).map((row) => ({ machine, name: machine.name, row })),
)

describe('every timer where it runs', () => {
  test.each(timerRows)('$name: $row.0 × $row.1 → $row.2', ({ machine, row }) => {
    const [from, event, to] = row
    const { bench, tx } = inState(machine, from)
    const resent = bench.layer.counts.resent
    do {
      bench.nowMs = bench.layer.nextDeadline()
      bench.layer.tick(bench.nowMs)
    } while (tx.state === STATE[from] && to !== from)
    if (to === from) expect(bench.layer.counts.resent, event).toBe(resent + 1)
    expect(tx.state).toBe(STATE[to])
  })
})

describe('the tables', () => {
  test.each(MACHINES)('$name: each pair at most once, states and timers its own, each row cited', (machine) => {
    const seen = machine.rows.map(([from, event]) => `${from} ${event}`)
    expect(new Set(seen).size).toBe(seen.length)
    for (const [from, event, to, , cite] of machine.rows) {
      expect(['INITIAL', ...machine.states]).toContain(from)
      expect(machine.states).toContain(to)
      expect(cite).toMatch(/^RFC(3261|6026|4320)-[0-9.]+$/)
      if (event.startsWith('TIMER_')) expect(machine.timers).toContain(event.slice(6))
    }
  })

  test.each(MACHINES)('$name: each timer is started by some row and has a row for its firing', (machine) => {
    for (const letter of machine.timers) {
      expect(machine.rows.some((row) => actionWords(machine, row[3]).includes(`start ${letter}`))).toBe(true)
      expect(machine.rows.some((row) => row[1] === `TIMER_${letter}`)).toBe(true)
    }
  })

  test.each(MACHINES)('$name: no row leads out of TERMINATED', (machine) => {
    expect(machine.rows.filter(([from]) => from === 'TERMINATED')).toEqual([])
  })

  test('timers keep their letters: no letter belongs to two machines, C to none', () => {
    const letters = MACHINES.flatMap((machine) => machine.timers)
    expect(letters.toSorted().join('')).toBe('ABDEFGHIJKLM')
  })

  test('the INVITE server passes up nothing but the ACK of a 2xx', () => {
    const up = INVITE_SERVER.rows.filter((row) => (row[3] & ACTION.TO_TU) !== 0)
    expect(up.map(([from, event]) => [from, event])).toEqual([['ACCEPTED', 'ACK']])
  })
})
