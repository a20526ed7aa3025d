// SPDX-License-Identifier: MIT
// Two phones that we did not write, baresip and linphonec, over TLS, through two edges: each verifies the certificate of its edge, they
// register and call each other. In a network namespace of their own. Media is not looked at.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitUntil } from '@tandem/test-kit'
import { issueCertificate } from '@tandem/transport'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { baresip, startBaresip } from './support/baresip.ts'
import { Cluster } from './support/cluster.ts'
import { linphone, type RealPhone, type RealPhoneOptions, startLinphone } from './support/linphone.ts'
import { createNamespace, NAMESPACE_ADDRESS, type Namespace } from './support/namespace.ts'

const folder = mkdtempSync(join(tmpdir(), 'tandem-secure-phones-'))
const caFile = join(folder, 'ca.pem')
let namespace: Namespace | undefined
let cluster: Cluster | undefined
let reason = ''
const phones: RealPhone[] = []

beforeAll(async () => {
  reason = [linphone, baresip].flatMap((program) => (program.available ? [] : [program.reason])).join('; ')
  if (reason !== '') return
  const made = createNamespace()
  if (typeof made === 'string') {
    reason = made
    return
  }
  namespace = made
  cluster = await Cluster.start({ prefix: made.prefix, bind: NAMESPACE_ADDRESS, config: withTls() })
})
beforeEach((context) => {
  if (reason !== '') context.skip(reason)
})
afterEach(async () => {
  for (const phone of phones.splice(0).reverse()) await phone.stop()
})
afterAll(async () => {
  await cluster?.stop()
  namespace?.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** The quick start's file, with a certificate for its address, and the digests and Routes that baresip 1.0 knows. */
function withTls(): string {
  const authority = { commonName: 'Test CA', ...issueCertificate({ commonName: 'Test CA', isAuthority: true }) }
  const parts = { commonName: NAMESPACE_ADDRESS, addresses: [NAMESPACE_ADDRESS], dns: [NAMESPACE_ADDRESS] }
  const own = issueCertificate({ ...parts, issuer: authority })
  writeFileSync(caFile, authority.cert)
  writeFileSync(join(folder, 'edge.pem'), own.cert)
  writeFileSync(join(folder, 'edge.key'), own.key)
  const file = join(folder, 'quickstart.yaml')
  const quickStart = readFileSync(join(import.meta.dirname, '../../examples/quickstart.yaml'), 'utf8')
  const tls = `edge:\n  tls: { certificates: [{ certFile: edge.pem, keyFile: edge.key }], caFile: ca.pem, recordRoute: transport }\n`
  writeFileSync(file, quickStart.replaceAll('[MD5, SHA-256]', '[MD5]').replace(/^edge:\n/m, tls))
  return file
}

async function start(kind: 'baresip' | 'linphonec', user: string, edge: 0 | 1, answers = false): Promise<RealPhone> {
  const proxy = `${NAMESPACE_ADDRESS}:${(cluster as Cluster).sipPort(edge) + 1}`
  const prefix = (namespace as Namespace).prefix
  const options: RealPhoneOptions = { user, proxy, transport: 'tls', caFile, answers, prefix }
  const phone = await (kind === 'baresip' ? startBaresip(options) : startLinphone(options))
  phones.push(phone)
  return phone
}

function heard({ process }: RealPhone, pattern: RegExp): Promise<void> {
  return waitUntil(String(pattern), () => pattern.test(process.output()), 10_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${process.output().slice(-3_000)}`)
  })
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

it.each([
  ['baresip', 'linphonec', 'dial sip:bob@example.test', 'hangup', /Media streams established/, /ended/],
  ['linphonec', 'baresip', 'call sip:bob@example.test', 'terminate', /Call established/, /terminated|ended|closed/i],
] as const)('%s calls %s over TLS, and hangs up', async (from, to, dial, hangUp, up, over) => {
  const seen = (cluster as Cluster).records().length
  const bob = await start(to, 'bob', 1, true)
  const alice = await start(from, 'alice', 0)
  await pause(500)
  alice.say(dial)
  await heard(bob, up)
  await pause(500)
  alice.say(hangUp)
  await heard(bob, over)
  await waitUntil('the record', () => (cluster as Cluster).records().length > seen, 8_000)
  expect((cluster as Cluster).records().slice(seen)).toMatchObject([{ outcome: 'answered', ended_by: 'caller' }])
})
