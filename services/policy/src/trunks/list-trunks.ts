// SPDX-License-Identifier: MIT
//
// The unary method behind `tandem trunks`: how every trunk stands, read from the store at that moment.
import { done, type policy, type Result } from '@tandem/rpc'
import type { HostHealth, TrunkView } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'
import type { RegistrationState } from './registration-state.ts'
import type { TrunkHostTerms, TrunkTerms } from './trunk-terms.ts'

const FRESH: Omit<HostHealth, 'host'> = { state: 'closed', leftMs: 0, failures: 0, opened: 0, probe: undefined }

const whole = (ms: number): bigint => BigInt(Math.max(0, Math.round(ms)))

function hostStatus({ key }: TrunkHostTerms, view: TrunkView | undefined): policy.TrunkHostStatus {
  const { state, leftMs, failures, opened, probe } = view?.hosts.find(({ host }) => host === key) ?? FRESH
  const probed = probe && { agoMs: whole(probe.agoMs), good: probe.good, status: probe.status, tookMs: probe.tookMs }
  return { host: key, breaker: state, leftMs: whole(leftMs), failures, opened, probe: probed }
}

function registrationStatus(state: RegistrationState, nowMs: number): policy.TrunkRegistrationStatus {
  const { phase, registrar, aor, untilMs, lastStatus, failures, detail, edge } = state
  return { state: phase, registrar, aor, leftMs: whole(untilMs - nowMs), lastStatus, failures, detail, edgeId: edge }
}

async function statusOf(context: PolicyContext, terms: TrunkTerms): Promise<policy.TrunkStatus> {
  const { name, maxCalls, callsPerSecond, hosts, registration } = terms
  await context.trunks.board.look(name)
  const view = context.trunks.board.view(name)
  const state = registration && (await context.trunks.registrations.read(name))
  const sums = view?.quality
  return {
    trunk: name,
    calls: view?.calls ?? 0,
    maxCalls,
    callsPerSecond,
    hosts: hosts.map((host) => hostStatus(host, view)),
    registration: state && registrationStatus(state, context.now()),
    attempts: sums?.seized ?? 0,
    answered: sums?.answered ?? 0,
    effective: sums?.effective ?? 0,
    ended: sums?.ended ?? 0,
    talkMs: whole(sums?.talkMs ?? 0),
    rang: sums?.rang ?? 0,
    pddMs: whole(sums?.pddMs ?? 0),
    windowMs: whole(context.settings.trunks.qualityWindowMs),
  }
}

export async function listTrunks(
  context: PolicyContext,
  { trunk }: policy.ListTrunksRequest,
): Promise<Result<policy.ListTrunksResponse>> {
  const { terms } = context.trunks
  if (trunk !== '' && !terms.has(trunk)) return refusal('unknown_trunk')
  const names = trunk === '' ? [...terms.keys()].sort() : [trunk]
  const trunks: policy.TrunkStatus[] = []
  for (const name of names) {
    const of = terms.get(name)
    if (of !== undefined) trunks.push(await statusOf(context, of))
  }
  return done({ trunks })
}
