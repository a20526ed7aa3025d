// SPDX-License-Identifier: MIT
//
// A binding that the edge takes out by itself, as a REGISTER of this one contact with Expires: 0 would.

import type { location } from '@tandem/rpc'
import type { EdgeCore } from '../core.ts'

/**
 * @param callId the binding's own, to be ordered with its phone's REGISTERs by `cseq`; else one that no phone has
 * @param onDone told when it is out, with what is left
 */
export function unbind(
  core: EdgeCore,
  aor: string,
  binding: location.Binding,
  callId: string,
  cseq: number,
  onDone: (left: readonly location.Binding[]) => void,
): void {
  const { uri, instanceId, regId, path, params } = binding
  const contact = { uri, expiresS: 0, qMilli: undefined, instanceId, regId, flow: undefined, path, params }
  const update: location.RegisterRequest = {
    aor,
    callId,
    cseq,
    removeAll: false,
    contacts: [contact],
    minExpiresS: 0,
    maxExpiresS: 0,
    defaultExpiresS: 0,
    maxContacts: 0,
    replaceOldest: false,
    userAgent: '',
  }
  core.location.call('register', update, core.config.rpc.timeoutMs, (result) => {
    if (result.outcome !== 'done') return
    core.locationCache?.forget(aor)
    onDone(result.value.bindings)
  })
}
