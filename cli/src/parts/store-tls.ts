// SPDX-License-Identifier: MIT
//
// The files of `store.tls` as what Node's TLS takes. Used only where the URL asks for TLS. Read once, at the start.
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { type Config, ConfigError } from '@tandem/service-kit'

/** Throws `ConfigError` for a file that can't be read. */
export function storeTls({ tls }: Config['store']): ConnectionOptions {
  return {
    ...(tls.caFile && { ca: read('caFile', tls.caFile) }),
    ...(tls.certFile && { cert: read('certFile', tls.certFile) }),
    ...(tls.keyFile && { key: read('keyFile', tls.keyFile) }),
    ...(tls.serverName && { servername: tls.serverName }),
  }
}

function read(setting: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ConfigError([
      { path: `store.tls.${setting}`, origin: 'store', expected: `a file that can be read: ${why}` },
    ])
  }
}
