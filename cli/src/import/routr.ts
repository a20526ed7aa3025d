// SPDX-License-Identifier: MIT
//
// Resources of Routr (v1 and v2, as YAML) as ours: Domain, Agent with its Credentials, Trunk or Gateway, Number or DID, Peer,
// AccessControlList. Documents stand in lists or by themselves, in any order over the files.
import { parseAllDocuments } from 'yaml'
import { CommandFailed } from '../command-failed.ts'
import { Import } from './report.ts'
import { addRoutrNumbers } from './routr-numbers.ts'
import { type Foreign, listAt, Routr, textAt, valueAt } from './routr-resources.ts'
import { addRoutrTrunks } from './routr-trunks.ts'
import type { TableText } from './table.ts'

const KNOWN = ['Domain', 'Agent', 'Credentials', 'Trunk', 'Gateway', 'Number', 'DID', 'Peer', 'AccessControlList']

export interface RoutrOptions {
  /** Where peers register; where there is one domain only, that. */
  readonly peerDomain?: string
}

export function importRoutr(files: readonly TableText[], { peerDomain }: RoutrOptions = {}): Import {
  const into = new Import()
  const routr = new Routr(files.flatMap((file) => readFile(file, into)))
  for (const one of routr.all) {
    if (!KNOWN.includes(one.kind)) into.remark(one.place, `not understood: kind ${one.kind || '(none)'}`)
  }
  const domains = addDomains(routr, into)
  for (const agent of routr.of('Agent')) addAgent(agent, routr, into)
  const peers = addPeers(routr, peerDomain ?? (domains.length === 1 ? domains[0] : undefined), into)
  const trunks = addRoutrTrunks(routr, into)
  addRoutrNumbers(routr, { trunks, peers, domains }, into)
  return into
}

function readFile({ file, text }: TableText, into: Import): Foreign[] {
  const found: Foreign[] = []
  const documents = parseAllDocuments(text)
  for (const document of Array.isArray(documents) ? documents : []) {
    if (document.errors.length > 0)
      throw new CommandFailed(`${file} is no YAML: ${document.errors[0]?.message.split('\n')[0]}`)
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one === null || one === undefined) continue
      const place = `${file}: ${[textAt(one, 'kind'), textAt(one, 'ref') || textAt(one, 'metadata.ref') || textAt(one, 'metadata.name')].filter(Boolean).join(' ')}`
      if (typeof one === 'object') found.push({ kind: textAt(one, 'kind'), place, value: one })
      else into.remark(file, 'not understood: expected a list of resources')
    }
  }
  return found
}

const isHost = (text: string): boolean => /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text)

function addDomains(routr: Routr, into: Import): string[] {
  const names: string[] = []
  for (const one of routr.of('Domain')) {
    const name = textAt(one.value, 'spec.context.domainUri').toLowerCase()
    if (!isHost(name)) {
      into.remark(one.place, `not understood: domainUri ${name || '(none)'}`)
      continue
    }
    const acl =
      textAt(one.value, 'spec.accessControlListRef') ||
      (valueAt(one.value, 'spec.context.accessControlList') ? 'of its own' : '')
    if (acl !== '')
      into.remark(
        one.place,
        `its access control list (${acl}) is not read: who may use a domain is known by credentials, or by the acl of a Subscriber`,
      )
    if (into.add({ kind: 'Domain', metadata: { name }, spec: {}, origin: one.place })) names.push(name)
  }
  return names
}

function addAgent(agent: Foreign, routr: Routr, into: Import): void {
  const credentials = routr.credentialsOf(agent.value)
  const username = textAt(agent.value, 'spec.username') || credentials?.username || textAt(agent.value, 'username')
  const named = [...listAt(agent.value, 'spec.domains'), ...listAt(agent.value, 'domains')].map(String)
  const byRef = routr.domainOf(textAt(agent.value, 'spec.domainRef'))
  const domains = byRef === undefined ? named : [byRef]
  if (username === '' || domains.length === 0)
    return into.remark(agent.place, 'not understood: expected a username and a domain')
  const privacy = textAt(agent.value, 'spec.privacy')
  if (!['', 'none'].includes(privacy.toLowerCase()))
    into.remark(agent.place, `privacy ${privacy} is not read: a phone asks for it by its Privacy header`)
  if (valueAt(agent.value, 'spec.enabled') === false || valueAt(agent.value, 'enabled') === false)
    return into.remark(agent.place, 'it is disabled: left out')
  for (const domain of domains) into.add(subscriber(agent, username, domain, credentials))
}

export function subscriber(
  one: Foreign,
  username: string,
  domain: string,
  credentials: { username: string; password: string } | undefined,
) {
  const description = textAt(one.value, 'metadata.name')
  const login = credentials?.username && credentials.username !== username ? { username: credentials.username } : {}
  return {
    kind: 'Subscriber',
    metadata: {
      name: username,
      domain: domain.toLowerCase(),
      ...(description && { labels: { description: description.slice(0, 256) } }),
    },
    spec: credentials === undefined ? {} : { credentials: { ...login, password: credentials.password } },
    origin: one.place,
  }
}

/** A peer registers like a phone, under an address of its own: `backend:voice`. Returns the subscribers by that address. */
function addPeers(routr: Routr, domain: string | undefined, into: Import): Map<string, string> {
  const names = new Map<string, string>()
  for (const peer of routr.of('Peer')) {
    const credentials = routr.credentialsOf(peer.value)
    const username = textAt(peer.value, 'spec.username') || credentials?.username || textAt(peer.value, 'username')
    const aor = textAt(peer.value, 'spec.aor') || username
    if (username === '' || domain === undefined) {
      into.remark(
        peer.place,
        username === ''
          ? 'not understood: expected a username'
          : 'left out: say by --peer-domain in which domain it registers',
      )
      continue
    }
    into.add(subscriber(peer, username, domain, credentials))
    into.remark(peer.place, `it registers as sip:${username}@${domain} now, not as ${aor}`)
    const algorithm = textAt(peer.value, 'spec.loadBalancing.algorithm')
    if (algorithm !== '')
      into.remark(
        peer.place,
        `load balancing ${algorithm} is not read: several contacts ring as the domain's forking says; for several peers write a HuntGroup`,
      )
    if (textAt(peer.value, 'spec.contactAddr') !== '')
      into.remark(peer.place, 'contactAddr is not read: for a peer without registration give the Subscriber contacts')
    if (names.has(aor)) into.remark(peer.place, `${aor} belongs to ${names.get(aor)} already: numbers go there alone`)
    else names.set(aor, `${username}@${domain}`)
  }
  return names
}
