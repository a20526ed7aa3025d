// SPDX-License-Identifier: MIT
// Non-INVITE server transaction: RFC 3261 §17.2.2, figure 8, with RFC 4320.
// Provisional responses other than 100 have no row, so they are refused and counted. [RFC4320-4.1]
// A 408 is never sent: it ends the transaction silently, and Timer J then absorbs retransmissions. [RFC4320-4.2]
// Leaves out when a 100 is due (over UDP once Timer E would have reached T2): the transaction user knows and sends it.
// DEVIATION[RFC3261-17.2.4b]: figure 8 ends the transaction at a transport error; RFC 6026 §8.8 replaced §17.2.4 by
// "MUST remain in the current state", which is what the rows do.
import { ACTION, compileMachine, type Machine, startSlot } from './machine.ts'

const { DROP, KEEP, NONE, RESEND, SEND, TRANSPORT } = ACTION
const J = 0

export const NON_INVITE_SERVER: Machine = {
  name: 'non-INVITE server',
  timers: ['J'],
  states: ['TRYING', 'PROCEEDING', 'COMPLETED', 'TERMINATED'],
  rows: [
    ['INITIAL', 'START', 'TRYING', NONE, 'RFC3261-17.2.2'],
    ['TRYING', 'REQUEST', 'TRYING', NONE, 'RFC3261-17.2.2'],
    ['TRYING', 'TU_100', 'PROCEEDING', SEND | KEEP, 'RFC3261-17.2.2'],
    ['TRYING', 'TU_2XX', 'COMPLETED', SEND | KEEP | startSlot(J), 'RFC3261-17.2.2'],
    ['TRYING', 'TU_300_699', 'COMPLETED', SEND | KEEP | startSlot(J), 'RFC3261-17.2.2'],
    ['TRYING', 'TU_408', 'COMPLETED', DROP | startSlot(J), 'RFC4320-4.2'],
    ['PROCEEDING', 'REQUEST', 'PROCEEDING', RESEND, 'RFC3261-17.2.2'],
    ['PROCEEDING', 'TU_100', 'PROCEEDING', SEND | KEEP, 'RFC3261-17.2.2'],
    ['PROCEEDING', 'TU_2XX', 'COMPLETED', SEND | KEEP | startSlot(J), 'RFC3261-17.2.2'],
    ['PROCEEDING', 'TU_300_699', 'COMPLETED', SEND | KEEP | startSlot(J), 'RFC3261-17.2.2'],
    ['PROCEEDING', 'TU_408', 'COMPLETED', DROP | startSlot(J), 'RFC4320-4.2'],
    ['PROCEEDING', 'TRANSPORT_ERROR', 'PROCEEDING', TRANSPORT, 'RFC6026-8.8'],
    ['COMPLETED', 'REQUEST', 'COMPLETED', RESEND, 'RFC3261-17.2.2'],
    ['COMPLETED', 'TRANSPORT_ERROR', 'COMPLETED', TRANSPORT, 'RFC6026-8.8'],
    ['COMPLETED', 'TIMER_J', 'TERMINATED', DROP, 'RFC3261-17.2.2'],
  ],
}

export const nonInviteServer = compileMachine(NON_INVITE_SERVER)
