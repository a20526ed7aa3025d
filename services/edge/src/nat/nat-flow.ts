// SPDX-License-Identifier: MIT
//
// The way back to a contact behind a NAT: with the source port of its REGISTER, and the edge that its NAT has let in. Behind a Path,
// or where the REGISTER came through another proxy that has left none, what Via says is that proxy's.

import type { location } from '@tandem/rpc'
import type { SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { type EdgePeer, UdpPeer } from '../listeners/peers.ts'
import { isBehindNat, isBoundBehindNat } from './nat.ts'
import { isDirect } from './nat-in-dialog.ts'

/**
 * @param host of the Contact, IPv6 in brackets
 * @param flow as it is where there is no NAT
 */
export function bindingFlow(
  core: EdgeCore,
  request: SipMessage,
  peer: EdgePeer,
  host: string,
  flow: location.Flow,
): location.Flow {
  if (!(peer instanceof UdpPeer)) return flow
  const source = { address: peer.address, port: peer.sourcePort }
  const isBehind = isDirect(request) ? isBoundBehindNat(request, host, source) : isBehindNat(host, source.address)
  return isBehind ? { ...flow, port: peer.sourcePort, natEdge: core.edgeId } : flow
}
