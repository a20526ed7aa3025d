// SPDX-License-Identifier: MIT
//
// Whether the admin API speaks TLS: of interest to it and to who asks it.
import type { ConsoleConfig } from './views.ts'

/** Beyond it another machine could listen in. */
export const isLoopback = (address: string): boolean =>
  address === '::1' ||
  address === 'localhost' ||
  /^127(\.\d+){3}$/.test(address) ||
  /^::ffff:127(\.\d+){3}$/i.test(address)

/** Whether the API speaks TLS at the address that it binds. */
export function wantsTls({ bindAddress, tls }: Pick<ConsoleConfig, 'bindAddress' | 'tls'>): boolean {
  if (tls.mode !== 'auto') return tls.mode === 'on'
  return tls.certFile !== '' || !isLoopback(bindAddress)
}
