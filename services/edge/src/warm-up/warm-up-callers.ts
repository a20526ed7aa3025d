// SPDX-License-Identifier: MIT
//
// Location and policy of a warm-up where the edge's own are other processes: canned answers, nothing is kept.

import {
  createInProcess,
  done,
  type Handlers,
  type LocationMethods,
  location,
  locationService,
  type PolicyMethods,
  policy,
  policyService,
} from '@tandem/rpc'
import type { WarmUpCallers } from '../options.ts'

/** Location and policy as a call needs them, for one contact. */
export function cannedCallers(contact: string): WarmUpCallers {
  const bindings = [location.Binding.fromPartial({ uri: contact, expiresS: 60, qMilli: 1000 })]
  const step = policy.Step.fromPartial({ targets: [{ where: { $case: 'aor', value: 'sip:warm-up@invalid' } }] })
  const decision = policy.DecideResponse.fromPartial({ verdict: { $case: 'plan', value: { steps: [step] } } })
  const held = done({ held: true })
  const locationHandlers: Handlers<LocationMethods> = {
    register: () => done({ bindings, version: 1n }),
    locate: () => done({ bindings, version: 1n }),
    beginCall: (request) => done({ created: true, owner: request.owner, epoch: 1 }),
    updateCall: () => held,
    endCall: () => held,
    leaseEdge: () => done({ edges: undefined }),
    leaveEdge: () => done({}),
    subscribe: () => done({ notification: undefined }),
    notifyDone: () => done({}),
    readCall: () => done({ entry: undefined }),
    adoptCall: () => done({ adopted: false, entry: undefined }),
    listOwned: () => done({ calls: [] }),
  }
  const policyHandlers: Handlers<PolicyMethods> = {
    decide: () => done(decision),
    report: () => done(policy.ReportResponse.fromPartial({})),
    trunkAttempt: () => done({ refused: false, code: '' }),
    answerChallenge: () => done({ credentials: [] }),
    sent: () => done({}),
    captured: () => done({}),
  }
  const callers = {
    location: createInProcess(locationService, locationHandlers, { peer: 'warm-up' }),
    policy: createInProcess(policyService, policyHandlers, { peer: 'warm-up' }),
  }
  const close = async () => {
    await Promise.all([callers.location.close(), callers.policy.close()])
  }
  return { ...callers, close }
}
