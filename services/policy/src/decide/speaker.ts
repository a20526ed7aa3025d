// SPDX-License-Identifier: MIT
//
// Who speaks, as far as a user of ours can be named: proven by digest, asserted by somebody trusted, or believed where the
// domain asks nobody.
import type { UserEntry } from '@tandem/resources'
import { userOf } from './identity.ts'
import type { Judgement } from './judgement.ts'
import { addressOf, splitUri } from './uri-parts.ts'

/**
 * [RFC3325-5] What a trusted source asserts counts as if it had been authenticated here, for the users of a domain that
 * lists the source; without an assertion From does. A trusted trunk speaks for strangers only: nobody of ours pays for what
 * a carrier says.
 */
function assertedUser({ state, request, from }: Judgement): UserEntry | undefined {
  const { assertedIdentities: asserted, source } = request
  const uris = asserted.length === 0 ? [from] : asserted.map((value) => splitUri(addressOf(value)))
  const address = source?.address ?? ''
  return uris.map((uri) => userOf(state.index, uri)).find((user) => user?.domain.sources?.has(address))
}

/** Where a domain asks nobody, From is believed, as its setting says. */
function believedUser({ state, from }: Judgement): UserEntry | undefined {
  const user = userOf(state.index, from)
  return user?.domain.authenticated ? undefined : user
}

export function speakerOf(judgement: Judgement, proven: UserEntry | undefined): UserEntry | undefined {
  if (proven !== undefined) return proven
  return judgement.trusted ? assertedUser(judgement) : believedUser(judgement)
}
