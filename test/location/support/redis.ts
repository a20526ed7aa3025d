// SPDX-License-Identifier: MIT
// What the tests of location on real Redis servers share: certificates, stores that are ready, registrations.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocationService, type LocationService } from '@tandem/location'
import { location, type Result } from '@tandem/rpc'
import { createRedisStore, type RedisStoreOptions, type Store } from '@tandem/store'
import { waitUntil } from '@tandem/test-kit'
import { issueCertificate } from '@tandem/transport'

export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
  readonly ca: string
  remove(): void
}

/** A certificate for 127.0.0.1 of an authority that nobody knows, as files. */
export function tlsFiles(): TlsFiles {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-redis-tls-'))
  const authority = { commonName: 'Redis CA', ...issueCertificate({ commonName: 'Redis CA', isAuthority: true }) }
  const server = issueCertificate({ commonName: 'redis', addresses: ['127.0.0.1'], issuer: authority })
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  return {
    certFile: file('cert.pem', server.cert),
    keyFile: file('key.pem', server.key),
    caFile: file('ca.pem', authority.cert),
    ca: authority.cert,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export async function openStore(options: RedisStoreOptions): Promise<Store> {
  const store = createRedisStore({ timeoutMs: 1_000, ...options })
  try {
    await waitUntil('the store', () => store.status.state === 'ready', 10_000)
  } catch {
    throw new Error(`the store is ${store.status.state}: ${store.status.detail}`)
  }
  return store
}

const BOUNDS = { minExpiresMs: 60_000, maxExpiresMs: 7_200_000, defaultExpiresMs: 3_600_000, maxContacts: 10 }

/** @param log gets the sentences of its log lines */
export function locationOn(store: Store, log: string[] = []): LocationService {
  const config = { ...BOUNDS, maxSubscriptions: 3, notifyIntervalMs: 5_000 }
  const note = (_fields: object, sentence: string) => void log.push(sentence)
  return createLocationService({
    store: store.location,
    config,
    logger: { info: note, warn: note, error: note } as never,
  })
}

const context = { msLeft: 2_000, peer: 'edge-0.a' }

export async function register(
  service: LocationService,
  user: number,
  cseq: number,
): Promise<Result<location.RegisterResponse>> {
  const request = { aor: aorOf(user), callId: `call-${user}`, cseq, contacts: [{ uri: `sip:${user}@192.0.2.1` }] }
  return service.handlers.register(location.RegisterRequest.fromPartial(request), context)
}

export async function locate(service: LocationService, user: number): Promise<Result<location.LocateResponse>> {
  return service.handlers.locate({ aor: aorOf(user) }, context)
}

const aorOf = (user: number): string => `sip:user-${user}@example.test`
