// SPDX-License-Identifier: MIT
//
// Mutual TLS between the cluster's processes: one certificate for each, shown as server and as client, and the authority that signs all of
// them. Read from files, and read again when they have changed: by their text, every so often, because a mount that swaps symbolic links
// shows no change to a watcher. grpc-js asks for what is current at each handshake.
// Invariants: connections keep what they were made with; a set of files that can't be used changes nothing and is named once.
// Leaves out: who of the authority's peers may ask what. The authority must be the cluster's own.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { checkServerIdentity, createSecureContext, type PeerCertificate } from 'node:tls'
import { type ChannelCredentials, experimental, type ServerCredentials } from '@grpc/grpc-js'

type Provider = experimental.CertificateProvider
type CaListener = experimental.CaCertificateUpdateListener
type IdentityListener = experimental.IdentityCertificateUpdateListener

/** PEM files, all three of them. */
export interface RpcTlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
}

interface Texts {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

const EXPIRES_SOON_MS = 7 * 86_400_000
/** Sent as the server's name where only addresses are known: an address is no SNI. What is verified is another matter. */
const NO_NAME = 'tandem.invalid'

export class RpcTls implements Provider {
  /** How often files were taken, and how often they could not be. */
  readonly counters = { loads: 0, failures: 0 }
  readonly #files: RpcTlsFiles
  readonly #onNotice: (sentence: string) => void
  readonly #caListeners = new Set<CaListener>()
  readonly #identityListeners = new Set<IdentityListener>()
  #current: Texts
  #refused = ''
  #timer: NodeJS.Timeout | undefined

  private constructor(files: RpcTlsFiles, onNotice: (sentence: string) => void) {
    this.#files = files
    this.#onNotice = onNotice
    this.#current = { cert: textOf(files.certFile), key: textOf(files.keyFile), ca: textOf(files.caFile) }
    this.#take(this.#current)
  }

  /** Throws an Error whose message names the file. @param onNotice told what a person should know */
  static open(files: RpcTlsFiles, onNotice: (sentence: string) => void): RpcTls {
    return new RpcTls(files, onNotice)
  }

  /** Clients must show a certificate of the authority. */
  serverCredentials(): ServerCredentials {
    return experimental.createCertificateProviderServerCredentials(this, this, true)
  }

  /** @param names of which the server's certificate must prove one */
  client(names: readonly string[]): { readonly credentials: ChannelCredentials; readonly serverName: string } {
    const verify = (_host: string, certificate: PeerCertificate): Error | undefined => {
      const objections = names.map((name) => checkServerIdentity(name, certificate))
      return objections.includes(undefined) ? undefined : objections[0]
    }
    return {
      credentials: experimental.createCertificateProviderChannelCredentials(this, this, {
        checkServerIdentity: verify,
      }),
      serverName: names.find((name) => isIP(name) === 0) ?? NO_NAME,
    }
  }

  /** The end of our own certificate, milliseconds of Unix time. */
  get notAfterMs(): number {
    return Date.parse(new X509Certificate(this.#current.cert).validTo)
  }

  watch(intervalMs: number): void {
    if (intervalMs === 0) return
    this.#timer = setInterval(() => void this.reload(), intervalMs)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Takes the files as they are now, where they differ and can be used. Never rejects. */
  async reload(): Promise<void> {
    const { certFile, keyFile, caFile } = this.#files
    try {
      const [cert, key, ca] = await Promise.all([certFile, keyFile, caFile].map((file) => readFile(file, 'utf8')))
      const texts = { cert, key, ca } as Texts
      if (cert === this.#current.cert && key === this.#current.key && ca === this.#current.ca) return
      this.#take(texts)
      this.#current = texts
      this.#refused = ''
      this.#onNotice('gRPC certificates changed: new connections get the new ones')
      for (const listener of this.#caListeners) listener(this.#ca())
      for (const listener of this.#identityListeners) listener(this.#identity())
    } catch (error) {
      this.#refuse((error as Error).message)
    }
  }

  #refuse(message: string): void {
    this.counters.failures++
    if (message === this.#refused) return
    this.#refused = message
    this.#onNotice(`gRPC certificates changed and can't be used, the old ones stay: ${message}`)
  }

  /** Throws where they can't be used together. */
  #take(texts: Texts): void {
    const notAfterMs = checked(texts, this.#files)
    this.counters.loads++
    const left = notAfterMs - Date.now()
    if (left > EXPIRES_SOON_MS) return
    const when = new Date(notAfterMs).toISOString()
    this.#onNotice(`the gRPC certificate ${left > 0 ? 'ends' : 'has ended'} at ${when}: renew it`)
  }

  #ca(): { caCertificate: Buffer } {
    return { caCertificate: Buffer.from(this.#current.ca) }
  }

  #identity(): { certificate: Buffer; privateKey: Buffer } {
    return { certificate: Buffer.from(this.#current.cert), privateKey: Buffer.from(this.#current.key) }
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#caListeners.add(listener)
    process.nextTick(() => listener(this.#ca())) // grpc-js is not ready for it before
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#caListeners.delete(listener)
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.add(listener)
    process.nextTick(() => listener(this.#identity()))
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.delete(listener)
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Error(`${file} can't be read: ${(cause as Error).message}`, { cause })
  }
}

/** The end of the certificate. Throws. */
function checked({ cert, key, ca }: Texts, { certFile, keyFile, caFile }: RpcTlsFiles): number {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(cert)
    createSecureContext({ cert, key })
  } catch (cause) {
    throw new Error(`${certFile}, ${keyFile}: no certificate with its key: ${(cause as Error).message}`, { cause })
  }
  try {
    new X509Certificate(ca)
    createSecureContext({ ca })
  } catch (cause) {
    throw new Error(`${caFile}: no authority's certificate: ${(cause as Error).message}`, { cause })
  }
  return Date.parse(certificate.validTo)
}
