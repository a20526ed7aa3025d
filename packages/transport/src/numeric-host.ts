// SPDX-License-Identifier: MIT
import { isIP } from 'node:net'

/** The address where host is numeric, IPv6 without its brackets; undefined for a name. */
export function numericHost(host: string): string | undefined {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  return isIP(bare) === 0 ? undefined : bare
}
