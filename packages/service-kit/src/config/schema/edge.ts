// SPDX-License-Identifier: MIT
//
// `edge`: what a SIP edge is told.
import { z } from 'zod'
import { admission } from './edge-admission.ts'
import { drain, readiness } from './edge-availability.ts'
import { capture, hep } from './edge-capture.ts'
import { decide } from './edge-decide.ts'
import { limits } from './edge-limits.ts'
import { locationCache } from './edge-location-cache.ts'
import { listeners, proxyProtocol, sctp, tls, udp, webSocket } from './edge-transports.ts'
import { address, durationMs, maybeIp, place, port } from './values.ts'

export const edge = z.strictObject({
  count: z.int().min(1).max(64).default(1).describe('Edges that `tandem up` starts.'),
  index: z
    .int()
    .min(0)
    .max(63)
    .default(0)
    .describe('Which edge this process is (k of the port formulas), where one edge runs by itself.'),
  id: z
    .string()
    .regex(/^[A-Za-z0-9._-]{0,40}$/, 'expected letters, digits, dots, dashes and underscores')
    .default('')
    .describe('Id of the edge, e.g. the pod name; empty means `edge-<k>`. Its incarnation is added at start.'),
  bindAddress: address().default('127.0.0.1').describe('IP address of the SIP listeners.'),
  advertisedAddress: z
    .string()
    .default('')
    .describe(
      'Host in Via and Record-Route of listeners that have none of their own in `edge.advertised`; empty: as `edge.advertisedFrom` says.',
    ),
  advertised: z
    .strictObject({
      udp: place('Host, or host and port, in Via and Record-Route over UDP, e.g. of a load balancer or a NodePort.'),
      tcp: place('The same over TCP.'),
      tls: place('The same over TLS.'),
      ws: place('The same over WebSocket.'),
      wss: place('The same over secure WebSocket.'),
      sctp: place('The same over SCTP.'),
    })
    .prefault({}),
  advertisedFrom: z
    .enum(['auto', 'loadBalancer', 'node', 'metadata', 'bind'])
    .default('auto')
    .describe(
      'Where an empty `edge.advertisedAddress` comes from: that of the load balancer (a Kubernetes Service’s), the node’s, the cloud’s metadata, or the bind address (for a wildcard the first address of the machine). `auto` takes the first of load balancer, node and bind address that is there. A source that is named and gives nothing ends the process.',
    ),
  loadBalancerAddress: z
    .string()
    .default('')
    .describe('Address of the load balancer (a Kubernetes Service’s) before the edges.'),
  loadBalancerAddressFile: z
    .string()
    .default('')
    .describe('File with that address: as text, or as JSON of a Service or of its status.'),
  nodeAddress: z.string().default('').describe('Address of the node that this edge runs on, e.g. by the downward API.'),
  metadataUrl: z
    .string()
    .regex(/^https?:\/\/[^/]+$/, 'expected http://host')
    .default('http://169.254.169.254')
    .describe(
      'Where the cloud answers, for `edge.advertisedFrom: metadata` (Amazon, Google, Azure, DigitalOcean, Hetzner).',
    ),
  internal: z
    .strictObject({
      bindAddress: maybeIp()
        .default('')
        .describe('IP address of the listener between edges, at the base port + 90 + 100k; empty: `edge.bindAddress`.'),
      advertisedAddress: maybeIp()
        .default('')
        .describe(
          'IP address where other edges reach it; empty: the one that it binds, for a wildcard the machine’s first.',
        ),
    })
    .prefault({}),
  basePort: port()
    .default(5060)
    .describe('SIP UDP and TCP port of edge 0; edge k adds 100k. The internal listener is at +90.'),
  sharedAddress: z
    .boolean()
    .default(false)
    .describe('All edges share one SIP address and port (SO_REUSEPORT), as behind a load balancer.'),
  httpAddress: address().default('127.0.0.1').describe('IP address of the HTTP listener.'),
  httpPort: port().default(9464).describe('HTTP port of edge 0 (`/metrics`, `/healthz`, `/readyz`); edge k adds k.'),
  listeners,
  udp,
  sctp,
  tls,
  webSocket,
  proxyProtocol,
  timers: z
    .strictObject({
      t1Ms: durationMs(10, 60_000).default(500).describe('T1, the estimate of the round trip (RFC 3261 §17).'),
      t2Ms: durationMs(10, 60_000).default(4_000).describe('T2, the longest interval of retransmission.'),
      t4Ms: durationMs(10, 60_000).default(5_000).describe('T4, how long a message stays in the network.'),
      timerCMs: durationMs(1_000, 3_600_000)
        .default(185_000)
        .describe('Timer C, the longest ringing of a branch (RFC 3261 §16.6 item 11, which asks for more than 180 s).'),
    })
    .prefault({}),
  limits,
  locationCache,
  admission,
  decide,
  readiness,
  drain,
  capture,
  hep,
  whenBanned: z
    .enum(['drop', 'refuse'])
    .default('drop')
    .describe(
      'What a source gets that is banned for wrong passwords (`policy.bans`): nothing, or 403. Calls that are up, and emergencies, pass.',
    ),
  warmUpCalls: z
    .int()
    .min(0)
    .max(100_000)
    .default(4_000)
    .describe('Calls that a new process places to itself before it is ready, so that real ones meet compiled code.'),
  leaseMs: durationMs(1_000, 60_000)
    .default(5_000)
    .describe("Length of the edge's membership lease; renewed at a third of it."),
  pathUnsupported: z
    .enum(['reject', 'accept'])
    .default('reject')
    .describe(
      'A REGISTER with a Path from a phone that does not say that it supports it (RFC 3327 §5.3): 420, or taken all the same.',
    ),
  keepAliveMs: durationMs(0, 3_600_000)
    .default(0)
    .describe(
      'Time between keep-alives that phones are asked for: Flow-Timer (RFC 5626) and the keep parameter (RFC 6223), in whole seconds; 0 leaves it to them.',
    ),
  natPing: z
    .strictObject({
      method: z
        .enum(['crlf', 'options', 'off'])
        .default('crlf')
        .describe(
          'What keeps UDP phones behind a NAT reachable: empty lines, OPTIONS requests that the phone answers, or nothing of ours.',
        ),
      intervalMs: durationMs(1_000, 600_000)
        .default(25_000)
        .describe('Time between two of them to a phone; each is up to a sixth late by chance.'),
      maxFailures: z
        .int()
        .min(0)
        .max(1_000)
        .default(0)
        .describe('OPTIONS without an answer in a row, after which the binding is removed; 0 never removes it.'),
    })
    .prefault({}),
  identityToUntrusted: z
    .enum(['keep', 'remove'])
    .default('keep')
    .describe(
      'P-Asserted-Identity toward targets outside the trust domain when the caller asks for no privacy (RFC 3325 §7).',
    ),
  historyInfo: z
    .enum(['onRequest', 'always', 'off'])
    .default('onRequest')
    .describe(
      'History-Info (RFC 7044) is written when the caller asks for it or the request has it, always, or never (it passes untouched).',
    ),
  diversion: z
    .enum(['onRetarget', 'off'])
    .default('onRetarget')
    .describe('Diversion (RFC 5806) is added when a call goes to another user than the one called, or never.'),
  viaMaddr: z
    .enum(['ignore', 'obey'])
    .default('ignore')
    .describe(
      'A numeric maddr in the Via of a UDP request: responses go there (RFC 3261 §18.2.2), or to where the request came from.',
    ),
  whenOverloaded: z
    .enum(['refuse', 'stateless'])
    .default('refuse')
    .describe('With a full transaction table: 503, or requests that leave no record pass without a transaction.'),
  reportDeadlineMs: durationMs(100, 30_000)
    .default(3_000)
    .describe('How long an answer, and the response to a BYE, wait to be on record.'),
  whenReportLate: z
    .enum(['open', 'closed'])
    .default('open')
    .describe('At that deadline: forward the answer, marked late, or end the callee and send 503.'),
})
