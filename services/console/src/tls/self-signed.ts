// SPDX-License-Identifier: MIT
//
// A certificate for where none is configured: P-256, signed by itself, for the names and addresses given, ten years. X.509 v3 in DER by
// hand (RFC 5280 section 4.1): this one form needs no library. Who connects compares the fingerprint, or takes the file as its CA.
import { createSign, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

const YEAR_MS = 31_557_600_000
const YEARS = 10

const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]
const COMMON_NAME = [0x55, 0x04, 0x03]
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13]
const KEY_USAGE = [0x55, 0x1d, 0x0f]
const EXTENDED_KEY_USAGE = [0x55, 0x1d, 0x25]
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11]
const SERVER_AUTH = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]

/** Tag, length, content. */
function der(tag: number, ...content: readonly (Uint8Array | readonly number[])[]): Buffer {
  const body = Buffer.concat(content.map((part) => Buffer.from(part as Uint8Array)))
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const length = body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
const oid = (bytes: readonly number[]): Buffer => der(0x06, bytes)
const bitString = (bytes: Uint8Array): Buffer => der(0x03, [0], bytes)
const TRUE = der(0x01, [0xff])

function extension(id: readonly number[], isCritical: boolean, value: Uint8Array): Buffer {
  return isCritical ? sequence(oid(id), TRUE, der(0x04, value)) : sequence(oid(id), der(0x04, value))
}

/** UTCTime to 2049, GeneralizedTime from 2050. */
function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')}`
  return Number(text.slice(0, 4)) < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text))
}

function addressBytes(host: string): Uint8Array {
  if (isIP(host) === 4) return Buffer.from(host.split('.').map(Number))
  const [head = '', tail] = host.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const all = [...before, ...new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

const altName = (host: string): Buffer =>
  isIP(host) === 0 ? der(0x82, Buffer.from(host, 'latin1')) : der(0x87, addressBytes(host))

function extensions(hosts: readonly string[]): Buffer {
  const list = sequence(
    // An authority of its own, so that clients may take the file as their CA; it may sign nothing but itself.
    extension(BASIC_CONSTRAINTS, true, sequence(TRUE, der(0x02, [0]))),
    extension(KEY_USAGE, true, der(0x03, [2, 0x84])),
    extension(EXTENDED_KEY_USAGE, false, sequence(oid(SERVER_AUTH))),
    extension(SUBJECT_ALT_NAME, false, sequence(...hosts.map(altName))),
  )
  return der(0xa3, list)
}

export interface Certificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

const pem = (label: string, bytes: Uint8Array): string => {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** @param hosts DNS names and IP addresses without brackets or zones */
export function makeSelfSigned(hosts: readonly string[], nowMs: number): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(oid(ECDSA_WITH_SHA256))
  const name = sequence(der(0x31, sequence(oid(COMMON_NAME), der(0x0c, Buffer.from('tandem console')))))
  const serial = randomBytes(16)
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40
  const toSign = sequence(
    der(0xa0, der(0x02, [2])),
    der(0x02, serial),
    algorithm,
    name,
    sequence(time(nowMs - 86_400_000), time(nowMs + YEARS * YEAR_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions(hosts),
  )
  const signature = createSign('sha256').update(toSign).sign(privateKey)
  const cert = pem('CERTIFICATE', sequence(toSign, algorithm, bitString(signature)))
  return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** `AB:CD:…` of SHA-256, as tools show it. */
export const fingerprintOf = (cert: string): string => new X509Certificate(cert).fingerprint256
