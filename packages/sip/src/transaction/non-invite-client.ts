// SPDX-License-Identifier: MIT
// Non-INVITE client transaction: RFC 3261 §17.1.2.2, figure 6. ACK has no client transaction.
import { ACTION, compileMachine, type Machine, startSlot, stopSlot } from './machine.ts'

const { DROP, KEEP, NONE, RESEND, RESTART, RESTART_T2, SEND, TIMEOUT, TO_TU, TRANSPORT } = ACTION
const [E, F, K] = [0, 1, 2]
const STOP_EF = stopSlot(E) | stopSlot(F)

export const NON_INVITE_CLIENT: Machine = {
  name: 'non-INVITE client',
  timers: ['E', 'F', 'K'],
  states: ['TRYING', 'PROCEEDING', 'COMPLETED', 'TERMINATED'],
  rows: [
    ['INITIAL', 'START', 'TRYING', SEND | KEEP | startSlot(E) | startSlot(F), 'RFC3261-17.1.2.2'],
    ['TRYING', 'TIMER_E', 'TRYING', RESEND | RESTART, 'RFC3261-17.1.2.2'],
    ['TRYING', 'TIMER_F', 'TERMINATED', TIMEOUT | DROP | STOP_EF, 'RFC3261-17.1.2.2'],
    ['TRYING', 'TRANSPORT_ERROR', 'TERMINATED', TRANSPORT | DROP | STOP_EF, 'RFC3261-17.1.4'],
    ['TRYING', 'RX_1XX', 'PROCEEDING', TO_TU, 'RFC3261-17.1.2.2'],
    ['TRYING', 'RX_2XX', 'COMPLETED', TO_TU | DROP | STOP_EF | startSlot(K), 'RFC3261-17.1.2.2'],
    ['TRYING', 'RX_300_699', 'COMPLETED', TO_TU | DROP | STOP_EF | startSlot(K), 'RFC3261-17.1.2.2'],
    ['PROCEEDING', 'TIMER_E', 'PROCEEDING', RESEND | RESTART_T2, 'RFC3261-17.1.2.2'],
    ['PROCEEDING', 'TIMER_F', 'TERMINATED', TIMEOUT | DROP | STOP_EF, 'RFC3261-17.1.2.2'],
    ['PROCEEDING', 'TRANSPORT_ERROR', 'TERMINATED', TRANSPORT | DROP | STOP_EF, 'RFC3261-17.1.4'],
    ['PROCEEDING', 'RX_1XX', 'PROCEEDING', TO_TU, 'RFC3261-17.1.2.2'],
    ['PROCEEDING', 'RX_2XX', 'COMPLETED', TO_TU | DROP | STOP_EF | startSlot(K), 'RFC3261-17.1.2.2'],
    ['PROCEEDING', 'RX_300_699', 'COMPLETED', TO_TU | DROP | STOP_EF | startSlot(K), 'RFC3261-17.1.2.2'],
    ['COMPLETED', 'RX_2XX', 'COMPLETED', NONE, 'RFC3261-17.1.2.2'],
    ['COMPLETED', 'RX_300_699', 'COMPLETED', NONE, 'RFC3261-17.1.2.2'],
    ['COMPLETED', 'TIMER_K', 'TERMINATED', NONE, 'RFC3261-17.1.2.2'],
  ],
}

export const nonInviteClient = compileMachine(NON_INVITE_CLIENT)
