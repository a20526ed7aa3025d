// SPDX-License-Identifier: MIT
// A plain call (INVITE, 180, 200, ACK, BYE, 200 between two UDP phones, open profile) through an edge with location and policy in its process,
// without sockets: the edge of a built checkout, and what runs calls through it and says what they cost.
import { pathToFileURL } from 'node:url'

const BATCH = 20
const WARM_UP = 6_000
const ALICE = 5080
const BOB = 5070
const SDP = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n`

const headers = (text, name) => text.split('\r\n').filter((line) => line.startsWith(`${name}:`))
const message = (lines, body = '') => [...lines, `Content-Length: ${body.length}`, '', body].join('\r\n')

/** An edge of one checkout; `sent` collects what it sends. */
async function openEdge(root, onCore, openTracing) {
  const load = (path) => import(new URL(path, pathToFileURL(`${root}/`)).href)
  const [{ createEdgeCore }, { Receiver }, { Facing }, { UdpPeer }] = await Promise.all(
    ['wiring', 'receive', 'listeners/facing', 'listeners/peers'].map((name) => load(`services/edge/dist/${name}.js`)),
  )
  const [kit, rpc, store, resources] = await Promise.all(
    ['service-kit', 'rpc', 'store', 'resources'].map((name) => load(`packages/${name}/dist/index.js`)),
  )
  const [location, policy] = await Promise.all(
    ['location', 'policy'].map((name) => load(`services/${name}/dist/index.js`)),
  )
  const config = kit.loadConfig({ file: `${root}/bench/configs/open.yaml`, env: {} })
  const logger = kit.createLogger({ level: 'error', service: 'bench' })
  const memory = store.createMemoryStore({ now: () => performance.now() })
  const policyConfig = kit.policyConfig(config)
  const files = [...policyConfig.resources.files, ...policyConfig.resources.documents]
  const { set } = await resources.loadResources(files, { baseDir: root, env: {} })
  const locations = location.createLocationService({
    store: memory.location,
    config: kit.locationConfig(config),
    logger,
  })
  const policies = policy.createPolicyService({
    store: memory.policy,
    accounts: memory.accounts,
    config: policyConfig,
    resources: set,
    logger,
  })
  await locations.start()
  await policies.start?.()
  const facingOf = (transport, port, internal) =>
    new Facing({ transport, host: '127.0.0.1', port, edgeHash: 77, internal })
  const udpFacing = facingOf('udp', 5060, false)
  let sent = []
  const send = (buf, start, end, port) => sent.push({ text: buf.latin1Slice(start, end), port })
  const udp = { family: 4, address: '127.0.0.1', port: 5060, transport: 'udp', reliable: false, counters: {}, send }
  const listeners = {
    ...{ edgeId: 'edge-0.x', edgeHash: 77, udp, udpFacing, internalFacing: facingOf('tcp', 5150, true) },
    internalTcp: { connect() {}, find() {} },
    facings: () => [udpFacing],
    allUdp: () => [udp],
    allTcp: () => [],
  }
  const { tracing, tracerOf } = (await openTracing?.(load)) ?? {}
  const callerOf = (service, { handlers, pushes }, name) =>
    rpc.createInProcess(service, handlers, { peer: 'e', pushes, tracer: tracerOf?.(name) })
  const callers = {
    location: callerOf(rpc.locationService, locations, 'location'),
    policy: callerOf(rpc.policyService, policies, 'policy'),
  }
  const { core } = createEdgeCore({ config: kit.edgeConfig(config, 0), logger, ...callers, tracing }, listeners)
  await onCore?.(core, load, { udp: [udp], tcp: [] }, listeners)
  core.membership.start()
  const receiver = new Receiver(core)
  const feed = (buf, port) => {
    // As UdpSource does.
    udpFacing.tap?.see(false, udpFacing, buf, 0, buf.length, '127.0.0.1', port)
    receiver.receive(buf, 0, buf.length, {
      internal: false,
      peer: () => new UdpPeer(udp, udpFacing, '127.0.0.1', port),
    })
  }
  const take = () => {
    const taken = sent
    sent = []
    return taken
  }
  return { core, feed, take }
}

const invite = (n) =>
  message(
    [
      'INVITE sip:bob@127.0.0.1:5060 SIP/2.0',
      `Via: SIP/2.0/UDP 127.0.0.1:${ALICE};branch=z9hG4bK-${n}-0`,
      'Max-Forwards: 70',
      `From: "Alice" <sip:alice@127.0.0.1>;tag=a${n}`,
      'To: <sip:bob@127.0.0.1:5060>',
      `Call-ID: ${n}-1234@127.0.0.1`,
      'CSeq: 1 INVITE',
      `Contact: <sip:alice@127.0.0.1:${ALICE}>`,
      'User-Agent: bench',
      'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS',
      'Supported: replaces, timer',
      'Content-Type: application/sdp',
    ],
    SDP,
  )

const REGISTER = message([
  'REGISTER sip:127.0.0.1:5060 SIP/2.0',
  'Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-r1',
  'From: <sip:bob@127.0.0.1>;tag=1',
  'To: <sip:bob@127.0.0.1>',
  'Call-ID: r1',
  'CSeq: 1 REGISTER',
  `Contact: <sip:bob@127.0.0.1:${BOB}>;expires=3600`,
])

const isAnswer = (text, cseq) => text.startsWith('SIP/2.0 200') && headers(text, 'CSeq')[0] === `CSeq: ${cseq}`

/** What a phone says to a message that it got: bytes and its port. */
function answersTo({ text, port }) {
  const same = ['Via', 'Record-Route', 'From', 'Call-ID', 'CSeq'].flatMap((name) => headers(text, name))
  const [to = ''] = headers(text, 'To')
  if (port === BOB && text.startsWith('INVITE')) {
    const lines = [...same, `${to};tag=b`, `Contact: <sip:127.0.0.1:${BOB};transport=UDP>`]
    return [
      [message(['SIP/2.0 180 Ringing', ...lines]), BOB],
      [message(['SIP/2.0 200 OK', ...lines], SDP), BOB],
    ]
  }
  if (port === BOB && text.startsWith('BYE')) return [[message(['SIP/2.0 200 OK', ...same, to]), BOB]]
  if (port !== ALICE || !isAnswer(text, '1 INVITE')) return []
  const routes = headers(text, 'Record-Route').map((line) => line.replace('Record-Route', 'Route'))
  const dialog = [...routes, 'Max-Forwards: 70', ...headers(text, 'From'), to, ...headers(text, 'Call-ID')]
  const inside = (method, cseq) =>
    message([
      `${method} sip:127.0.0.1:${BOB};transport=UDP SIP/2.0`,
      `${headers(text, 'Via')[0].replace(/-0\b/, `-${method}`)}`,
      ...dialog,
      `CSeq: ${cseq} ${method}`,
    ])
  return [
    [inside('ACK', 1), ALICE],
    [inside('BYE', 2), ALICE],
  ]
}

/** Makes the function that runs calls and says how many µs each took, and how many came to their end. */
function caller({ core, feed, take }) {
  let spentUs = 0
  let serial = 0
  const timed = (work) => {
    const before = process.threadCpuUsage()
    const result = work()
    const settle = () => {
      const { user, system } = process.threadCpuUsage(before)
      spentUs += user + system
    }
    return result instanceof Promise ? result.then(settle) : settle()
  }
  const feedAll = (list) => {
    const buffers = list.map(([text, port]) => [Buffer.from(text, 'latin1'), port])
    timed(() => {
      for (const [buf, port] of buffers) feed(buf, port)
    })
  }
  const settled = () => timed(() => new Promise((resolve) => setImmediate(resolve)))
  const batch = async () => {
    let ended = 0
    feedAll(Array.from({ length: BATCH }, () => [invite(serial++), ALICE]))
    for (let turn = 0, idle = 0; turn < 60 && idle < 4; turn += 1) {
      await settled()
      const got = take()
      idle = got.length === 0 ? idle + 1 : 0
      ended += got.filter(({ text, port }) => port === ALICE && isAnswer(text, '2 BYE')).length
      feedAll(got.flatMap(answersTo))
    }
    timed(() => {
      core.layer.tick(core.now())
      core.proxy.tick(core.now())
    })
    return ended
  }
  return async (calls) => {
    spentUs = 0
    let ended = 0
    for (let k = 0; k < calls; k += BATCH) ended += await batch()
    if (ended < calls) throw new Error(`${calls - ended} of ${calls} calls did not end`)
    return spentUs / calls
  }
}

/**
 * @param root folder of the checkout
 * @param onCore may change the edge before its first message; it gets what loads modules of the checkout, and the edge's sockets
 * @param openTracing makes what the edge and the services trace with, where they do
 * @returns a function that runs so many calls and says how many µs of CPU each took
 */
export async function plainCalls(root, onCore, openTracing) {
  const edge = await openEdge(root, onCore, openTracing)
  await new Promise((resolve) => setTimeout(resolve, 100))
  edge.feed(Buffer.from(REGISTER, 'latin1'), BOB)
  await new Promise((resolve) => setTimeout(resolve, 100))
  edge.take()
  const run = caller(edge)
  await run(WARM_UP)
  return run
}

/** Runs calls in each child in turn; µs a call, by child and round. Each child answers the number of calls with that. */
export async function inTurn(children, rounds, calls) {
  const next = (child) => new Promise((resolve) => child.once('message', resolve))
  await Promise.all(children.map(next))
  const us = children.map(() => [])
  for (let round = 0; round < rounds; round += 1) {
    const order = children.map((_, k) => k)
    for (const k of round % 2 === 0 ? order : order.reverse()) {
      children[k].send(calls)
      us[k].push(await next(children[k]))
    }
  }
  for (const child of children) child.kill()
  return us
}
