// SPDX-License-Identifier: MIT
//
// `tandem kick AOR [--contact URI]`: removes bindings. The phone may register again; who watches is told "deactivated".
import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { aorOf } from './locate.ts'
import { callLocation } from './targets.ts'

export async function kick(config: Config, text: string, contact: string, format: Format): Promise<string> {
  const aor = await aorOf(text)
  const { removed } = await callLocation(config, 'kick', { aor, contact })
  if (removed === 0)
    throw new CommandFailed(contact === '' ? `${aor} is not registered.` : `${aor} is not registered at ${contact}.`)
  return render(format, { aor, removed }, ['aor', 'removed'], [{ aor, removed }])
}
