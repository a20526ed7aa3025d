// SPDX-License-Identifier: MIT
//
// `edge.listeners` and the settings of each transport.
import { z } from 'zod'
import { durationMs } from './values.ts'

/** What an HTTP request needs for itself, or the edge says of its client. */
const OWN_HEADERS = new Set(
  'connection content-length expect host keep-alive te trailer transfer-encoding upgrade x-forwarded-for x-forwarded-proto x-original-uri'.split(
    ' ',
  ),
)

const webSocketAuthorize = z
  .strictObject({
    url: z
      .string()
      .regex(/^(?:|https?:\/\/[^\s/?#@]+(?:[/?][^\s#]*)?)$/, {
        error: 'expected http://host/path or https://host/path',
        abort: true,
      })
      .refine((url) => url === '' || URL.canParse(url), 'expected http://host/path or https://host/path')
      .default('')
      .describe(
        'Asked by GET at each upgrade to WebSocket, e.g. `http://web.internal/sip-auth` (RFC 7118 §7): 2xx lets it in, 401 (with its challenge) and 403 refuse it, anything else is 503. Empty: nobody is asked.',
      ),
    timeoutMs: durationMs(50, 60_000)
      .default(2_000)
      .describe('Time for its answer, within `edge.limits.handshakeMs`; after it the upgrade is refused with 503.'),
    maxConcurrent: z
      .int()
      .min(1)
      .max(10_000)
      .default(50)
      .describe('Such requests under way at once on an edge; the others wait for their turn.'),
    forwardHeaders: z
      .array(
        z
          .string()
          .regex(/^[A-Za-z0-9-]{1,64}$/, 'expected the name of an HTTP header')
          .refine((name) => !OWN_HEADERS.has(name.toLowerCase()), 'expected a header that the edge does not write'),
      )
      .max(32)
      .default(['cookie', 'authorization', 'origin'])
      .describe('Headers of the upgrade request that are passed on.'),
  })
  .prefault({})

export const listeners = z
  .strictObject({
    udp: z.boolean().default(true).describe('Listen on UDP.'),
    tcp: z
      .boolean()
      .default(true)
      .describe(
        'Listen on TCP. RFC 3261 §18.2.1 asks for it wherever UDP is on: without it, large requests neither come nor go.',
      ),
    tls: z.boolean().default(true).describe('Listen on TLS, at the SIP port + 1.'),
    ws: z.boolean().default(true).describe('Listen on WebSocket, at the SIP port + 6.'),
    wss: z.boolean().default(true).describe('Listen on secure WebSocket, at the SIP port + 7.'),
    sctp: z
      .boolean()
      .default(false)
      .describe(
        'Listen on SCTP (RFC 4168), at the SIP port. The edge ends at start where the kernel has no SCTP, or the addon was not built.',
      ),
  })
  .prefault({})

export const udp = z
  .strictObject({
    batch: z
      .enum(['auto', 'off', 'require'])
      .default('auto')
      .describe(
        'Read and write UDP in batches by the native addon: where it was built (else one line in the log says why not), never, or end where it is not there.',
      ),
    receiveBufferBytes: z
      .int()
      .min(65_536)
      .max(1 << 30)
      .default(4_194_304)
      .describe(
        'Receive buffer of the socket; the kernel cuts it to net.core.rmem_max, unless the process has CAP_NET_ADMIN.',
      ),
    sendBufferBytes: z
      .int()
      .min(65_536)
      .max(1 << 30)
      .default(4_194_304)
      .describe('Send buffer of the socket; net.core.wmem_max likewise.'),
    dscp: z
      .int()
      .min(0)
      .max(63)
      .default(0)
      .describe('DSCP of what is sent over UDP, e.g. 24 (CS3) for signalling; 0 leaves it. The native addon only.'),
    gatherMs: z
      .int()
      .min(0)
      .max(20)
      .default(4)
      .describe(
        'Above 2,000 datagrams a second a socket is read at this interval (milliseconds), which costs less CPU than at every datagram; 0: never. The native addon only.',
      ),
  })
  .prefault({})

export const sctp = z
  .strictObject({
    initAttempts: z
      .int()
      .min(1)
      .max(64)
      .default(4)
      .describe('INITs that are sent to a peer before it counts as not there.'),
    initTimeoutMs: durationMs(1, 60_000)
      .default(1_000)
      .describe('Time before the first INIT is sent again, and at most before each further one.'),
  })
  .prefault({})

export const tls = z
  .strictObject({
    certificates: z
      .array(
        z.strictObject({
          certFile: z.string().min(1).describe('PEM: the certificate, then those that lead to its authority.'),
          keyFile: z.string().min(1).describe('PEM: its private key.'),
        }),
      )
      .max(1_000)
      .default([])
      .describe(
        'What TLS and WSS show, chosen by the name that the client asks for; the first where it asks for none of theirs. Empty: one is made for the life of the process, which nobody can verify. Relative to this file.',
      ),
    caFile: z
      .string()
      .default('')
      .describe(
        'PEM of the authorities that servers and clients are verified against; empty for those that come with Node. Relative to this file.',
      ),
    clientCertificates: z
      .enum(['none', 'request', 'require'])
      .default('none')
      .describe(
        'Whether TLS clients are asked for a certificate, or refused without a valid one. The SIP domains of a valid one are proven (RFC 5922 §7.1). WSS asks for none.',
      ),
    recordRoute: z
      .enum(['sips', 'transport'])
      .default('sips')
      .describe(
        'Record-Route toward TLS: a sips URI (RFC 5658 §6.2), or sip with transport=tls, for phones that know no sips (baresip 1.0). What was called as sips gets sips in any case.',
      ),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Oldest version that is spoken.'),
    reloadMs: durationMs()
      .default(10_000)
      .describe('Time between looks at the files; new handshakes get what has changed. 0 never looks.'),
  })
  .prefault({})

export const webSocket = z
  .strictObject({
    origins: z
      .array(z.string().min(1))
      .max(1_000)
      .default([])
      .describe(
        'Origins of pages that may connect, e.g. `https://app.example.com`; empty for all. Programs that send no Origin may in any case.',
      ),
    pingMs: durationMs()
      .default(30_000)
      .describe('Silence after which a WebSocket is asked whether it lives; 0 never asks.'),
    pongTimeoutMs: durationMs(100).default(10_000).describe('Time for its answer; after it the connection is closed.'),
    authorize: webSocketAuthorize,
  })
  .prefault({})

export const proxyProtocol = z
  .strictObject({
    sources: z
      .array(z.union([z.cidrv4(), z.cidrv6()]))
      .max(1_000)
      .default([])
      .describe(
        'Networks of load balancers, e.g. `10.0.0.0/8`: their TCP, TLS and WebSocket connections must begin with a PROXY header, version 2. From anybody else such a header closes the connection.',
      ),
  })
  .prefault({})
