// SPDX-License-Identifier: MIT
//
// `tandem trunks`: how trunks stand: registration, breakers, places taken, quality.
import type { policy } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { formatTime } from './bans.ts'
import { callPolicy } from './targets.ts'

const COLUMNS = ['trunk', 'calls', 'hosts', 'probed', 'registration', 'attempts', 'asr', 'ner', 'acd', 'pdd']

/** `12/30, 5/s`. */
function callsText({ calls, maxCalls, callsPerSecond }: policy.TrunkStatus): string {
  const of = maxCalls === undefined ? String(calls) : `${calls}/${maxCalls}`
  return callsPerSecond === undefined ? of : `${of}, ${callsPerSecond}/s`
}

/** `ok`, or the hosts that are left alone. */
function hostsText({ hosts }: policy.TrunkStatus): string {
  const troubled = hosts.filter(({ breaker }) => breaker !== 'closed')
  if (troubled.length === 0) return 'ok'
  return troubled
    .map(({ host, breaker, leftMs }) => `${host} ${breaker}${leftMs > 0n ? ` ${formatTime(Number(leftMs))}` : ''}`)
    .join(', ')
}

/** Of the hosts that are probed: `200 12 ms, none`. */
function probesText({ hosts }: policy.TrunkStatus): string {
  return hosts
    .flatMap(({ probe }) => (probe ? [probe.status === 0 ? 'none' : `${probe.status} ${probe.tookMs} ms`] : []))
    .join(', ')
}

function registrationText({ registration }: policy.TrunkStatus): string {
  if (registration === undefined) return ''
  const { state, leftMs, detail } = registration
  const left = leftMs > 0n ? ` ${formatTime(Number(leftMs))}` : ''
  return `${state}${left}${detail === '' ? '' : ` (${detail})`}`
}

const percent = (part: number, of: number): string => (of === 0 ? '' : `${Math.round((100 * part) / of)}%`)
const mean = (sum: bigint, of: number): number | undefined => (of === 0 ? undefined : Math.round(Number(sum) / of))

export function rowOf(status: policy.TrunkStatus) {
  const { trunk, attempts, answered, effective, talkMs, ended, pddMs, rang } = status
  const [acd, pdd] = [mean(talkMs, ended), mean(pddMs, rang)]
  return {
    trunk,
    calls: callsText(status),
    hosts: hostsText(status),
    probed: probesText(status),
    registration: registrationText(status),
    attempts,
    asr: percent(answered, attempts),
    ner: percent(effective, attempts),
    acd: acd === undefined ? '' : formatTime(acd),
    pdd: pdd === undefined ? '' : `${pdd} ms`,
  }
}

export async function listTrunks(config: Config, trunk: string, format: Format): Promise<string> {
  const { trunks } = await callPolicy(config, 'listTrunks', { trunk })
  return render(format, trunks, COLUMNS, trunks.map(rowOf))
}
