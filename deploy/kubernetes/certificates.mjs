// SPDX-License-Identifier: MIT
//
// The chart's Job for gRPC's certificates: an authority of this release alone in the Secret SECRET-ca, and for each part of NAMES (JSON: part →
// names) a certificate of it in SECRET-part. What is there and good is left as it is; what ends within RENEW_DAYS is made anew. Running it
// again changes nothing.
// The authority stays for ten years; to change it, delete both Secrets, run the Job and restart all pods together.
import { X509Certificate } from 'node:crypto'
import { issueCertificate } from '@tandem/transport'
import { namespace, need, run } from './api.mjs'

const DAY_MS = 86_400_000
const RENEW_DAYS = 120
const AUTHORITY_DAYS = 3_650
const { SECRET = '', NAMES = '{}' } = process.env

const decoded = (secret, key) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8')
const path = (name = '') => `/api/v1/namespaces/${namespace()}/secrets${name && `/${name}`}`

async function write(existing, name, data) {
  const encoded = Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  )
  const labels = { 'app.kubernetes.io/managed-by': 'tandem' }
  const body = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, labels },
    type: 'kubernetes.io/tls',
    data: encoded,
  }
  if (existing === undefined) return need('POST', path(), body)
  body.metadata.resourceVersion = existing.metadata.resourceVersion
  return need('PUT', path(name), body)
}

async function authority(name) {
  const existing = await need('GET', path(name))
  if (existing !== undefined) return { cert: decoded(existing, 'tls.crt'), key: decoded(existing, 'tls.key') }
  const notAfter = new Date(Date.now() + AUTHORITY_DAYS * DAY_MS)
  const made = issueCertificate({ commonName: SECRET, isAuthority: true, notAfter })
  await write(undefined, name, { 'tls.crt': made.cert, 'tls.key': made.key })
  console.error(`made the authority ${name}`)
  return made
}

/** Why the certificate has to be made anew; undefined: it is good. */
function objection(secret, names, ca) {
  if (secret === undefined) return 'there is none'
  try {
    const certificate = new X509Certificate(decoded(secret, 'tls.crt'))
    if (Date.parse(certificate.validTo) - Date.now() < RENEW_DAYS * DAY_MS) return `it ends ${certificate.validTo}`
    if (!certificate.checkIssued(new X509Certificate(ca))) return 'another authority made it'
    const lacking = names.find((name) => certificate.checkHost(name) === undefined)
    return lacking === undefined ? undefined : `it does not prove ${lacking}`
  } catch (error) {
    return error.message
  }
}

async function certificate(name, names, issuer) {
  const existing = await need('GET', path(name))
  const why = objection(existing, names, issuer.cert)
  if (why === undefined) return console.error(`the certificate in ${name} is good`)
  const { cert, key } = issueCertificate({ commonName: names[0], dns: names, issuer })
  await write(existing, name, { 'tls.crt': cert, 'tls.key': key, 'ca.crt': issuer.cert })
  console.error(`made the certificate in ${name}: ${why}`)
}

await run(async () => {
  const issuer = { ...(await authority(`${SECRET}-ca`)), commonName: SECRET }
  for (const [part, names] of Object.entries(JSON.parse(NAMES))) await certificate(`${SECRET}-${part}`, names, issuer)
})
