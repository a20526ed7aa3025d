// SPDX-License-Identifier: MIT
//
// A call that is to end in set-up: its branches are cancelled, its caller gets a final response, both with the reason [RFC3326-2]. Only
// the edge that runs the INVITE can do that; whichever does, by the directory, has its server transaction.

import type { policy } from '@tandem/rpc'
import type { ProxyContext } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'

/** `answered`: an answer, or another end, came first; what follows is on record soon. */
export type SetUpEnd = 'ended' | 'answered' | 'elsewhere'

/** @param reasonLine `Reason: …\r\n` */
export function endSetUp(core: EdgeCore, { transactionKey, status }: policy.HangUp, reasonLine: string): SetUpEnd {
  const server = core.layer.findServerByKey(transactionKey)
  if (server === undefined) return 'elsewhere'
  const context = server.context as ProxyContext | undefined
  if (context === undefined || !context.isInvite || context.finalSent !== 0) return 'answered'
  context.cancelReason = reasonLine
  core.proxy.respond(context, status, '', reasonLine)
  return 'ended'
}
