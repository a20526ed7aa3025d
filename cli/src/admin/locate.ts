// SPDX-License-Identifier: MIT
//
// `tandem locate AOR`: the live bindings of an address-of-record, those by configuration marked static. Exit status 1 when nobody is registered.
import { canonicalNumber } from '@tandem/resources'
import type { location } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { type Format, render } from '../output.ts'
import { CommandFailed, callLocation } from './targets.ts'

const COLUMNS = ['contact', 'expires', 'q', 'via', 'edge', 'agent']

/**
 * `Bob@Example.TEST` → `sip:Bob@example.test`, as policy writes addresses-of-record: always `sip:`, escapes undone, the host in lower case, no
 * port and no parameters, a global number without its separators. Fails without a domain. Aliases are policy's to know. [RFC3261-10.3.5]
 */
export function aorOf(text: string): string {
  const [, user = '', host = ''] = /^(?:sips?:)?([^@]+)@(\[[^\]]+\]|[^:;?]+)/i.exec(text) ?? []
  if (host === '') throw new CommandFailed(`${text} is no address-of-record: expected user@domain.`)
  const name = unescaped(user)
  return `sip:${(name.startsWith('+') && canonicalNumber(name)) || name}@${host.toLowerCase()}`
}

function unescaped(user: string): string {
  try {
    return decodeURIComponent(user)
  } catch {
    return user
  }
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
