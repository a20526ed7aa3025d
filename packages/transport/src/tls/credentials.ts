// SPDX-License-Identifier: MIT
// Our certificates with their keys, and the authorities that we believe: read from files, chosen by the name that a client asks for
// (SNI), read again when the files have changed. The files are compared by what is in them, every so often: a mount that swaps
// symbolic links shows no change to a watcher.
// Invariants: connections keep what they were made with; a set of files that can't be used changes nothing and is named once.
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls'
import { TransportError } from '../errors.ts'
import { issueCertificate } from './issue-certificate.ts'
import { provesName, servedNames } from './sip-identities.ts'

export interface TlsFiles {
  /** The first is shown where a client names none of theirs. Empty: one is made for this process. */
  readonly certificates: readonly { readonly certFile: string; readonly keyFile: string }[]
  /** PEM of the authorities that peers are verified against; '' for Node's own list. */
  readonly caFile: string
  readonly minVersion: SecureVersion
  /** The common name of a certificate that is made here. */
  readonly ownName: string
  /** What it is for: our advertised names and addresses. */
  readonly ownNames: readonly string[]
}

interface Shown {
  readonly options: SecureContextOptions
  readonly context: SecureContext
  readonly names: readonly string[]
  readonly certificate: X509Certificate
  readonly notAfterMs: number
}

interface Loaded {
  readonly shown: readonly Shown[]
  readonly byName: ReadonlyMap<string, SecureContext>
  readonly client: SecureContext
}

const EXPIRES_SOON_MS = 14 * 86_400_000

export class TlsCredentials {
  /** How often files were taken, and how often they could not be. */
  readonly counters = { loads: 0, failures: 0 }
  readonly #files: TlsFiles
  readonly #onNotice: (sentence: string) => void
  #texts = ''
  #loaded: Loaded
  #timer: NodeJS.Timeout | undefined
  #onChange: (() => void)[] = []

  private constructor(files: TlsFiles, onNotice: (sentence: string) => void, texts: readonly string[]) {
    this.#files = files
    this.#onNotice = onNotice
    this.#texts = texts.join('\0')
    this.#loaded = load(files, texts)
    this.counters.loads++
    this.#warnOfExpiry()
  }

  /** Rejects with a TransportError whose message names the file. @param onNotice told what a person should know */
  static async open(files: TlsFiles, onNotice: (sentence: string) => void): Promise<TlsCredentials> {
    const texts = files.certificates.length === 0 ? [...own(files), await caOf(files)] : await readAll(files)
    return new TlsCredentials(files, onNotice, texts)
  }

  /** True where no certificate was given, and nobody can verify the one that is shown. */
  get isSelfMade(): boolean {
    return this.#files.certificates.length === 0
  }

  /** For a server: the certificate where the client names none of ours. */
  get serverOptions(): SecureContextOptions {
    return (this.#loaded.shown[0] as Shown).options
  }

  /** For outgoing connections: the same certificate, for servers that ask. */
  get clientContext(): SecureContext {
    return this.#loaded.client
  }

  /** The first end of a certificate that is shown, milliseconds of Unix time. */
  get notAfterMs(): number {
    return Math.min(...this.#loaded.shown.map((one) => one.notAfterMs))
  }

  /** [RFC5922-7.5c] Whether one that is shown proves this domain or address to those who connect to it. */
  proves(name: string): boolean {
    return this.#loaded.shown.some(({ certificate }) => provesName(certificate, name))
  }

  /** By SNI; undefined for the first. */
  contextFor(serverName: string): SecureContext | undefined {
    const { byName } = this.#loaded
    const name = serverName.toLowerCase()
    return byName.get(name) ?? byName.get(`*${name.slice(name.indexOf('.'))}`)
  }

  /** Told when other certificates are shown. */
  onChange(listener: () => void): void {
    this.#onChange.push(listener)
  }

  watch(intervalMs: number): void {
    if (this.isSelfMade || intervalMs === 0) return
    this.#timer = setInterval(() => void this.reload(), intervalMs)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Takes the files as they are now, where they differ and can be used. Never rejects. */
  async reload(): Promise<void> {
    try {
      const texts = await readAll(this.#files)
      const joined = texts.join('\0')
      if (joined === this.#texts) return
      this.#texts = joined
      this.#loaded = load(this.#files, texts)
      this.counters.loads++
      this.#onNotice('TLS certificates changed: new connections get the new ones')
      this.#warnOfExpiry()
      for (const listener of this.#onChange) listener()
    } catch (error) {
      this.counters.failures++
      this.#onNotice(`TLS certificates changed and can't be used, the old ones stay: ${(error as Error).message}`)
    }
  }

  #warnOfExpiry(): void {
    const left = this.notAfterMs - Date.now()
    if (left > EXPIRES_SOON_MS) return
    const when = new Date(this.notAfterMs).toISOString()
    this.#onNotice(`a TLS certificate ${left > 0 ? 'ends' : 'has ended'} at ${when}: renew it`)
  }
}

/** Certificate, key, certificate, key, …, authorities. */
async function readAll({ certificates, caFile }: TlsFiles): Promise<string[]> {
  const paths = [...certificates.flatMap(({ certFile, keyFile }) => [certFile, keyFile]), caFile]
  return Promise.all(paths.map(async (path) => (path === '' ? '' : readText(path))))
}

async function caOf({ caFile }: TlsFiles): Promise<string> {
  return caFile === '' ? '' : readText(caFile)
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new TransportError('badCertificate', `${path} can't be read: ${(cause as Error).message}`, { cause })
  }
}

/** [RFC5922-6] For the names that we go by, as long as this process lives. */
function own({ ownName, ownNames }: TlsFiles): [string, string] {
  const isAddress = (name: string): boolean => /^[\d.]+$|:/.test(name)
  const names = ownNames.filter((name) => !isAddress(name))
  const uris = names.map((name) => `sip:${name}`)
  const made = issueCertificate({ commonName: ownName, dns: names, uris, addresses: ownNames.filter(isAddress) })
  return [made.cert, made.key]
}

function load(files: TlsFiles, texts: readonly string[]): Loaded {
  const ca = texts.at(-1) as string
  const shared = { minVersion: files.minVersion, ...(ca === '' ? {} : { ca }) }
  const shown: Shown[] = []
  for (let k = 0; k + 1 < texts.length; k += 2) {
    const place = files.certificates[k / 2]?.certFile ?? 'the certificate of this process'
    shown.push(showing(texts[k] as string, texts[k + 1] as string, shared, place))
  }
  const byName = new Map<string, SecureContext>()
  for (const { names, context } of shown) for (const name of names) if (!byName.has(name)) byName.set(name, context)
  const { cert, key } = (shown[0] as Shown).options
  const identity = files.certificates.length === 0 ? {} : { cert: cert as string, key: key as string }
  return { shown, byName, client: createSecureContext({ ...shared, ...identity }) }
}

function showing(cert: string, key: string, shared: SecureContextOptions, place: string): Shown {
  try {
    const options = { ...shared, cert, key }
    const certificate = new X509Certificate(cert)
    const notAfterMs = Date.parse(certificate.validTo)
    return { options, context: createSecureContext(options), names: servedNames(certificate), certificate, notAfterMs }
  } catch (cause) {
    const message = `${place}: no certificate, or no key of it: ${(cause as Error).message}`
    throw new TransportError('badCertificate', message, { cause })
  }
}
