// SPDX-License-Identifier: MIT
// Makes X.509 certificates (RFC 5280) with keys of NIST P-256, which Node reads and cannot write: for an edge that was given none, and
// for tests. DER by hand, just what such a certificate needs. Left out: everything an authority for others would need.
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'

export interface Identity {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

export interface CertificateParts {
  readonly commonName: string
  readonly dns?: readonly string[]
  readonly uris?: readonly string[]
  readonly addresses?: readonly string[]
  /** Whether it may sign others. */
  readonly isAuthority?: boolean
  /** Signs it; itself where absent. */
  readonly issuer?: Identity & { readonly commonName: string }
  /** Of the key, P-256 where absent. RSA needs an issuer. */
  readonly keyType?: 'rsa'
  /** What it may be used for in TLS (extended key usage); anything where absent. */
  readonly purpose?: 'server' | 'client'
  readonly notBefore?: Date
  readonly notAfter?: Date
}

const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BITS: 0x03,
  OCTETS: 0x04,
  OID: 0x06,
  UTF8: 0x0c,
  TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'))
const COMMON_NAME = oid('550403')
const EXTENSION = { ALT_NAME: '551d11', BASIC: '551d13', KEY_USAGE: '551d0f', PURPOSE: '551d25' } as const
const PURPOSE = { server: '2b06010505070301', client: '2b06010505070302' } as const
const RSA_BITS = 2_048
const VERSION_3 = Buffer.from([0xa0, 3, 2, 1, 2])
const DAY_MS = 86_400_000
const VALID_DAYS = 397

/** Self-signed, or signed by `issuer`. */
export function issueCertificate(parts: CertificateParts): Identity {
  const { privateKey, publicKey } = keyPair(parts)
  const signer: KeyObject = parts.issuer === undefined ? privateKey : createPrivateKey(parts.issuer.key)
  const from = parts.notBefore ?? new Date(Date.now() - DAY_MS)
  const to = parts.notAfter ?? new Date(from.getTime() + VALID_DAYS * DAY_MS)
  const body = sequence(
    VERSION_3,
    integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    ECDSA_SHA256,
    name(parts.issuer?.commonName ?? parts.commonName),
    sequence(time(from), time(to)),
    name(parts.commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(parts))),
  )
  const signature = sign('sha256', body, signer)
  const certificate = sequence(body, ECDSA_SHA256, bits(signature))
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines(certificate)}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

function keyPair({ keyType }: CertificateParts): { privateKey: KeyObject; publicKey: KeyObject } {
  if (keyType === 'rsa') return generateKeyPairSync('rsa', { modulusLength: RSA_BITS })
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function extensions(parts: CertificateParts): Buffer[] {
  const { dns = [], uris = [], addresses = [], isAuthority = false, purpose } = parts
  const names = [
    ...dns.map((value) => der(0x82, Buffer.from(value, 'latin1'))),
    ...uris.map((value) => der(0x86, Buffer.from(value, 'latin1'))),
    ...addresses.map((value) => der(0x87, addressBytes(value))),
  ]
  const basic = extension(EXTENSION.BASIC, isAuthority ? sequence(der(TAG.BOOLEAN, Buffer.from([0xff]))) : sequence())
  const usage = extension(EXTENSION.KEY_USAGE, keyUsage(parts))
  const rules = purpose === undefined ? [] : [extension(EXTENSION.PURPOSE, sequence(oid(PURPOSE[purpose])))]
  const alternative = names.length === 0 ? [] : [extension(EXTENSION.ALT_NAME, sequence(...names))]
  return [basic, usage, ...rules, ...alternative]
}

/** Signs; an authority signs certificates and lists; an RSA key takes part in a key exchange too. */
function keyUsage({ isAuthority = false, keyType }: CertificateParts): Buffer {
  if (isAuthority) return bits(Buffer.from([0x06]), 1)
  return keyType === 'rsa' ? bits(Buffer.from([0xa0]), 5) : bits(Buffer.from([0x80]), 7)
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(TAG.OCTETS, value))
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  if (!isIPv6(address)) throw new Error(`${address} is no IP address`)
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last]
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

function name(commonName: string): Buffer {
  return sequence(der(TAG.SET, sequence(COMMON_NAME, der(TAG.UTF8, Buffer.from(commonName)))))
}

/** GeneralizedTime, which RFC 5280 wants from 2050 on and everybody reads before. */
function time(date: Date): Buffer {
  return der(TAG.TIME, Buffer.from(`${date.toISOString().replace(/\D/g, '').slice(0, 14)}Z`))
}

function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const short = body.length < 0x80
  const hex = body.length.toString(16)
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return Buffer.concat([Buffer.from([tag]), short ? length : Buffer.from([0x80 | length.length, ...length]), body])
}

function sequence(...content: Buffer[]): Buffer {
  return der(TAG.SEQUENCE, ...content)
}

function integer(bytes: Buffer): Buffer {
  return der(TAG.INTEGER, bytes)
}

function bits(bytes: Buffer, unused = 0): Buffer {
  return der(TAG.BITS, Buffer.from([unused]), bytes)
}

function oid(hex: string): Buffer {
  return der(TAG.OID, Buffer.from(hex, 'hex'))
}

function lines(bytes: Buffer): string {
  return (bytes.toString('base64').match(/.{1,64}/g) ?? []).join('\n')
}
