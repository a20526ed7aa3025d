// SPDX-License-Identifier: MIT
//
// `tandem locate AOR`: the live bindings of an address-of-record, those by configuration marked static. Exit status 1 when nobody is registered.
import type { location } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { type Format, render } from '../output.ts'
import { CommandFailed, callLocation } from './targets.ts'

const COLUMNS = ['contact', 'expires', 'q', 'via', 'edge', 'agent']

/** `Bob@Example.TEST` → `sip:Bob@example.test`: the scheme filled in, the host in lower case (RFC 3261 §10.3 step 5). Fails without a domain. */
export function aorOf(text: string): string {
  const withScheme = /^(sips?|tel):/i.test(text) ? text : `sip:${text}`
  const at = withScheme.lastIndexOf('@')
  if (at < 0) throw new CommandFailed(`${text} is no address-of-record: expected user@domain.`)
  const colon = withScheme.indexOf(':')
  return (
    withScheme.slice(0, colon).toLowerCase() + withScheme.slice(colon, at + 1) + withScheme.slice(at + 1).toLowerCase()
  )
}

function row(binding: location.Binding) {
  const { uri, expiresS, qMilli, flow, userAgent, isStatic } = binding
  const via = flow ? `${flow.transport} ${flow.address}:${flow.port}` : ''
  return {
    contact: uri,
    expires: isStatic ? 'static' : `${expiresS} s`,
    q: qMilli / 1_000,
    via,
    edge: flow?.edgeId ?? '',
    agent: userAgent,
  }
}

export async function locate(config: Config, aor: string, format: Format): Promise<string> {
  const { bindings } = await callLocation(config, 'locate', { aor: aorOf(aor) })
  if (bindings.length === 0) throw new CommandFailed(`${aorOf(aor)} is not registered.`)
  return render(format, bindings, COLUMNS, bindings.map(row))
}
