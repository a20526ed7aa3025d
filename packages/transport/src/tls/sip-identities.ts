// SPDX-License-Identifier: MIT
// Whom a certificate proves (RFC 5922 §7): the SIP domains in it, and whether one of them is the domain that was asked for. Pure; that
// the certificate itself is valid is OpenSSL's to say, before. A numeric target has an iPAddress, which RFC 5922 leaves open.
import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

/** Of one certificate. */
const MAX_USERS = 32
const ADDRESS_TYPE = 'IP Address:'

/**
 * [RFC5922-7.1] SIP domain identities, in lower case: sip URIs without a user, else DNS names, else the CN where there is no
 * subjectAltName at all.
 */
export function sipIdentities(certificate: Pick<X509Certificate, 'subject' | 'subjectAltName'>): string[] {
  const { subjectAltName } = certificate
  if (subjectAltName === undefined) return commonNames(certificate.subject)
  const names = alternativeNames(subjectAltName)
  const domains = names.flatMap((name) => domainOfUri(name) ?? [])
  if (domains.length > 0) return unique(domains)
  return unique(names.flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4).toLowerCase()] : [])))
}

/** Users' addresses, `sip:user@domain`: they prove no domain [RFC5922-7.1], but whoever trusts the issuer knows the user. */
export function userIdentities({ subjectAltName }: Pick<X509Certificate, 'subjectAltName'>): string[] {
  if (subjectAltName === undefined) return []
  return unique(alternativeNames(subjectAltName).flatMap((name) => userOfUri(name) ?? [])).slice(0, MAX_USERS)
}

/** [RFC5922-7.2] Whole names, case aside; a wildcard is nobody's. @param name a domain or a numeric address */
export function provesName(certificate: Pick<X509Certificate, 'subject' | 'subjectAltName'>, name: string): boolean {
  if (isIP(name) !== 0) return addressesOf(certificate.subjectAltName).includes(canonicalAddress(name))
  return sipIdentities(certificate).includes(name.toLowerCase().replace(/\.$/, ''))
}

/** DNS names and sip domains, wildcards too: by which a server chooses among its own certificates. */
export function servedNames(certificate: Pick<X509Certificate, 'subject' | 'subjectAltName'>): string[] {
  const { subjectAltName, subject } = certificate
  if (subjectAltName === undefined) return commonNames(subject)
  const names = alternativeNames(subjectAltName)
  const dns = names.flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4).toLowerCase()] : []))
  return unique([...dns, ...names.flatMap((name) => domainOfUri(name) ?? [])])
}

/** Node writes "DNS:a, URI:sip:b"; a value that a comma could confuse is a JSON string. */
function alternativeNames(text: string): string[] {
  const names = text.match(/[A-Za-z ]+:(?:"(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g) ?? []
  return names.map((name) => {
    const bare = name.replace(/, $/, '').trim()
    const colon = bare.indexOf(':') + 1
    const value = bare.slice(colon)
    return value.startsWith('"') ? bare.slice(0, colon) + String(JSON.parse(value)) : bare
  })
}

/** [RFC5922-7.1] "sip" only, and no user. */
function domainOfUri(name: string): string | undefined {
  const host = /^URI:sip:([^@;?:]+)(?::\d+)?(?:[;?][^@]*)?$/i.exec(name)?.[1]
  return host?.toLowerCase()
}

/** Without port, parameters and headers; anything else is no address-of-record. */
function userOfUri(name: string): string | undefined {
  return /^URI:(sip:[^@:;?/]+@[^@:;?/]+)$/i.exec(name)?.[1]
}

function commonNames(subject: string | undefined): string[] {
  const name = /^CN=(.+)$/m.exec(subject ?? '')?.[1]?.toLowerCase()
  return name !== undefined && /^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(name) ? [name] : []
}

function addressesOf(subjectAltName: string | undefined): string[] {
  const names = subjectAltName === undefined ? [] : alternativeNames(subjectAltName)
  return names.flatMap((name) =>
    name.startsWith(ADDRESS_TYPE) ? [canonicalAddress(name.slice(ADDRESS_TYPE.length))] : [],
  )
}

/** IPv6 has many texts for one address. */
function canonicalAddress(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
