// SPDX-License-Identifier: MIT
//
// The one schema of the cluster file. Types, validation, environment names, docs/configuration.md and Helm's JSON schema
// are all derived from it [DESIGN §3.13]. Closed: unknown keys are refused. Durations end in Ms, sizes in Bytes.
// It holds no setting that nothing reads; a new setting arrives with the code that reads it.
import { z } from 'zod'

const port = () => z.int().min(0).max(65_535)
const durationMs = (minimum = 0, maximum = 86_400_000) => z.int().min(minimum).max(maximum)
const address = () => z.string().min(1)
/** `host`, `host:port` or `[IPv6]:port`; empty for none. */
const PLACE = /^(?:|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?|[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,}|[A-Za-z0-9.-]+(?::\d{1,5})?)$/
const place = (what: string) =>
  z
    .string()
    .regex(PLACE, 'expected host, host:port or [IPv6]:port')
    .default('')
    .describe(`${what} Empty: \`edge.advertisedAddress\`, at the port that is bound.`)
const maybeIp = () => z.union([z.literal(''), z.ipv4(), z.ipv6()])

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

const cluster = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'expected 1 to 32 lower-case letters, digits or dashes')
    .default('tandem')
    .describe('Name of the cluster; a label of its metrics.'),
  processes: z
    .enum(['single', 'many'])
    .default('single')
    .describe('`tandem up` runs all parts in one process, or one process per service and edge with gRPC between them.'),
  secrets: z
    .array(
      z.strictObject({
        id: z.int().min(0).max(255).describe('Key id, carried by branches, tokens and nonces.'),
        secret: z.string().min(16).describe('At least 16 characters; the same on every node.'),
      }),
    )
    .min(1)
    .max(8)
    .refine((keys) => new Set(keys.map((key) => key.id)).size === keys.length, 'expected distinct key ids')
    .describe(
      'Key ring for branches, Record-Route tokens and nonces. The first key signs, all verify. `tandem up` without any makes one for its run.',
    ),
})

const logging = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level that is logged; lines are JSON on standard error.'),
})

const shutdown = z.strictObject({
  drainMs: durationMs().default(10_000).describe('How long a stopping process waits for calls in set-up to finish.'),
})

const store = z.strictObject({
  url: z
    .string()
    .regex(
      /^(memory|(redis|rediss|redis-sentinel|redis-cluster):\/\/.+)$/,
      'expected memory or a redis://, rediss://, redis-sentinel:// or redis-cluster:// URL',
    )
    .default('memory')
    .describe('Where state is kept. `memory` is the embedded store: it ends with its process.'),
  durability: z
    .enum(['async', 'replica', 'fsync'])
    .default('async')
    .describe('What acknowledged means: written to the master, to replicas too, or synced to disk (Redis ≥ 7.2).'),
  replicas: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe(
      'Replicas that must have a write where `store.durability` is `replica`. As many as may become master, for none of them to lack it.',
    ),
  connectTimeoutMs: durationMs(1)
    .default(2_000)
    .describe('Time for one connection attempt; then the next, with backoff.'),
  commandTimeoutMs: durationMs(1).default(1_000).describe('Time for a command; after it the outcome is unknown.'),
  maxInFlight: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe('Operations of one process on their way to Redis; more are refused (503) until some have answered.'),
  tls: z
    .strictObject({
      caFile: z
        .string()
        .default('')
        .describe(
          'PEM of the authorities that Redis is verified against, where the URL asks for TLS; empty for those that come with Node. Relative to the working directory, as the other two.',
        ),
      certFile: z.string().default('').describe('PEM: the certificate shown to Redis; empty for none.'),
      keyFile: z.string().default('').describe('PEM: its private key.'),
      serverName: z
        .string()
        .default('')
        .describe(
          'Name that every certificate of Redis is verified for; empty: the host connected to. For nodes of a cluster that announce addresses.',
        ),
    })
    .prefault({}),
})

