// SPDX-License-Identifier: MIT
//
// Whether an edge could listen on SCTP here, for `tandem doctor`: it listens and closes.

import { SctpTransport } from '@tandem/transport'

/** '' when it could; else the error code of the system call, or `no addon`. */
export async function trySctp(address: string, port: number): Promise<string> {
  const nobody = { onMessage: () => undefined, onClose: () => undefined, onFramingError: () => undefined }
  const transport = new SctpTransport({ sink: nobody })
  try {
    await transport.listen({ address, port })
    return ''
  } catch (error) {
    const { cause } = error as { cause?: NodeJS.ErrnoException }
    return cause?.code ?? 'no addon'
  } finally {
    await transport.close()
  }
}
