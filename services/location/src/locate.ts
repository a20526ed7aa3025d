// SPDX-License-Identifier: MIT
//
// The bindings through which an address-of-record can be reached now. A contact behind a connection is reached through
// the edge that holds it: where that edge is no member, the binding is left out, and kept: unreachable is not dead.
// An edge that the list does not name may have joined a moment ago through another location node: the list is read again
// before its bindings are left out. Contacts by configuration stand among them.
import { done, type location, type Result } from '@tandem/rpc'
import { type Bindings, type Stored, whenStored } from '@tandem/store'
import { type Deps, fromStore } from './deps.ts'
import { withStatic } from './static-bindings.ts'

/** What a static binding has left: more than any registration. */
const NEVER_S = 0xffffffff

type LocateResult = Result<location.LocateResponse>

export function createLocate(deps: Deps) {
  return (request: location.LocateRequest): LocateResult | Promise<LocateResult> => {
    deps.counts.locates++
    return whenStored(deps.store.locate(request.aor), (found) => withMembership(deps, request.aor, found))
  }
}

function withMembership(deps: Deps, aor: string, found: Stored<Bindings>): LocateResult | Promise<LocateResult> {
  if (found.state !== 'stored' || !found.value.bindings.some((binding) => isDoubtful(deps, binding)))
    return reachable(deps, aor, found)
  return deps.membership.refresh().then(() => reachable(deps, aor, found))
}

function edgeOf(binding: location.Binding): string {
  return binding.flow?.edgeId ?? ''
}

function isDoubtful(deps: Deps, binding: location.Binding): boolean {
  const edgeId = edgeOf(binding)
  return edgeId !== '' && deps.membership.stateOf(edgeId) === 'unknown'
}

function reachable(deps: Deps, aor: string, found: Stored<Bindings>): LocateResult {
  return fromStore(deps, found, ({ bindings, version }) => {
    const kept = bindings.filter((binding) => isReachable(deps, binding))
    deps.counts.unreachable += bindings.length - kept.length
    const answer = { bindings: withStatic(deps.staticContacts, aor, kept, NEVER_S), version }
    return done(kept.length === bindings.length ? answer : { ...answer, leftOut: true })
  })
}

function isReachable(deps: Deps, binding: location.Binding): boolean {
  const edgeId = edgeOf(binding)
  return edgeId === '' || deps.membership.stateOf(edgeId) !== 'gone'
}