const edge = z.strictObject({
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
  listeners: z
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
    .prefault({}),
  udp: z
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
    .prefault({}),
  sctp: z
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
    .prefault({}),
  tls: z
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
    .prefault({}),
  webSocket: z
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
      pongTimeoutMs: durationMs(100)
        .default(10_000)
        .describe('Time for its answer; after it the connection is closed.'),
      authorize: webSocketAuthorize,
    })
    .prefault({}),
  proxyProtocol: z
    .strictObject({
      sources: z
        .array(z.union([z.cidrv4(), z.cidrv6()]))
        .max(1_000)
        .default([])
        .describe(
          'Networks of load balancers, e.g. `10.0.0.0/8`: their TCP, TLS and WebSocket connections must begin with a PROXY header, version 2. From anybody else such a header closes the connection.',
        ),
    })
    .prefault({}),
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
  limits: z
    .strictObject({
      maxTransactions: z
        .int()
        .min(100)
        .default(500_000)
        .describe('Transactions held at once; beyond it new requests get 503.'),
      maxPendingRequests: z
        .int()
        .min(10)
        .default(20_000)
        .describe('Requests that wait for policy or location; beyond it 503.'),
      maxTargets: z
        .int()
        .min(1)
        .max(128)
        .default(32)
        .describe('Branches of one request over its whole life: targets, failovers and followed redirects.'),
      maxConnections: z.int().min(1).default(50_000).describe('TCP, TLS and WebSocket connections held at once.'),
      maxConnectionsPerAddress: z
        .int()
        .min(1)
        .default(1_000)
        .describe('Such connections from one IPv4 address or IPv6 /64.'),
      connectionIdleMs: durationMs(1_000)
        .default(1_800_000)
        .describe('A connection without traffic for this long is closed.'),
      maxQueuedBytes: z
        .int()
        .min(65_536)
        .default(1_048_576)
        .describe('Bytes that wait to be written to one connection; a reader that is slower loses it.'),
      partialMessageMs: durationMs(100)
        .default(16_000)
        .describe('Time in which a message that has begun must be whole.'),
      handshakeMs: durationMs(100)
        .default(10_000)
        .describe('Time from an accepted connection to SIP: PROXY header, TLS and WebSocket together.'),
      maxHandshakes: z
        .int()
        .min(1)
        .default(1_000)
        .describe('Connections that are on this way at once; beyond it refused.'),
      maxHandshakesPerAddress: z
        .int()
        .min(1)
        .default(250)
        .describe('The same from one IPv4 address or IPv6 /64, so that one source does not keep all others out.'),
      handshakesPerSecond: z
        .int()
        .min(1)
        .default(250)
        .describe('TLS handshakes begun in a second; others wait, so that those who are connected need not.'),
      maxRequestsPerSource: z
        .int()
        .min(0)
        .default(0)
        .describe('Initial requests a second from one source address; 0 for no limit.'),
    })
    .prefault({}),
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

const location = z.strictObject({
  bindAddress: address().default('127.0.0.1').describe('IP address of gRPC and HTTP.'),
  grpcPort: port().default(50_051).describe('gRPC port.'),
  httpPort: port().default(9_564).describe('HTTP port (`/metrics`, `/healthz`, `/readyz`).'),
  address: z
    .string()
    .default('')
    .describe('host:port where edges and tools reach it; empty means 127.0.0.1 and the gRPC port.'),
  minExpiresMs: durationMs(1_000).default(60_000).describe('Shortest registration that is taken; below it 423.'),
  defaultExpiresMs: durationMs(1_000).default(3_600_000).describe('Length of a registration that names none.'),
  maxExpiresMs: durationMs(1_000, 604_800_000)
    .default(86_400_000)
    .describe('Longest registration; a longer wish is cut.'),
  maxContacts: z.int().min(1).max(100).default(10).describe('Contacts of one address-of-record.'),
  maxSubscriptions: z
    .int()
    .min(1)
    .max(64)
    .default(16)
    .describe('Watchers of the registrations of one address-of-record; beyond it 403.'),
  notifyIntervalMs: durationMs(0, 3_600_000)
    .default(5_000)
    .describe('Shortest time between two NOTIFYs to a watcher; what changes meanwhile goes into one.'),
})

const policy = z.strictObject({
  bindAddress: address().default('127.0.0.1').describe('IP address of gRPC and HTTP.'),
  grpcPort: port().default(50_052).describe('gRPC port.'),
  httpPort: port().default(9_565).describe('HTTP port (`/metrics`, `/healthz`, `/readyz`).'),
  address: z
    .string()
    .default('')
    .describe('host:port where edges, records and tools reach it; empty means 127.0.0.1 and the gRPC port.'),
  authentication: z
    .enum(['digest', 'off'])
    .default('digest')
    .describe('`off` takes everybody for whom From says: for benchmarks and closed networks.'),
  accounting: z
    .boolean()
    .default(true)
    .describe('Whether calls leave a record, and an answer waits until it is on record.'),
  nonceLifetimeMs: durationMs(1_000).default(300_000).describe('Age at which a nonce is stale.'),
  challengeOrder: z
    .array(z.enum(['SHA-256', 'MD5']))
    .min(1)
    .max(2)
    .default(['SHA-256', 'MD5'])
    .describe('Digest algorithms that are offered, in this order (RFC 8760 §2.2).'),
  mintKeepMs: durationMs(1_000)
    .default(64_000)
    .describe("How long the decision on an INVITE's transaction is kept for its retransmissions."),
  setupDeadlineMs: durationMs(10_000)
    .default(600_000)
    .describe('A call that is neither answered nor ended by then gets its record as an error.'),
})

