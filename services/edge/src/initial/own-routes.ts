// SPDX-License-Identifier: MIT
//
// The leading Route values of an initial request that are ours: what a phone with an outbound proxy puts there.

import { HEADER, RouteView, type SipMessage, ValueCursor, type VerifiedToken } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { uriPlace } from './uri-place.ts'

const view = new RouteView<VerifiedToken>()
const cursor = new ValueCursor()

/** How many they are, for a request that has been taken. */
export function leadingOwnRoutes(core: EdgeCore, msg: SipMessage): number {
  view.read(msg, core.routeOwner)
  return view.nextStart >= 0 && routeNamesOurDomain(msg, view) ? view.popCount + 1 : view.popCount
}

/** A phone whose outbound proxy is the very domain that it calls; policy says whether that domain is ours. */
export function routeNamesOurDomain(msg: SipMessage, routes: RouteView<VerifiedToken>): boolean {
  const route = uriPlace(msg.text(routes.nextStart, routes.nextEnd))
  const target = msg.text(msg.uriHostStart, msg.uriHostEnd)
  const isOnly = hasRoutes(msg, routes.popCount + 1)
  return isOnly && route !== undefined && route.host.toLowerCase() === target.toLowerCase()
}

/** Whether these are all the Route values that there are. */
function hasRoutes(msg: SipMessage, count: number): boolean {
  let found = 0
  cursor.reset(msg, HEADER.ROUTE)
  while (cursor.next()) found += 1
  return found === count
}
