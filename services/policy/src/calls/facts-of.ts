// SPDX-License-Identifier: MIT
//
// What a decision knows of a call, for its record: frozen with the decision, said again by edges with each report.
// Leaves out what rules against fraud say, which is added later.
import type { PlanVerdict, UserEntry } from '@tandem/resources'
import type { policy, records } from '@tandem/rpc'
import type { Judgement } from '../decide/judgement.ts'
import type { Proven } from '../decide/proven.ts'
import { splitUri } from '../decide/uri-parts.ts'

const METHODS = { bearer: 'jwt', acl: 'ip', certificate: 'mtls' } as const

/** [RFC7616-3.4] Without `algorithm` it is MD5. */
function digestMethod(used: policy.Credentials | undefined): string {
  const algorithm = /[\s,]algorithm\s*=\s*"?([\w-]+)/i.exec(used?.value ?? '')?.[1] ?? 'MD5'
  return `digest-${algorithm.toLowerCase()}`
}

/** A trunk is known by its certificate or its address; who is trusted, by his address. */
function authMethodOf({ request, trunk, trusted }: Judgement, proven: Proven | undefined): string {
  if (proven !== undefined) return proven.method === 'digest' ? digestMethod(proven.used) : METHODS[proven.method]
  if (trunk !== undefined && (request.source?.tls?.names.length ?? 0) > 0) return 'mtls'
  return trunk !== undefined || trusted ? 'ip' : 'none'
}

/** By who calls, and by where the first target lies; of what has no target by where the Request-URI leads. */
function directionOf({ away }: Judgement, { steps }: PlanVerdict | { readonly steps: [] }, isOurs: boolean): string {
  const first = steps[0]?.targets[0]
  const leaves = first === undefined ? away : first.aor === ''
  if (isOurs) return leaves ? 'outbound' : 'internal'
  return leaves ? 'transit' : 'inbound'
}

/** A number, else `user@host` of the Request-URI. */
function dialledOf({ number, uri }: Judgement): string {
  if (number !== undefined) return number.number
  const host = uri.host.toLowerCase()
  return uri.user === '' ? host : `${uri.user}@${host}`
}

/** @param speaker the user of ours who calls, as far as one can be named */
export function factsOf(
  judgement: Judgement,
  proven: Proven | undefined,
  speaker: UserEntry | undefined,
  verdict: PlanVerdict | { readonly steps: [] } = { steps: [] },
): records.CallFacts {
  return {
    tenant: (speaker?.domain ?? judgement.domain)?.name ?? '',
    direction: directionOf(judgement, verdict, speaker !== undefined),
    dialled: ('number' in verdict ? verdict.number : undefined) ?? dialledOf(judgement),
    // A user of ours may share his address with a trunk.
    ingressTrunk: proven === undefined ? (judgement.trunk?.name ?? '') : '',
    authMethod: authMethodOf(judgement, proven),
    fraudVerdict: '',
    traceId: judgement.context.traceId ?? '',
  }
}

/** Says of each URI of a plan which trunk it is. @param response made for this request alone */
export function nameTrunks({ state, maddr }: Judgement, { verdict }: policy.DecideResponse): void {
  if (verdict?.$case !== 'plan') return
  for (const { targets } of verdict.value.steps) {
    for (const target of targets) {
      if (target.where?.$case !== 'uri' || target.trunk !== undefined) continue
      const trunk = state.fraud.trunkOfHost(maddr || splitUri(target.where.value).host)
      if (trunk !== '') target.trunk = trunk
    }
  }
}
