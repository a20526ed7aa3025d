// SPDX-License-Identifier: MIT
//
// From passwords to what digest needs: H(username:realm:password) of each algorithm [RFC7616-3.4.2]. A password is turned into
// its hashes when it is loaded, and nothing keeps it: neither the resources nor the documents that they were made from. Whoever
// has a hash can log in to its realm, so the hashes are secrets too.
import { hash } from 'node:crypto'
import { Secret } from './secret.ts'

/** Lower-case hexadecimal digits; undefined where there is none for the algorithm. */
export interface Ha1 {
  readonly md5: Secret | undefined
  readonly sha256: Secret | undefined
}

/** Names and passwords that people typed are UTF-8. */
export function ha1Of(username: string, realm: string, password: string): { md5: string; sha256: string } {
  const text = `${username}:${realm}:${password}`
  return { md5: hash('md5', text, 'hex'), sha256: hash('sha256', text, 'hex') }
}

export function secretHa1Of(username: string, realm: string, password: Secret): Ha1 {
  const { md5, sha256 } = ha1Of(username, realm, password.reveal())
  return { md5: new Secret(md5), sha256: new Secret(sha256) }
}

type Tree = Record<string, unknown>

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
const treeAt = (value: unknown, key: string): Tree | undefined => {
  const inner = isTree(value) ? value[key] : undefined
  return isTree(inner) ? inner : undefined
}
const textAt = (value: Tree | undefined, key: string): string | undefined => {
  const text = value?.[key]
  return typeof text === 'string' ? text : undefined
}

function loginOfDocument(spec: Tree, credentials: Tree, metadata: Tree | undefined): string | undefined {
  const first: unknown = Array.isArray(spec.usernames) ? spec.usernames[0] : undefined
  return textAt(credentials, 'username') ?? (typeof first === 'string' ? first : textAt(metadata, 'name'))
}

/** Realms by domain of those documents that are Domains. */
export function realmsOf(documents: readonly unknown[]): Map<string, string> {
  const realms = new Map<string, string>()
  for (const document of documents) {
    const name = isTree(document) && document.kind === 'Domain' && textAt(treeAt(document, 'metadata'), 'name')
    if (name) realms.set(name.toLowerCase(), textAt(treeAt(document, 'spec'), 'realm') ?? name.toLowerCase())
  }
  return realms
}

/**
 * Puts hashes in the place of passwords that stand in documents which somebody keeps, so that what remains in memory is no
 * password. The documents may be anything: what is no subscriber of a domain in `realms` is left alone.
 */
export function hashPasswords(documents: readonly unknown[], realms: ReadonlyMap<string, string>): void {
  for (const document of documents) {
    if (!isTree(document) || document.kind !== 'Subscriber') continue
    const metadata = treeAt(document, 'metadata')
    const spec = treeAt(document, 'spec')
    const credentials = treeAt(spec, 'credentials')
    const realm = realms.get(textAt(metadata, 'domain')?.toLowerCase() ?? '')
    const password = textAt(credentials, 'password')
    if (spec === undefined || credentials === undefined || realm === undefined || !password) continue
    const username = loginOfDocument(spec, credentials, metadata)
    if (username === undefined || credentials.ha1 !== undefined || Object.isFrozen(credentials)) continue
    credentials.ha1 = ha1Of(username, realm, password)
    delete credentials.password
  }
}
