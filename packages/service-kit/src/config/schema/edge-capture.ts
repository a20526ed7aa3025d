// SPDX-License-Identifier: MIT
//
// `edge.capture` and `edge.hep`: what an edge keeps of the messages that pass it, and where it mirrors them.
import { z } from 'zod'

const MIB = 1024 * 1024
const PLACE = /^(?:|\[[0-9A-Fa-f:.]+\]:\d{1,5}|[A-Za-z0-9._-]+:\d{1,5})$/
const NETWORK = /^[0-9A-Fa-f.:]+(?:\/\d{1,3})?$/

export const capture = z
  .strictObject({
    ringBytes: z
      .int()
      .min(0)
      .max(1024 * MIB)
      .default(16 * MIB)
      .describe(
        'Memory for the last messages that the edge received and sent, for `tandem trace`: some 20,000 messages in 16 MiB. 0: none are kept.',
      ),
    maxLinesPerSecond: z
      .int()
      .min(1)
      .max(10_000)
      .default(200)
      .describe('Of messages that `tandem filter` has logged, each edge; more are counted only.'),
  })
  .prefault({})

export const hep = z
  .strictObject({
    address: z
      .string()
      .regex(PLACE, 'expected host:port or [IPv6]:port')
      .default('')
      .describe(
        'Where messages are mirrored to by HEP version 3, e.g. Homer at homer.example.com:9060. Empty: nowhere.',
      ),
    transport: z
      .enum(['udp', 'tcp', 'tls'])
      .default('udp')
      .describe(
        'How. Over `tls` the certificate must prove the host, by an authority that Node knows (`NODE_EXTRA_CA_CERTS`).',
      ),
    messages: z
      .enum(['all', 'filtered'])
      .default('all')
      .describe('`filtered`: only those of the filters that `tandem filter --to hep` sets at run time.'),
    leaveOut: z
      .array(z.string().regex(/^[A-Z]+$/, 'expected a method in capitals'))
      .max(32)
      .default(['OPTIONS'])
      .describe('Methods that are left out, with their responses.'),
    sources: z
      .array(z.string().regex(NETWORK, 'expected an address or a network'))
      .max(100)
      .default([])
      .describe('Only messages from and to these addresses or networks; none: all.'),
    sampleRatio: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe('Share of the calls, chosen by Call-ID: all edges choose the same ones.'),
    captureId: z.int().min(0).max(4_294_967_295).default(2_001).describe('Number of this agent at the collector.'),
    authKeyEnv: z
      .string()
      .default('TANDEM_HEP_KEY')
      .describe('Environment variable with the key that the collector asks for; none where it is not set.'),
    redact: z
      .boolean()
      .default(true)
      .describe('Whether digest responses, tokens and keys of media are made unreadable in what is mirrored.'),
    maxQueueBytes: z
      .int()
      .min(65_536)
      .max(1024 * MIB)
      .default(4 * MIB)
      .describe('What waits for a collector that is slow or away, at most; what comes then is dropped and counted.'),
  })
  .prefault({})
