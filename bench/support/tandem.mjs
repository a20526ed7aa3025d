// SPDX-License-Identifier: MIT
//
// This project as the benches start it: a configuration of their own in a temporary folder, with a domain that asks nobody who he is
// and keeps no records, as many users as they want, and certificates that are made for the run. Needs the built command.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { issueCertificate } from '@tandem/transport'
import { RunningProxy } from './proxy.mjs'

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../cli/dist/main.js')
export const DOMAIN = 'bench.test'
export const READY = /^tandem ready$/m

/** A folder that goes with the process. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * A certificate of an authority that is made with it, for 127.0.0.1 and the domain.
 *
 * @param {'ecdsa' | 'rsa'} keyType P-256 or RSA 2048
 * @returns {{ certFile: string, keyFile: string, ca: string }} `ca` as PEM
 */
export function makeCertificate(folder, keyType = 'ecdsa') {
  const issuer = { commonName: 'bench CA', ...issueCertificate({ commonName: 'bench CA', isAuthority: true }) }
  const parts = { commonName: DOMAIN, dns: [DOMAIN, 'localhost'], addresses: ['127.0.0.1'], issuer }
  const made = issueCertificate(keyType === 'rsa' ? { ...parts, keyType } : parts)
  const [certFile, keyFile] = [join(folder, `${keyType}.pem`), join(folder, `${keyType}.key`)]
  writeFileSync(certFile, made.cert)
  writeFileSync(keyFile, made.key)
  return { certFile, keyFile, ca: issuer.cert }
}

const OPEN_DOMAIN = {
  alsoBindAddress: true,
  authentication: 'none',
  identity: 'off',
  accounting: false,
  anonymous: 'allow',
}

function documents(users, domain, subscriberOf, more) {
  const apiVersion = 'tandem/v1'
  const spec = { ...OPEN_DOMAIN, ...domain }
  const subscribers = users.map((name) => ({
    apiVersion,
    kind: 'Subscriber',
    metadata: { name, domain: DOMAIN },
    spec: subscriberOf(name),
  }))
  return [{ apiVersion, kind: 'Domain', metadata: { name: DOMAIN }, spec }, ...subscribers, ...more]
}

/** A bench asks for all there is: nothing of it is to be refused because it takes long. */
const NO_ADMISSION = { admission: { enabled: false } }

/**
 * @param {{ folder: string, basePort: number, users: readonly string[], edge?: object, location?: object, policy?: object,
 *   processes?: string, store?: string, domain?: object, subscriberOf?: (name: string) => object, more?: readonly object[] }} options
 *   `store` a URL; `domain` what its `spec` has beyond an open one's; `subscriberOf` the `spec` of a user; `more` further resources
 * @returns {readonly string[]} the command that runs it
 */
export function tandemCommand(options) {
  const { folder, basePort, users, edge = {}, location = {}, policy = {}, processes = 'single', store } = options
  const { domain = {}, subscriberOf = () => ({}), more = [] } = options
  const settings = {
    ...(store === undefined ? {} : { store: { url: store } }),
    cluster: { name: 'bench', processes, secrets: [{ id: 1, secret: 'bench-secret-not-for-production' }] },
    edge: { bindAddress: '127.0.0.1', basePort, httpPort: basePort + 20, ...NO_ADMISSION, ...edge },
    location: { grpcPort: basePort + 40, httpPort: basePort + 41, ...location },
    policy: { grpcPort: basePort + 42, httpPort: basePort + 43, authentication: 'off', accounting: false, ...policy },
    records: { httpPort: basePort + 44, file: join(folder, 'cdr.ndjson') },
    console: { enabled: false },
    logging: { level: 'error' },
    resources: { documents: documents(users, domain, subscriberOf, more) },
  }
  const file = join(folder, `tandem-${basePort}.yaml`)
  writeFileSync(file, JSON.stringify(settings)) // JSON is YAML
  return [process.execPath, MAIN, 'up', '--config', file]
}

/** Started and ready. */
export async function startTandem(options) {
  return RunningProxy.start(tandemCommand(options), { readyLine: READY })
}
