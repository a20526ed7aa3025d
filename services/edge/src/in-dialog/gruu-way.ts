// SPDX-License-Identifier: MIT
//
// Requests inside a dialog whose Request-URI is a GRUU: a phone that gave it as its Contact (RFC 5627 section 6.1). The way is
// that of the instance's binding refreshed last, whose URI takes the place of the GRUU. A public GRUU is taken at its word:
// of a foreign domain location has no bindings, and the request goes where it would go without.
// Left out: other flows of the instance when that one fails; a phone inside a dialog repeats the request.

import type { location } from '@tandem/rpc'
import { findParam, type Gruu, ParamView, parseGruu, type SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { NextHop } from '../hops/hops.ts'
import { locate } from '../location-cache/locate.ts'

const gr = new ParamView()

/** The GRUU in the Request-URI; undefined for every other. */
export function requestedGruu(core: EdgeCore, msg: SipMessage): Gruu | undefined {
  const { buf, uriHostStart, uriParamsStart, uriEnd } = msg
  if (uriParamsStart < 0 || uriParamsStart >= uriEnd) return undefined
  if (!mayHaveGr(buf, uriParamsStart, uriEnd) || !findParam(buf, uriParamsStart, uriEnd, 'gr', gr)) return undefined
  const domain = msg.text(uriHostStart, uriParamsStart).toLowerCase() // its port included
  return parseGruu(core.ring, userOf(msg), domain, gr.start < 0 ? '' : msg.text(gr.start, gr.end))
}

/** A look at bytes, which is all that most requests need: `;g` in any case. */
function mayHaveGr(buf: Buffer, start: number, end: number): boolean {
  for (let k = start; k + 2 < end; k += 1) {
    if (buf[k] === SEMICOLON && ((buf[k + 1] as number) | 0x20) === SMALL_G) return true
  }
  return false
}

const SEMICOLON = 0x3b
const SMALL_G = 0x67

/** What stands before the host, without scheme and password, escapes undone; '' without one. */
function userOf(msg: SipMessage): string {
  const text = msg.text(msg.uriStart, msg.uriHostStart)
  const user = text.slice(text.indexOf(':') + 1, -1).split(':', 1)[0] ?? ''
  try {
    return decodeURIComponent(user)
  } catch {
    return user
  }
}

/** Calls back with the way to the instance, or undefined where it has none. @param msg bytes that stay */
export function toInstance(
  core: EdgeCore,
  msg: SipMessage,
  gruu: Gruu,
  onHop: (hop: NextHop | undefined) => void,
): void {
  locate(core, gruu.aor, (result) => {
    const bindings = result.outcome === 'done' ? result.value.bindings : []
    const binding = bindings.find((one) => isOf(gruu, one))
    if (binding === undefined) onHop(undefined)
    else core.hops.toBinding(binding, msg, onHop)
  })
}

function isOf({ instanceId, registrationHash }: Gruu, binding: location.Binding): boolean {
  if (binding.instanceId !== instanceId) return false
  return registrationHash === 0 || binding.registrationHash === registrationHash
}
