// SPDX-License-Identifier: MIT
// Sockets that the addon opens and Node takes over by their file descriptor. libuv looks at the socket's type and family alone, takes a
// one-to-one SCTP socket for TCP's, and from there on makes the system calls that both have: listen, accept, connect, read, write,
// shutdown, close. An association that is lost reads as a reset or a timeout; one that the peer shuts down ends.
// Here: what is before that. Only IPPROTO_SCTP in the place of TCP's number tells the two apart.
// Invariants: a descriptor is closed here when any call on it fails; else it is Node's.
import { type Server, Socket } from 'node:net'
import { endianness } from 'node:os'
import { TransportError } from '../errors.ts'
import type { SctpAddon } from './addon.ts'
import { type SocketOption, words } from './options.ts'

/** Linux, as on x64 and arm64. */
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_SNDBUF = 7
const SO_REUSEPORT = 15
const SO_SNDBUFFORCE = 32
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26

/** A message must fit the send buffer whole, or the kernel refuses it (EMSGSIZE). */
const SEND_BUFFER_BYTES = 1 << 21

export interface SocketMaker {
  readonly addon: SctpAddon
  readonly protocol: number
  /** For this protocol. */
  readonly options: readonly SocketOption[]
}

export interface MadeSocket {
  readonly fd: number
  /** The longest message that the kernel takes. */
  readonly maxMessageBytes: number
}

/** Bound to a place, for net.Server; throws the system call's error. */
export function makeListeningSocket(
  maker: SocketMaker,
  place: { readonly address: string; readonly port: number; readonly reusePort?: boolean },
): MadeSocket {
  return make(maker, place.address, (fd) => {
    const { addon } = maker
    addon.setOption(fd, SOL_SOCKET, SO_REUSEADDR, words(1))
    if (place.reusePort === true) addon.setOption(fd, SOL_SOCKET, SO_REUSEPORT, words(1))
    addon.bind(fd, place.address, place.port)
  })
}

/** For one connection to a numeric address. @param local the source address, where it is of the same family */
export function makeConnectingSocket(maker: SocketMaker, address: string, local: string | undefined): MadeSocket {
  return make(maker, address, (fd) => {
    if (local !== undefined && isV6(local) === isV6(address)) maker.addon.bind(fd, local, 0)
  })
}

function make({ addon, protocol, options }: SocketMaker, address: string, prepare: (fd: number) => void): MadeSocket {
  const fd = addon.open(isV6(address) ? 6 : 4, protocol)
  try {
    if (isV6(address)) addon.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, words(1))
    for (const option of options) setNamed(addon, fd, option)
    const maxMessageBytes = setSendBuffer(addon, fd)
    prepare(fd)
    return { fd, maxMessageBytes }
  } catch (error) {
    addon.close(fd)
    throw error
  }
}

function setNamed(addon: SctpAddon, fd: number, { what, level, name, bytes }: SocketOption): void {
  try {
    addon.setOption(fd, level, name, bytes)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw Object.assign(new Error(`${what}: ${message}`), { code })
  }
}

/** FORCE passes net.core.wmem_max, where the process may (CAP_NET_ADMIN). Returns what the kernel made of it. */
function setSendBuffer(addon: SctpAddon, fd: number): number {
  const wanted = words(SEND_BUFFER_BYTES)
  try {
    addon.setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, wanted)
  } catch {
    addon.setOption(fd, SOL_SOCKET, SO_SNDBUF, wanted)
  }
  const bytes = addon.getOption(fd, SOL_SOCKET, SO_SNDBUF, 4)
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, endianness() === 'LE')
}

/** Node listens, accepts and closes. Resolves when it listens, rejects with the error of listen(). */
export function listenOn(server: Server, fd: number, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ fd }, backlog, () => {
      server.off('error', reject)
      server.on('error', () => {})
      resolve()
    })
  })
}

/** Node connects, in this very turn: a socket that is read before it is told where to go has no peer. */
export function connectOn(fd: number, address: string, port: number): Socket {
  return new Socket({ fd }).connect({ host: address, port })
}

/** No protocol, no family of it, not allowed to have it. */
const NO_PROTOCOL: ReadonlySet<string | undefined> = new Set([
  'EPROTONOSUPPORT',
  'ESOCKTNOSUPPORT',
  'EAFNOSUPPORT',
  'ENOPROTOOPT',
])

/** The sentence for a machine without SCTP; undefined for another error. @param setting that asks for SCTP */
export function noSctpError(error: NodeJS.ErrnoException, setting: string): TransportError | undefined {
  if (!NO_PROTOCOL.has(error.code)) return undefined
  return new TransportError(
    'sctpUnavailable',
    `${setting}: this kernel has no SCTP (${error.message}). Load the module sctp on the node, or turn ${setting} off.`,
    { cause: error },
  )
}

/** The sentence for an addon that is not there. */
export function noAddonError(reason: string, setting: string): TransportError {
  return new TransportError(
    'sctpUnavailable',
    `${setting}: the addon for SCTP is not there: ${reason}. Build it, or turn ${setting} off.`,
  )
}

const isV6 = (address: string): boolean => address.includes(':')
