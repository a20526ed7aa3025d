// SPDX-License-Identifier: MIT
// INVITE client transaction: RFC 3261 §17.1.1.2, figure 5 as replaced by RFC 6026 §8.4 (Accepted, Timer M).
// Leaves out the CANCEL after a provisional response and Timer C, which are the proxy core's.
import { ACTION, compileMachine, type Machine, startSlot, stopSlot } from './machine.ts'

const { ACK, DROP, KEEP, NONE, RESEND, RESTART, SEND, TIMEOUT, TO_TU, TRANSPORT } = ACTION
const [A, B, D, M] = [0, 1, 2, 3]
const STOP_AB = stopSlot(A) | stopSlot(B)

export const INVITE_CLIENT: Machine = {
  name: 'INVITE client',
  timers: ['A', 'B', 'D', 'M'],
  states: ['CALLING', 'PROCEEDING', 'ACCEPTED', 'COMPLETED', 'TERMINATED'],
  rows: [
    ['INITIAL', 'START', 'CALLING', SEND | KEEP | startSlot(A) | startSlot(B), 'RFC3261-17.1.1.2'],
    ['CALLING', 'TIMER_A', 'CALLING', RESEND | RESTART, 'RFC3261-17.1.1.2'],
    ['CALLING', 'TIMER_B', 'TERMINATED', TIMEOUT | DROP | STOP_AB, 'RFC3261-17.1.1.2'],
    ['CALLING', 'TRANSPORT_ERROR', 'TERMINATED', TRANSPORT | DROP | STOP_AB, 'RFC3261-17.1.4'],
    ['CALLING', 'RX_1XX', 'PROCEEDING', TO_TU | STOP_AB, 'RFC3261-17.1.1.2'],
    ['CALLING', 'RX_2XX', 'ACCEPTED', TO_TU | DROP | STOP_AB | startSlot(M), 'RFC6026-7.2'],
    ['CALLING', 'RX_300_699', 'COMPLETED', ACK | TO_TU | STOP_AB | startSlot(D), 'RFC3261-17.1.1.2'],
    ['PROCEEDING', 'RX_1XX', 'PROCEEDING', TO_TU, 'RFC3261-17.1.1.2'],
    ['PROCEEDING', 'RX_2XX', 'ACCEPTED', TO_TU | DROP | startSlot(M), 'RFC6026-7.2'],
    ['PROCEEDING', 'RX_300_699', 'COMPLETED', ACK | TO_TU | startSlot(D), 'RFC3261-17.1.1.2'],
    ['ACCEPTED', 'RX_2XX', 'ACCEPTED', TO_TU, 'RFC6026-8.4'],
    ['ACCEPTED', 'TIMER_M', 'TERMINATED', NONE, 'RFC6026-8.4'],
    ['COMPLETED', 'RX_300_699', 'COMPLETED', RESEND, 'RFC3261-17.1.1.2'],
    ['COMPLETED', 'TRANSPORT_ERROR', 'TERMINATED', TRANSPORT | DROP | stopSlot(D), 'RFC3261-17.1.4'],
    ['COMPLETED', 'TIMER_D', 'TERMINATED', DROP, 'RFC3261-17.1.1.2'],
  ],
}

export const inviteClient = compileMachine(INVITE_CLIENT)
