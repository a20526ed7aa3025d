// SPDX-License-Identifier: MIT
//
// What the cluster itself says that it serves, as registrar, redirect server and notifier; what it proxies is not its to list.
// An OPTIONS for the cluster is answered as by any user agent server: what it requires must be known.
import type { ProxyContext } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { refusedBody } from '../registration/register-checks.ts'
import { refuseRequired } from '../registration/registration-rules.ts'

/** Methods of the cluster as a user agent server. [RFC3261-20.5a] [RFC3261-8.2.1c] */
export const ALLOW = 'Allow: ACK, CANCEL, OPTIONS, REGISTER, SUBSCRIBE\r\n'

/** Lines of the 200 to an OPTIONS for the cluster. [RFC3261-11.2b] [RFC6665-4.4.4a] */
export const CAPABILITIES = `${ALLOW}Accept: \r\nAccept-Encoding: identity\r\nAccept-Language: *\r\nSupported: gruu, outbound, path\r\nAllow-Events: reg\r\n`

/** The answer to an OPTIONS for the cluster, or the refusal of what it asks for beyond that. */
export function answerForCluster(core: EdgeCore, context: ProxyContext, status: number): void {
  const { request } = context
  if (request === undefined) return // CANCEL has ended it
  const required = refuseRequired(request)
  if (required !== undefined) return core.proxy.respond(context, required.status, required.reason, required.headers) // [RFC3261-8.2.2.3a]
  const body = refusedBody(request)
  if (body !== undefined) return core.proxy.respond(context, 415, '', body) // [RFC3261-8.2.3a]
  core.proxy.respond(context, status, '', CAPABILITIES)
}
