// SPDX-License-Identifier: MIT
//
// What the API's servers show: the certificate as it is now. A configured one is read again when its files have changed: by their text, every
// so often, because a mount that swaps symbolic links shows no change to a watcher.
// Invariants: connections keep what they were made with; files that can't be used change nothing and are named once.
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { experimental, type ServerCredentials } from '@grpc/grpc-js'
import { type ConsoleConfig, type Logger, watchCertificates } from '@tandem/service-kit'
import type { Certificate } from './self-signed.ts'

type Provider = experimental.CertificateProvider
type IdentityListener = experimental.IdentityCertificateUpdateListener
type Log = Pick<Logger, 'info' | 'warn'>

export class ShownCertificate implements Provider {
  #current: Certificate
  #refused = ''
  #failures = 0
  readonly #logger: Log
  readonly #listeners = new Set<(certificate: Certificate) => void>()
  readonly #grpcListeners = new Map<IdentityListener, () => void>()
  readonly #forget: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(first: Certificate, { certFile, keyFile, reloadMs }: ConsoleConfig['tls'], logger: Log) {
    this.#current = first
    this.#logger = logger
    this.#forget = watchCertificates('console', () => ({ notAfterMs: this.#notAfterMs, failures: this.#failures }))
    if (certFile === '' || reloadMs === 0) return
    this.#timer = setInterval(() => void this.#reload(certFile, keyFile), reloadMs)
    this.#timer.unref()
  }

  get current(): Certificate {
    return this.#current
  }

  get #notAfterMs(): number {
    return new X509Certificate(this.#current.cert).validToDate.getTime()
  }

  /** Told of each other one, and not of the first. */
  onChange(listener: (certificate: Certificate) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  grpcCredentials(): ServerCredentials {
    return experimental.createCertificateProviderServerCredentials(this, null, false)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#forget()
  }

  /** Never rejects. */
  async #reload(certFile: string, keyFile: string): Promise<void> {
    try {
      const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
      if (cert === this.#current.cert && key === this.#current.key) return
      createSecureContext({ cert, key })
      this.#current = { cert, key }
      this.#refused = ''
      for (const listener of this.#listeners) listener(this.#current)
      this.#logger.info('the certificate of the admin API changed: new connections get the new one')
    } catch (error) {
      this.#refuse((error as Error).message)
    }
  }

  #refuse(message: string): void {
    this.#failures++
    if (message === this.#refused) return
    this.#refused = message
    this.#logger.warn(`the certificate of the admin API changed and can't be used, the old one stays: ${message}`)
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    const tell = ({ cert, key }: Certificate): void =>
      listener({ certificate: Buffer.from(cert), privateKey: Buffer.from(key) })
    this.#grpcListeners.set(listener, this.onChange(tell))
    process.nextTick(() => tell(this.#current)) // grpc-js is not ready for it before
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#grpcListeners.get(listener)?.()
    this.#grpcListeners.delete(listener)
  }

  /** Clients show no certificate: there is no authority for them. */
  addCaCertificateListener(): void {}

  removeCaCertificateListener(): void {}
}
