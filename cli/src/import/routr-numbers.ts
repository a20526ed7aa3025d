// SPDX-License-Identifier: MIT
//
// Routr's numbers (v2) and DIDs (v1), and the egress policies of its domains, as Numbers and Routes.
import { type Import, nameFrom } from './report.ts'
import { type Foreign, listAt, type Routr, textAt, valueAt } from './routr-resources.ts'

interface Names {
  readonly trunks: ReadonlyMap<string, string>
  /** Subscriber `name@domain` by address. */
  readonly peers: ReadonlyMap<string, string>
  readonly domains: readonly string[]
}

const NUMBER_KINDS = ['Number', 'DID']

export function addRoutrNumbers(routr: Routr, names: Names, into: Import): void {
  for (const one of routr.of(...NUMBER_KINDS)) addNumber(one, names, into)
  for (const domain of routr.of('Domain')) {
    const policies = listAt(domain.value, 'spec.context.egressPolicies')
    const single = valueAt(domain.value, 'spec.context.egressPolicy')
    for (const policy of single === undefined ? policies : [...policies, single])
      addPolicy(domain, policy, routr, names, into)
  }
}

/** `tel:+1 (706) 604-1487` → `+17066041487`; undefined where it is not E.164. */
function e164(text: string): string | undefined {
  const digits = text.replace(/^tel:/i, '').replaceAll(/[\s().-]/g, '')
  return /^\+[1-9]\d{2,14}$/.test(digits) ? digits : undefined
}

function addNumber({ value, place }: Foreign, { trunks, peers, domains }: Names, into: Import): void {
  const written = textAt(value, 'spec.location.telUrl')
  const number = e164(written)
  if (number === undefined) return into.remark(place, `left out: ${written || '(no telUrl)'} is no number in E.164`)
  const link = textAt(value, 'spec.location.aorLink')
  const target = peers.get(link) ?? link.replace(/^sips?:/, '')
  const [, user, host] = /^([^@]+)@([^@:;]+)$/.exec(target) ?? []
  const domain = host?.toLowerCase() ?? domains[0]
  if (domain === undefined || (user === undefined && !/^sips?:/.test(link)))
    return into.remark(place, `left out: nobody is known by ${link || '(no aorLink)'}`)
  const isOurs = user !== undefined && domains.includes(domain)
  const trunk = trunks.get(textAt(value, 'spec.trunkRef') || textAt(value, 'metadata.gwRef'))
  for (const key of ['spec.location.sessionAffinityHeader', 'spec.location.extraHeaders']) {
    if (valueAt(value, key) !== undefined) into.remark(place, `${key} is not read: headers are added by a HeaderPolicy`)
  }
  const spec = {
    number,
    domain: isOurs ? domain : (domains[0] ?? domain),
    to: isOurs ? { subscriber: user } : { uri: link },
    ...(trunk !== undefined && { trunks: [trunk] }),
  }
  into.add({ kind: 'Number', metadata: { name: nameFrom(number) }, spec, origin: place })
}

/** `.*`, `^\+49.*`, `00\d*`: what begins in a way; undefined for other expressions. */
export function prefixOfRule(rule: string): string | undefined {
  const [, prefix = ''] = /^\^?(\\?\+?\d*)(?:\.\*|\\d[*+]|\[0-9\][*+])?\$?$/.exec(rule.trim()) ?? [undefined, 'none']
  if (prefix === 'none' || /\d\$?$/.test(rule.trim())) return undefined
  return prefix === '' ? '*' : prefix.replace('\\', '')
}

function addPolicy(domain: Foreign, policy: unknown, routr: Routr, { trunks }: Names, into: Import): void {
  const rule = textAt(policy, 'rule')
  const ref = textAt(policy, 'numberRef') || textAt(policy, 'didRef')
  const number = routr.find(NUMBER_KINDS, ref)
  const trunk = number && trunks.get(textAt(number.value, 'spec.trunkRef') || textAt(number.value, 'metadata.gwRef'))
  const prefix = prefixOfRule(rule)
  const name = textAt(domain.value, 'spec.context.domainUri').toLowerCase()
  if (trunk === undefined)
    return into.remark(domain.place, `egress policy ${rule}: left out, no trunk is known for number ${ref}`)
  if (prefix === undefined)
    return into.remark(
      domain.place,
      `egress policy ${rule}: left out, only rules that name the first digits are understood`,
    )
  const spec = { prefix, from: { domains: [name] }, trunk }
  into.add({
    kind: 'Route',
    metadata: { name: nameFrom(`${name}-${prefix === '*' ? 'all' : prefix.replace('+', '')}`) },
    spec,
    origin: domain.place,
  })
  into.remark(
    domain.place,
    `egress policy ${rule}: calls show the number of their caller; for that of ${ref} set callerId.default of Trunk ${trunk}`,
  )
}
