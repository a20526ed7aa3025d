// SPDX-License-Identifier: MIT
//
// The maddr of a request's topmost Via: where the text would have its responses go (RFC 3261 section 18.2.2).
//
// DEVIATION[RFC3261-18.2.2d]: obeyed only where `edge.viaMaddr` is `obey`, and then for a unicast number only. Whoever is not known
// could else have us send to a third address all that we answer and repeat, without so much as forging his own.

import { findParam, ParamView, type SipMessage } from '@tandem/sip'
import { numericHost } from '@tandem/transport'
import { isMulticast } from './multicast.ts'

const param = new ParamView()

/** Undefined where there is none that is obeyed; IPv6 without brackets. */
export function maddrOf(msg: SipMessage): string | undefined {
  const from = msg.viaHostEnd
  if (!findParam(msg.buf, afterPort(msg, from), msg.viaEnd, 'maddr', param) || param.start < 0) return undefined
  const address = numericHost(msg.text(param.start, param.end))
  return address === undefined || isMulticast(address) ? undefined : address
}

/** The first ';' behind the sent-by. */
function afterPort(msg: SipMessage, from: number): number {
  let at = from
  while (at < msg.viaEnd && msg.buf[at] !== SEMICOLON) at += 1
  return at
}

const SEMICOLON = 0x3b
