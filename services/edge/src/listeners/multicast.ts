// SPDX-License-Identifier: MIT

/**
 * Whether a host is a multicast address, in brackets or not.
 * DEVIATION[RFC3261-18.1.1e]: nothing is ever sent to a group, whichever maddr asks for it: one request would become many.
 */
export function isMulticast(host: string): boolean {
  return /^(22[4-9]|23[0-9])\.[0-9.]+$|^\[?ff[0-9a-f]{2}:/i.test(host)
}
