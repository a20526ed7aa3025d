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

function documents(users) {
  const apiVersion = 'tandem/v1'
  const spec = { alsoBindAddress: true, authentication: 'none', identity: 'off', accounting: false, anonymous: 'allow' }
  const subscribers = users.map((name) => ({ apiVersion, kind: 'Subscriber', metadata: { name, domain: DOMAIN } }))
  return [{ apiVersion, kind: 'Domain', metadata: { name: DOMAIN }, spec }, ...subscribers]
}

/**
 * @param {{ folder: string, basePort: number, users: readonly string[], edge?: object, location?: object, processes?: string }} options
 * @returns {readonly string[]} the command that runs it
 */
export function tandemCommand({ folder, basePort, users, edge = {}, location = {}, processes = 'single' }) {
  const settings = {
    cluster: { name: 'bench', processes, secrets: [{ id: 1, secret: 'bench-secret-not-for-production' }] },
    edge: { bindAddress: '127.0.0.1', basePort, httpPort: basePort + 20, ...edge },
    location: { grpcPort: basePort + 40, httpPort: basePort + 41, ...location },
    policy: { grpcPort: basePort + 42, httpPort: basePort + 43, authentication: 'off', accounting: false },
    records: { httpPort: basePort + 44 },
    logging: { level: 'error' },
    resources: { documents: documents(users) },
  }
  const file = join(folder, `tandem-${basePort}.yaml`)
  writeFileSync(file, JSON.stringify(settings)) // JSON is YAML
  return [process.execPath, MAIN, 'up', '--config', file]
}

/** Started and ready. */
export async function startTandem(options) {
  return RunningProxy.start(tandemCommand(options), { readyLine: READY })
}