const records = z.strictObject({
  bindAddress: address().default('127.0.0.1').describe('IP address of HTTP.'),
  httpPort: port().default(9_566).describe('HTTP port (`/metrics`, `/healthz`, `/readyz`, `/records`).'),
  file: z
    .string()
    .min(1)
    .default('data/cdr.ndjson')
    .describe(
      'File that finished call records are appended to, one JSON object a line; relative to the working directory.',
    ),
  window: z.int().min(1).max(4_096).default(256).describe('Records in flight without acknowledgement.'),
})

const rpc = z.strictObject({
  batchWindowMs: z.number().min(0).max(2).default(1).describe('Longest wait of an item for its batch.'),
  maxBatchItems: z.int().min(1).max(1_024).default(64).describe('Items at which a batch is sent at once.'),
  timeoutMs: durationMs(10, 30_000)
    .default(2_000)
    .describe('Time for a request to a service; after it the outcome is unknown.'),
  maxPendingItems: z
    .int()
    .min(64)
    .default(20_000)
    .describe('Items in flight to one service; beyond it they are refused at once.'),
})

const resources = z.strictObject({
  files: z
    .array(z.string().min(1))
    .default([])
    .describe('Files or folders of resource documents, relative to this file.'),
  documents: z
    .array(z.record(z.string(), z.unknown()))
    .default([])
    .describe(
      'Resource documents inline. Further YAML documents of this file (those with a `kind`) are added to them.',
    ),
})

/** The closed schema of the cluster file, after defaults. */
export const configSchema = z
  .strictObject({
    cluster: cluster.describe('The cluster as a whole.'),
    logging: logging.prefault({}).describe('Logs.'),
    shutdown: shutdown.prefault({}).describe('Stopping.'),
    store: store.prefault({}).describe('The store behind location and policy.'),
    edge: edge.prefault({}).describe('The SIP edges.'),
    location: location.prefault({}).describe('The location service.'),
    policy: policy.prefault({}).describe('The policy service.'),
    records: records.prefault({}).describe('The records service.'),
    rpc: rpc.prefault({}).describe('Requests of edges to location and policy.'),
    resources: resources.prefault({}).describe('Domains, subscribers and the other declarative resources.'),
  })
  .superRefine((config, context) => {
    const { minExpiresMs, defaultExpiresMs, maxExpiresMs } = config.location
    if (minExpiresMs > defaultExpiresMs)
      context.addIssue({
        code: 'custom',
        path: ['location', 'minExpiresMs'],
        message: 'expected at most location.defaultExpiresMs',
      })
    if (defaultExpiresMs > maxExpiresMs)
      context.addIssue({
        code: 'custom',
        path: ['location', 'defaultExpiresMs'],
        message: 'expected at most location.maxExpiresMs',
      })
    const { keepAliveMs, limits } = config.edge
    if (keepAliveMs >= limits.connectionIdleMs)
      context.addIssue({
        code: 'custom',
        path: ['edge', 'keepAliveMs'],
        message: 'expected less than edge.limits.connectionIdleMs, after which a silent connection is closed',
      })
    const isAlone = config.edge.count === 1 || config.edge.sharedAddress
    for (const [name, text] of Object.entries(config.edge.advertised))
      if (!isAlone && /(?:^[^:]*|\]):\d+$/.test(text))
        context.addIssue({
          code: 'custom',
          path: ['edge', 'advertised', name],
          message: 'expected no port: several edges with addresses of their own can not all have it',
        })
    const { method, maxFailures } = config.edge.natPing
    if (maxFailures > 0 && method !== 'options')
      context.addIssue({
        code: 'custom',
        path: ['edge', 'natPing', 'maxFailures'],
        message: 'expected 0 unless edge.natPing.method is options: nothing else is answered',
      })
    const last = config.edge.basePort + 100 * (config.edge.count - 1) + 90
    if (last > 65_535 && config.edge.basePort <= 65_535)
      context.addIssue({
        code: 'custom',
        path: ['edge', 'basePort'],
        message: `expected a port that leaves room for ${config.edge.count} edges (the last listener would be at ${last})`,
      })
  })

/** The whole configuration, validated and frozen. */
export type Config = Readonly<z.output<typeof configSchema>> & {
  /** Folder of the cluster file, else the working directory: relative paths of resources start here. */
  readonly baseDir: string
}
