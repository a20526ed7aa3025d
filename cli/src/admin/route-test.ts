// SPDX-License-Identifier: MIT
//
// `tandem route-test`: what would become of a call, as a tree with the reason of each line, prices, and what would refuse it.
import type { policy } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { printable, render } from '../output.ts'
import { callPolicy } from './targets.ts'

export interface RouteTestFlags {
  readonly from: string
  readonly to: string
  readonly trunk: string
  readonly at: string
}

/** ISO 8601 → ms since 1970, 0 for ''. Without a zone it is this machine's time. Throws `CommandFailed`. */
function parseTime(text: string): bigint {
  if (text === '') return 0n
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new CommandFailed(`${text} is no time: expected one such as 2026-12-24T22:00:00+01:00.`)
  return BigInt(time)
}

const reasonLine = ({ resource, text, depth }: policy.RouteReason): string =>
  `${'  '.repeat(depth + 1)}${resource === '' ? '' : `${resource}: `}${text}`

function priceText(price: policy.RoutePrice | undefined): string {
  if (price === undefined) return ''
  return `${price.rate} ${price.currency}${price.prefix === '' ? '' : ` (${price.prefix})`}`.trim()
}

function targetLine({ step, target, trunk, ringMs, price, cost, payer, payerPrice }: policy.RouteTarget): string {
  const parts = [
    `  ${step + 1}. ${target}`,
    trunk === '' ? '' : `by ${trunk}`,
    ringMs === 0 ? '' : `rings ${ringMs / 1_000} s`,
    price === undefined ? '' : `price ${priceText(price)}`,
    payer === '' ? '' : `sent on by ${`${payer} ${priceText(payerPrice)}`.trim()}`,
    cost === undefined ? '' : `cost ${priceText(cost)}`,
  ]
  return parts.filter((part) => part !== '').join(', ')
}

const section = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', title, ...lines])

/** For a person. */
export function routeText(answer: policy.RouteTestResponse): string {
  const { caller, account, dialled, verdict, status, code, reasons, targets, refusals, contacts } = answer
  const outcome = verdict === 'plan' ? 'plan' : `${verdict} ${status}${code === '' ? '' : ` ${code}`}`
  return [
    `caller ${caller || '-'}, account ${account || '-'}, called ${dialled}`,
    ...section('why', reasons.map(reasonLine)),
    ...section('tried one after another', targets.map(targetLine)),
    ...section(
      'contacts',
      contacts.map((one) => `  ${one}`),
    ),
    ...section(
      'would be refused',
      refusals.map((one) => `  ${one.status} ${one.code}: ${one.text}`),
    ),
    '',
    `verdict: ${refusals.length > 0 && verdict === 'plan' ? `${outcome}, refused with ${refusals[0]?.status}` : outcome}`,
  ]
    .map(printable)
    .join('\n')
}

export async function routeTest(config: Config, flags: RouteTestFlags, format: Format): Promise<string> {
  const { from, to, trunk, at } = flags
  const answer = await callPolicy(config, 'routeTest', { from, to, trunk, unixMs: parseTime(at) })
  return format === 'table' ? routeText(answer) : render(format, answer, [], [])
}
