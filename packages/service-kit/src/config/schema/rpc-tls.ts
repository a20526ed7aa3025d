// SPDX-License-Identifier: MIT
//
// `rpc.tls`: mutual TLS between the processes of a cluster.
import { z } from 'zod'
import { durationMs } from './values.ts'

export const rpcTls = z
  .strictObject({
    certFile: z
      .string()
      .default('')
      .describe(
        'PEM: the certificate of this process, shown by its gRPC server and to those of others. Empty: gRPC without TLS. Relative to the cluster file, as the other two.',
      ),
    keyFile: z.string().default('').describe('PEM: its private key.'),
    caFile: z
      .string()
      .default('')
      .describe(
        'PEM of the authority that servers and clients are verified against: one that signs for this cluster alone, because whoever has a certificate of it may ask everything.',
      ),
    serverName: z
      .string()
      .default('')
      .describe(
        'Name that the certificates of location and policy must prove; empty: the host of `location.address` or `policy.address`.',
      ),
    reloadMs: durationMs()
      .default(10_000)
      .describe('Time between looks at the files; new connections get what has changed. 0 never looks.'),
  })
  .prefault({})
