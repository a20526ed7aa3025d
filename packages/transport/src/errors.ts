// SPDX-License-Identifier: MIT
// The registry of this package's errors. `kind`: expected = a value that ends in a SIP response; fatal = bad configuration, its
// message is a sentence for the person who starts the process.

export const TRANSPORT_ERROR = {
  portTaken: {
    kind: 'fatal',
    sipStatus: 0,
    meaning: 'another process listens on the address and port',
    todo: 'Stop the other process, or change the setting that is named.',
  },
  addressNotLocal: {
    kind: 'fatal',
    sipStatus: 0,
    meaning: 'the address to listen on does not belong to this machine',
    todo: 'Bind an address of this machine.',
  },
  portForbidden: {
    kind: 'fatal',
    sipStatus: 0,
    meaning: 'the process may not listen on the port',
    todo: 'Take a port above 1023, or give the process `CAP_NET_BIND_SERVICE`.',
  },
  listenFailed: {
    kind: 'fatal',
    sipStatus: 0,
    meaning: 'listening failed for another reason',
    todo: 'Read the sentence: it has the words of the kernel.',
  },
  badCertificate: {
    kind: 'fatal',
    sipStatus: 0,
    meaning: 'a certificate, key or CA file can not be read or used',
    todo: 'Correct the path, the rights or the file; key and certificate must belong together.',
  },
  udpBatchUnavailable: {
    kind: 'fatal',
    sipStatus: 0,
    meaning: 'the UDP addon is required and can not be loaded',
    todo: 'Build the addon (`npm run build`), or set `edge.udp.batch: auto`.',
  },
  sctpUnavailable: {
    kind: 'fatal',
    sipStatus: 0,
    meaning: 'the kernel has no SCTP, or the addon for it is not there',
    todo: 'Load the module `sctp`, or take SCTP out of the listeners.',
  },
  hostNotFound: {
    kind: 'expected',
    sipStatus: 404,
    meaning: 'DNS has no server for the host',
    todo: 'Correct the host of the trunk or contact.',
  },
  dnsFailed: {
    kind: 'expected',
    sipStatus: 503,
    meaning: 'DNS did not answer, or with an error',
    todo: 'Look at the resolvers of the machine; it is tried again.',
  },
  transportUnsupported: {
    kind: 'expected',
    sipStatus: 503,
    meaning: 'no transport that both sides support',
    todo: 'Configure a listener for the transport that the other side asks for.',
  },
} as const

export type TransportErrorCode = keyof typeof TRANSPORT_ERROR

/** An error of this package; compare `code`, not the class. `message` is a sentence that may be printed as it is. */
export class TransportError extends Error {
  readonly code: TransportErrorCode
  constructor(code: TransportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface ListenPlace {
  readonly transport: string
  readonly address: string
  readonly port: number
  /** The setting (and flag) that chooses the port, named in the sentence. */
  readonly setting: string
}

/** The sentence for a listener that could not be opened. */
export function listenError(cause: NodeJS.ErrnoException, place: ListenPlace): TransportError {
  const at = `${place.transport.toUpperCase()} ${place.address} port ${place.port}`
  switch (cause.code) {
    case 'EADDRINUSE':
      return new TransportError('portTaken', `${at} is taken by another process; free it or change ${place.setting}.`, {
        cause,
      })
    case 'EADDRNOTAVAIL':
      return new TransportError(
        'addressNotLocal',
        `${at}: this machine has no address ${place.address}; change ${place.setting}.`,
        { cause },
      )
    case 'EACCES':
      return new TransportError('portForbidden', `${at}: this process may not listen there; change ${place.setting}.`, {
        cause,
      })
    default:
      return new TransportError('listenFailed', `${at}: ${cause.message}; see ${place.setting}.`, { cause })
  }
}
