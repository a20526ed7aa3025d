// SPDX-License-Identifier: MIT
// The native part of SCTP (native/sctp.c): five system calls on file descriptors. Built and loaded as the UDP addon is, by the same helper.
import { fileURLToPath } from 'node:url'
import { type AddonOf, buildAddon, loadNative, placeOf } from '@tandem/udp-batch'

/** Each throws an Error with the `code` of the system call's errno. */
export interface SctpAddon {
  /** A stream socket that does not block. @param protocol IPPROTO_SCTP; tests give TCP's number */
  open(family: 4 | 6, protocol: number): number
  setOption(fd: number, level: number, name: number, bytes: Uint8Array): void
  /** @param size in bytes, 1 to 256 */
  getOption(fd: number, level: number, name: number, size: number): Buffer
  /** @param address numeric, of the socket's family */
  bind(fd: number, address: string, port: number): void
  /** Of what was not handed to Node. */
  close(fd: number): void
}

export const SCTP_ADDON = {
  name: 'sctp',
  /** This package; the same from src/ and from dist/. */
  root: fileURLToPath(new URL('../..', import.meta.url)),
} as const

let loaded: AddonOf<SctpAddon> | undefined

/** The addon, or why it is not there; looked for once a process, and never compiled. */
export function loadSctpAddon(): AddonOf<SctpAddon> {
  loaded ??= loadNative<SctpAddon>(placeOf(SCTP_ADDON.root, SCTP_ADDON.name))
  return loaded
}

/** The build step. */
export const buildSctpAddon = () => buildAddon(SCTP_ADDON)
