// SPDX-License-Identifier: MIT
//
// Which certificate the API shows: the configured one, or one that it has made itself and keeps beside the audit log, so that its
// fingerprint stays what it was.
import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { type ConsoleConfig, type Logger, wantsTls } from '@tandem/service-kit'
import { type Certificate, fingerprintOf, makeSelfSigned } from './self-signed.ts'

const RENEW_MS = 30 * 86_400_000

/** Names and addresses that clients may use. */
function hostsOf({ bindAddress }: Pick<ConsoleConfig, 'bindAddress'>): string[] {
  const isWildcard = bindAddress === '0.0.0.0' || bindAddress === '::'
  const own = Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).map(({ address }) => address.split('%', 1)[0] as string),
  )
  const addresses = isWildcard ? own.slice(0, 64) : [bindAddress]
  return [...new Set(['localhost', hostname(), '127.0.0.1', '::1', ...addresses])].filter((host) =>
    /^[A-Za-z0-9.:_-]+$/.test(host),
  )
}

/** Whether it will do: not at its end, and for the address that is bound. */
function isFit(cert: string, { bindAddress }: Pick<ConsoleConfig, 'bindAddress'>): boolean {
  const read = new X509Certificate(cert)
  const isWildcard = bindAddress === '0.0.0.0' || bindAddress === '::'
  return read.validToDate.getTime() > Date.now() + RENEW_MS && (isWildcard || read.checkIP(bindAddress) !== undefined)
}

async function readKept(
  certFile: string,
  keyFile: string,
  config: Pick<ConsoleConfig, 'bindAddress'>,
): Promise<Certificate | undefined> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
    return isFit(cert, config) ? { cert, key } : undefined
  } catch {
    return undefined
  }
}

/** The certificate; undefined where the API speaks without TLS. Says the fingerprint of one of its own. */
export async function certificateOf(
  config: ConsoleConfig,
  logger: Pick<Logger, 'info' | 'warn'>,
): Promise<Certificate | undefined> {
  if (!wantsTls(config)) return undefined
  const { certFile, keyFile, folder } = config.tls
  if (certFile !== '') {
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
    return { cert, key }
  }
  const kept = { cert: join(folder, 'console-cert.pem'), key: join(folder, 'console-key.pem') }
  const certificate = (await readKept(kept.cert, kept.key, config)) ?? makeSelfSigned(hostsOf(config), Date.now())
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(kept.key, certificate.key, { mode: 0o600 })
    await writeFile(kept.cert, certificate.cert)
  } catch (error) {
    logger.warn(
      { err: error, folder },
      'the certificate of the admin API can not be kept: the next start makes another one',
    )
  }
  logger.warn(
    { fingerprint: fingerprintOf(certificate.cert), file: kept.cert },
    'the admin API shows a certificate of its own',
  )
  return certificate
}
