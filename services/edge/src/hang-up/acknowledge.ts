// SPDX-License-Identifier: MIT
//
// What an edge says of a command, as a report: sent until policy has it, whichever of its nodes that is.

import type { policy } from '@tandem/rpc'
import type { EdgeCore } from '../core.ts'

export type Command = Pick<policy.HangUp, 'commandId' | 'callRef' | 'call'>

export function acknowledge(core: EdgeCore, command: Command, outcome: policy.Acknowledged_Outcome): void {
  const value = { commandId: command.commandId, outcome }
  const event = { $case: 'acknowledged', value } as const
  core.reporter.report({ callRef: command.callRef, call: command.call, event, ageMs: 0 })
}

/** Any text in the latin1 form in which messages are written. */
export const messageText = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
