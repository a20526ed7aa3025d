// SPDX-License-Identifier: MIT
//
// Routr's trunks (v2) and gateways (v1) as trunks: hosts, credentials both ways, registration, sources of their access control list.
import { type Import, nameFrom } from './report.ts'
import { type Foreign, listAt, type Routr, textAt, valueAt } from './routr-resources.ts'
import { type HostSpec, hostFrom } from './sip-uri.ts'

/** Names of the trunks by reference. */
export function addRoutrTrunks(routr: Routr, into: Import): Map<string, string> {
  const names = new Map<string, string>()
  for (const one of routr.of('Trunk', 'Gateway')) {
    const ref = textAt(one.value, 'ref') || textAt(one.value, 'metadata.ref')
    const name = nameFrom(ref || textAt(one.value, 'metadata.name'))
    const hosts = hostsOf(one, into)
    if (name === '' || hosts.length === 0) {
      into.remark(one.place, 'left out: expected a reference and a host')
      continue
    }
    const description = textAt(one.value, 'metadata.name')
    const labels = description === '' ? {} : { labels: { description: description.slice(0, 256) } }
    if (
      into.add({
        kind: 'Trunk',
        metadata: { name, ...labels },
        spec: specOf(one, hosts, routr, into),
        origin: one.place,
      })
    )
      names.set(ref, name)
  }
  return names
}

function hostsOf({ value, place }: Foreign, into: Import): object[] {
  const uris = listAt(value, 'spec.outbound.uris')
  const hosts: object[] = []
  for (const entry of uris) {
    const text = `${textAt(entry, 'uri.host')}${textAt(entry, 'uri.port') && `:${textAt(entry, 'uri.port')}`}`
    const transport = textAt(entry, 'uri.transport')
    const host = hostFrom(transport === '' ? text : `${text};transport=${transport}`)
    const [priority, weight] = [Number(textAt(entry, 'priority') || 0), Number(textAt(entry, 'weight') || 1)]
    if (host === undefined) into.remark(place, `not understood: host ${text} over ${transport}`)
    else if (valueAt(entry, 'enabled') === false) into.remark(place, `host ${text} is disabled: left out`)
    else hosts.push({ ...host, ...(priority !== 0 && { priority }), ...(weight !== 1 && { weight }) })
  }
  return uris.length > 0 ? hosts : gatewayHosts(value, place, into)
}

/** v1: one host, and registries where it registers too. */
function gatewayHosts(value: unknown, place: string, into: Import): HostSpec[] {
  const at = textAt(value, 'spec.host') === '' ? 'spec.regService' : 'spec'
  const host = textAt(value, `${at}.host`)
  if (host === '') return []
  const port = textAt(value, `${at}.port`)
  const transport = textAt(value, `${at}.transport`)
  const read = hostFrom(`${host}${port && `:${port}`}${transport && `;transport=${transport}`}`)
  if (read === undefined) into.remark(place, `not understood: host ${host}`)
  const registries = [...listAt(value, `${at}.registries`)]
  if (registries.length > 0)
    into.remark(
      place,
      `registries ${registries.join(', ')} are not read: a trunk registers at one place, its registration.registrar`,
    )
  return read === undefined ? [] : [read]
}

function specOf(one: Foreign, hosts: readonly object[], routr: Routr, into: Import): Readonly<Record<string, unknown>> {
  const { value } = one
  const isGateway = one.kind === 'Gateway'
  const out = routr.credentialsOf(value, isGateway ? 'spec' : 'spec.outbound')
  const incoming = isGateway ? undefined : routr.credentialsOf(value, 'spec.inbound')
  const sources = sourcesOf(textAt(value, 'spec.inbound.accessControlListRef'), one, routr, into)
  const registers = isGateway ? out !== undefined : valueAt(value, 'spec.outbound.sendRegister') === true
  const host = hosts[0] as HostSpec
  const registrar = `sip:${host.host}${host.port === undefined ? '' : `:${host.port}`}${host.transport === undefined ? '' : `;transport=${host.transport}`}`
  const user = textAt(listAt(value, 'spec.outbound.uris')[0], 'uri.user') || out?.username || ''
  const inboundUri = textAt(value, 'spec.inbound.uri')
  if (inboundUri !== '')
    into.remark(one.place, `inbound uri ${inboundUri} is not read: make it an alias of the Domain whose numbers it has`)
  if (registers && (user === '' || out === undefined))
    into.remark(one.place, 'it registers, but no user and password were found: registration left out')
  return {
    hosts,
    inbound: 'allow',
    ...(sources.length > 0 && { sources }),
    ...(out !== undefined && { credentials: { username: out.username, password: out.password } }),
    ...(incoming !== undefined && { inboundCredentials: { username: incoming.username, password: incoming.password } }),
    ...(registers && user !== '' && out !== undefined && { registration: { registrar, user } }),
  }
}

function sourcesOf(ref: string, one: Foreign, routr: Routr, into: Import): string[] {
  if (ref === '') return []
  const acl = routr.find(['AccessControlList'], ref)
  if (acl === undefined) {
    into.remark(one.place, `there is no AccessControlList ${ref}`)
    return []
  }
  const denied = [...listAt(acl.value, 'spec.accessControlList.deny'), ...listAt(acl.value, 'spec.deny')]
  if (denied.length > 0)
    into.remark(
      acl.place,
      `deny ${denied.join(', ')} is not read: only those of allow are let in, all others need credentials`,
    )
  return [...listAt(acl.value, 'spec.accessControlList.allow'), ...listAt(acl.value, 'spec.allow')].map(String)
}
