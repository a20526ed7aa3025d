// SPDX-License-Identifier: MIT
// INVITE server transaction: RFC 3261 §17.2.1, figure 7 as replaced by RFC 6026 §8.6 (Accepted, Timer L).
// [RFC6026-6ab] A 2xx or a transport error does not end it. [RFC6026-8.7] In Accepted it absorbs and passes on, until Timer L.
// Leaves out the 100 (Trying) after 200 ms: the transaction user sends its own 100 before that (§17.2.1).
import { ACTION, compileMachine, type Machine, startSlot, stopSlot } from './machine.ts'

const { DROP, KEEP, NONE, RESEND, RESTART, SEND, TIMEOUT, TO_TU, TRANSPORT } = ACTION
const [G, H, I, L] = [0, 1, 2, 3]
const STOP_GH = stopSlot(G) | stopSlot(H)

export const INVITE_SERVER: Machine = {
  name: 'INVITE server',
  timers: ['G', 'H', 'I', 'L'],
  states: ['PROCEEDING', 'ACCEPTED', 'COMPLETED', 'CONFIRMED', 'TERMINATED'],
  rows: [
    ['INITIAL', 'START', 'PROCEEDING', NONE, 'RFC3261-17.2.1'],
    ['PROCEEDING', 'REQUEST', 'PROCEEDING', RESEND, 'RFC3261-17.2.1'],
    ['PROCEEDING', 'TU_100', 'PROCEEDING', SEND | KEEP, 'RFC3261-17.2.1'],
    ['PROCEEDING', 'TU_101_199', 'PROCEEDING', SEND | KEEP, 'RFC3261-17.2.1'],
    ['PROCEEDING', 'TU_2XX', 'ACCEPTED', SEND | DROP | startSlot(L), 'RFC6026-8.5'],
    ['PROCEEDING', 'TU_300_699', 'COMPLETED', SEND | KEEP | startSlot(G) | startSlot(H), 'RFC3261-17.2.1'],
    ['PROCEEDING', 'TRANSPORT_ERROR', 'PROCEEDING', TRANSPORT, 'RFC6026-8.8'],
    ['COMPLETED', 'REQUEST', 'COMPLETED', RESEND, 'RFC3261-17.2.1'],
    ['COMPLETED', 'TIMER_G', 'COMPLETED', RESEND | RESTART, 'RFC3261-17.2.1'],
    ['COMPLETED', 'ACK', 'CONFIRMED', DROP | STOP_GH | startSlot(I), 'RFC3261-17.2.1'],
    ['COMPLETED', 'TIMER_H', 'TERMINATED', TIMEOUT | DROP | STOP_GH, 'RFC3261-17.2.1'],
    ['COMPLETED', 'TRANSPORT_ERROR', 'COMPLETED', TRANSPORT, 'RFC6026-8.8'],
    ['CONFIRMED', 'ACK', 'CONFIRMED', NONE, 'RFC3261-17.2.1'],
    ['CONFIRMED', 'TIMER_I', 'TERMINATED', NONE, 'RFC3261-17.2.1'],
    ['ACCEPTED', 'REQUEST', 'ACCEPTED', NONE, 'RFC6026-7.1'],
    ['ACCEPTED', 'ACK', 'ACCEPTED', TO_TU, 'RFC6026-7.1'],
    ['ACCEPTED', 'TU_2XX', 'ACCEPTED', SEND, 'RFC6026-7.1'],
    ['ACCEPTED', 'TRANSPORT_ERROR', 'ACCEPTED', TRANSPORT, 'RFC6026-8.8'],
    ['ACCEPTED', 'TIMER_L', 'TERMINATED', NONE, 'RFC6026-7.1'],
  ],
}

export const inviteServer = compileMachine(INVITE_SERVER)
