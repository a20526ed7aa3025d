// SPDX-License-Identifier: MIT
//
// `tandem locate AOR`: the live bindings of an address-of-record, those by configuration marked static. Exit status 1 when nobody is registered.
import type { location } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { callLocation } from './targets.ts'

const COLUMNS = ['contact', 'expires', 'q', 'via', 'edge', 'agent']

/**
 * `Bob@Example.TEST` → `sip:Bob@example.test`, as policy writes addresses-of-record: always `sip:`, escapes undone, the host in lower case, no
 * port and no parameters, a global number without its separators. Fails without a domain. Aliases are policy's to know. [RFC3261-10.3.5]
 */
export async function aorOf(text: string): Promise<string> {
  const [, user = '', host = ''] = /^(?:sips?:)?([^@]+)@(\[[^\]]+\]|[^:;?]+)/i.exec(text) ?? []
  if (host === '') throw new CommandFailed(`${text} is no address-of-record: expected user@domain.`)
  const name = unescaped(user)
  return `sip:${(await numberIn(name)) || name}@${host.toLowerCase()}`
}

/** '' for a name that is no global number: then nothing is loaded. */
async function numberIn(name: string): Promise<string> {
  return name.startsWith('+') ? (await import('@tandem/resources')).canonicalNumber(name) : ''
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
  const canonical = await aorOf(aor)
  const { bindings } = await callLocation(config, 'locate', { aor: canonical })
  if (bindings.length === 0) throw new CommandFailed(`${canonical} is not registered.`)
  return render(format, bindings, COLUMNS, bindings.map(row))
}
