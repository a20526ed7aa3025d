// SPDX-License-Identifier: MIT
//
// `tandem hangup REF [--reason TEXT]`: ends a call, answered or in set-up. It is over for the command when policy has it on record: an
// edge does it at once, and another one if that fails.
import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { callPolicy } from './targets.ts'

/** [RFC3326-2] A plain text becomes the text of an administrator's reason; a value with a protocol and a cause stays as it is. */
export function reasonOf(text: string): string {
  if (text === '' || /^[\w.-]+\s*;\s*(cause|text)=/i.test(text)) return text
  return `SIP;cause=480;text="${text.replaceAll(/["\\]/g, '\\$&')}"`
}

/** Throws `CommandFailed` where there is no such call. */
export async function hangUp(config: Config, ref: string, reason: string, format: Format): Promise<string> {
  const { state, edgeCount } = await callPolicy(config, 'requestHangUp', { callRef: ref, reason: reasonOf(reason) })
  if (state === '') throw new CommandFailed(`No call ${ref} is on record. \`tandem calls\` shows those that are.`)
  if (state === 'finished') throw new CommandFailed(`The call ${ref} has ended already.`)
  if (edgeCount === 0) {
    throw new CommandFailed(`No edge can be reached now. The call ${ref} will be ended by the first one that is back.`)
  }
  return render(format, { ref, state }, ['ref', 'state'], [{ ref, state }])
}
