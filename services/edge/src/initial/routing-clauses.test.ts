// SPDX-License-Identifier: MIT
// Clauses of RFC 3261 §16.4 to 16.7, RFC 3263 §4 and RFC 5393 §5 that decide where a request goes: strict routers before and
// behind the edge, maddr, the target set, the next of several servers, Max-Breadth, 3xx that are followed, size.
import type { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { StreamPeer } from '../listeners/peers.ts'
import {
  ALICE,
  BOB,
  bindingOf,
  EDGE_ADDRESS,
  EdgeBench,
  namesOf,
  requestText,
  responseTo,
  stepOf,
  targetOf,
  valuesOf,
} from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const DOWN = `udp ${BOB}:5060`
const BOB_URI = `sip:bob@${BOB}`
const CAROL = '192.0.2.31'
const CAROL_URI = `sip:carol@${CAROL}`

const startOf = (text: string): string => text.split('\r\n')[0] as string
/** Requests that left, with where they went. */
const left = (): string[] => bench.take().filter((word) => !/^\d/.test(word))

/** A request with this plan, an INVITE's entry in the directory made. */
const planned = (
  steps: readonly (readonly string[])[],
  options: {
    method?: string
    plan?: Partial<policy.Plan>
    headers?: string[]
    uri?: string
    names?: Record<string, string[]>
  } = {},
): void => {
  const { method = 'MESSAGE', plan = {}, headers = [], uri } = options
  bench = new EdgeBench({}, 'edge-0.test', namesOf(options.names ?? {}))
  bench.udpIn(requestText({ method, headers, ...(uri !== undefined && { uri }) }))
  bench.plan(steps, plan)
  if (method === 'INVITE') bench.begin()
}

/** The callee answers the request that went there last. */
const answer = (status: number, address = BOB, headers: string[] = [], method = 'MESSAGE'): void => {
  const sent = bench.sent.findLast(({ text, to }) => text.startsWith(method) && to.includes(address))
  if (sent === undefined) throw new Error(`nothing went to ${address}`)
  bench.udpIn(responseTo(sent.text, status, 'bob', headers), address)
}

/** Turns of the event loop, for what waits for names. */
const settle = async (): Promise<void> => {
  for (let k = 0; k < 5; k += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('a strict router before us', () => {
  const recordRoute = (): string => {
    planned([[BOB_URI]], { method: 'INVITE' })
    answer(200, BOB, [`Contact: <${BOB_URI};line=1>`], 'INVITE')
    bench.take()
    return /<([^>]+)>/.exec(valuesOf(bench.last('INVITE'), 'Record-Route')[0] as string)?.[1] as string
  }
  const bye = (headers: string[], uri: string, method = 'BYE'): string =>
    requestText({ method, uri, branch: 'z9hG4bK-bye', toTag: 'bob', cseq: 2, headers })

  test('MUST be undone: the last Route is the Request-URI again, and leaves the Route [RFC3261-16.4abc]', () => {
    const ours = recordRoute()
    bench.udpIn(bye([`Route: <sip:${CAROL};lr>, <${BOB_URI};line=1>`], ours))
    const sent = bench.sent.at(-1)?.text ?? ''
    expect(startOf(bench.last('BYE'))).toBe(`BYE ${BOB_URI};line=1 SIP/2.0`)
    expect(valuesOf(sent, 'Route')).toEqual([`<sip:${CAROL};lr>`])
  })

  test('MUST go on as if the request had come so: by its Request-URI, with nothing asked [RFC3261-16.4c]', () => {
    const ours = recordRoute()
    bench.udpIn(bye([`Route: <${BOB_URI};line=1>`], ours))
    expect(bench.take()).toEqual([`BYE → ${DOWN}`])
    expect(valuesOf(bench.last('BYE'), 'Route')).toEqual([])
    expect(bench.policy.waiting()).toEqual([])
  })

  test('a Request-URI that pretends to be our Record-Route is refused', () => {
    recordRoute()
    bench.udpIn(bye([`Route: <${BOB_URI}>`], `sip:AAAA@${EDGE_ADDRESS}:5060;lr`))
    expect(bench.take()).toEqual([`403 → ${UP}`])
  })
})

describe('maddr in the Request-URI', () => {
  test.each([
    `sip:bob@example.test;maddr=${EDGE_ADDRESS}`,
    `sip:bob@example.test:5060;maddr=${EDGE_ADDRESS};transport=udp`,
  ])('MUST be taken away where it is ours, with port and transport: %s [RFC3261-16.4de]', (uri) => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE', uri }))
    expect(bench.policy.items[0]?.request).toMatchObject({ requestUri: 'sip:bob@example.test' })
  })

  test('of somebody else stays, and the Request-URI is the only target [RFC3261-16.4d] [RFC3261-16.5a]', () => {
    const uri = `sip:bob@elsewhere.test;maddr=${CAROL}`
    planned([[uri]], { uri })
    expect(left()).toEqual([`MESSAGE → udp ${CAROL}:5060`])
    expect(startOf(bench.last('MESSAGE'))).toBe(`MESSAGE ${uri} SIP/2.0`)
  })
})

describe('a strict router behind us', () => {
  const strict = (): string => {
    planned([[BOB_URI]], { method: 'INVITE' })
    answer(200, BOB, [`Contact: <${BOB_URI}>`], 'INVITE')
    const route = valuesOf(bench.last('INVITE'), 'Record-Route')[0]
    const headers = [`Route: ${route}, <sip:${CAROL}:5070;old>, <sip:next.test;lr>`]
    bench.take()
    bench.udpIn(requestText({ method: 'BYE', uri: BOB_URI, branch: 'z9hG4bK-bye', toTag: 'bob', cseq: 2, headers }))
    return bench.last('BYE')
  }

  test('MUST find itself in the Request-URI, and the Request-URI at the end of the Route [RFC3261-16.6.6fgh]', () => {
    const sent = strict()
    expect(startOf(sent)).toBe(`BYE sip:${CAROL}:5070;old SIP/2.0`)
    expect(valuesOf(sent, 'Route').join(', ')).toBe(`<sip:next.test;lr>, <${BOB_URI}>`)
  })

  test('MUST be where the request is sent [RFC3261-16.6.7c]', () => {
    strict()
    expect(bench.take()).toEqual([`BYE → udp ${CAROL}:5070`])
  })
})

describe('the next hop', () => {
  test('is never fixed beside the Route: what we put before a request is a Route with lr [RFC3261-16.6.6abd] [RFC3261-16.6.7ab]', () => {
    planned([], { plan: { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: 'sip:bob@example.test' })] })] } })
    const path = [`<sip:${CAROL};lr>`, '<sip:inner.test;lr>']
    bench.location.take('locate').answer({ bindings: [{ ...bindingOf(BOB_URI), path }], version: 1n })
    expect(left()).toEqual([`MESSAGE → udp ${CAROL}:5060`])
    expect(startOf(bench.last('MESSAGE'))).toBe(`MESSAGE ${BOB_URI} SIP/2.0`)
    expect(valuesOf(bench.last('MESSAGE'), 'Route').join(', ')).toBe(path.join(', '))
  })

  test('is the next server of the host where one does not answer: a new branch each [RFC3261-16.6.7fgh] [RFC3263-4.3] [RFC3263-4.2ab] [RFC3261-21.5.4a]', async () => {
    planned([['sip:bob@pbx.test:5060']], { names: { 'pbx.test': ['192.0.2.41', '192.0.2.42', '192.0.2.43'] } })
    await settle()
    expect(left()).toEqual(['MESSAGE → udp 192.0.2.41:5060'])
    answer(503, '192.0.2.41')
    expect(left()).toEqual(['MESSAGE → udp 192.0.2.42:5060'])
    bench.take()
    bench.advance(32_100)
    expect(bench.sent.at(-1)?.to).toBe('udp 192.0.2.43:5060')
    const branches = bench.sent
      .filter(({ text }) => text.startsWith('MESSAGE'))
      .map(({ text }) => /branch=([^;]+)/.exec(text)?.[1])
    expect(new Set(branches).size).toBe(3)
    answer(200, '192.0.2.43')
    expect(bench.take().at(-1)).toBe(`200 → ${UP}`)
  })

  test('stays the same for what belongs to one transaction [RFC3263-4a]', async () => {
    planned([['sip:bob@pbx.test:5060']], { names: { 'pbx.test': ['192.0.2.41', '192.0.2.42'] } })
    await settle()
    bench.advance(3_000)
    expect(new Set(left())).toEqual(new Set(['MESSAGE → udp 192.0.2.41:5060']))
  })
})

describe('the target set', () => {
  test.each([
    ['written in another way', `SIP:bob@${BOB};transport=UDP`, `sip:bob@${BOB};transport=udp`],
    ['just the same', BOB_URI, BOB_URI],
  ])('MUST NOT have a URI twice, %s [RFC3261-16.5f]', (_name, first, second) => {
    planned([[first, second]])
    expect(left()).toHaveLength(1)
  })

  test('MUST NOT get one again that has been tried [RFC3261-16.5j]', () => {
    planned([[BOB_URI], [BOB_URI, CAROL_URI]])
    answer(404)
    expect(left()).toEqual([`MESSAGE → ${DOWN}`, `MESSAGE → udp ${CAROL}:5060`])
  })

  test('MUST NOT grow by the Contacts of a 3xx where the URI is not ours to change [RFC3261-16.5g] [RFC3261-16.5b]', () => {
    planned([[BOB_URI]], { uri: BOB_URI, plan: { maxRecursions: 5 } })
    answer(302, BOB, [`Contact: <${CAROL_URI}>`])
    expect(left()).toEqual([`MESSAGE → ${DOWN}`])
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual([`<${CAROL_URI}>`])
  })

  test('nothing to be found: an error, and that is 480 [RFC3261-16.5lm]', () => {
    planned([])
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })
})

describe('a 3xx that is followed', () => {
  const redirected = (contacts: string[], uri = 'sip:bob@example.test'): void => {
    planned([[BOB_URI]], { uri, plan: { maxRecursions: 5 } })
    bench.take()
    answer(
      302,
      BOB,
      contacts.map((contact) => `Contact: ${contact}`),
    )
  }

  test('MUST lose the Contacts that were tried before it goes up [RFC3261-16.7.4a]', () => {
    redirected([`<${CAROL_URI}>`, '<tel:+49301234>'])
    expect(left()).toEqual([`MESSAGE → udp ${CAROL}:5060`])
    answer(500, CAROL)
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual(['<tel:+49301234>'])
  })

  test('SHOULD NOT count where all of them were [RFC3261-16.7.4c]', () => {
    redirected([`<${CAROL_URI}>`])
    answer(486, CAROL)
    expect(bench.take().at(-1)).toBe(`486 → ${UP}`)
  })

  test('MUST NOT lead to a URI that was tried: no endless way [RFC3261-16.5j]', () => {
    redirected([`<${CAROL_URI}>`])
    answer(302, CAROL, [`Contact: <${BOB_URI}>`])
    expect(left()).toEqual([`MESSAGE → udp ${CAROL}:5060`])
  })
})

describe('Max-Breadth', () => {
  const MANY = Array.from({ length: 4 }, (_, k) => `sip:b${k}@192.0.2.${60 + k}`)
  const breadths = (): number[] =>
    bench.sent
      .filter(({ text }) => text.startsWith('MESSAGE'))
      .map(({ text }) => Number(valuesOf(text, 'Max-Breadth')[0]))

  test('MUST be there in what leaves, 60 where none came [RFC5393-5.3.3abg]', () => {
    planned([[BOB_URI]])
    expect(valuesOf(bench.last('MESSAGE'), 'Max-Breadth')).toEqual(['60'])
  })

  test.each([
    ['200', '60'],
    ['61', '60'],
    ['60', '60'],
    ['7', '7'],
    ['1', '1'],
  ])(
    '%s MUST leave as %s: no more than 60, else all of it, nothing off for the hop [RFC5393-5.3.3cdefjk]',
    (came, leaves) => {
      planned([[BOB_URI]], { headers: [`Max-Breadth: ${came}`] })
      expect(valuesOf(bench.last('MESSAGE'), 'Max-Breadth')).toEqual([leaves])
    },
  )

  test('MUST NOT be more in all branches than came in [RFC5393-5.3.3hj]', () => {
    planned([MANY], { headers: ['Max-Breadth: 10'] })
    expect(breadths()).toEqual([3, 3, 2, 2])
  })

  test('too small for all at once: they go as there is room, with what the failed ones had [RFC5393-5.3.3h] [RFC5393-5.3.3.1]', () => {
    planned([MANY], { headers: ['Max-Breadth: 2'] })
    expect(breadths()).toEqual([1, 1])
    answer(404, '192.0.2.60')
    answer(404, '192.0.2.61')
    expect(breadths()).toEqual([1, 1, 1, 1])
  })

  test('of nothing MUST be answered 440 [RFC5393-5.3.3i]', () => {
    planned([MANY], { headers: ['Max-Breadth: 0'] })
    expect(bench.take()).toEqual([`440 → ${UP}`])
  })
})

describe('a request of more than 1,300 bytes', () => {
  const LARGE = [`X-Large: ${'x'.repeat(1_200)}`]

  test('MUST go over TCP, and say so in its Via [RFC3261-18.1.1ab] [RFC3428-8a]', () => {
    planned([[BOB_URI]], { headers: LARGE })
    expect(left()).toEqual(['MESSAGE → tcp 1'])
    expect(valuesOf(bench.last('MESSAGE'), 'Via')[0]).toMatch(/^SIP\/2\.0\/TCP /)
  })

  test('a smaller one stays with UDP [RFC3261-18.1.1a]', () => {
    planned([[BOB_URI]], { headers: ['X-Small: x'] })
    expect(left()).toEqual([`MESSAGE → ${DOWN}`])
  })

  test('SHOULD go over UDP after all where TCP is refused [RFC3261-18.1.1d]', () => {
    planned([[BOB_URI]], { headers: LARGE })
    const peer = bench.tcp.find(1)?.context
    if (!(peer instanceof StreamPeer)) throw new Error('no connection')
    bench.take()
    for (const tx of [...peer.clients]) bench.core.layer.transportError(tx)
    bench.advance(100)
    expect(left()).toEqual([`MESSAGE → ${DOWN}`])
    expect(valuesOf(bench.last('MESSAGE'), 'Via')[0]).toMatch(/^SIP\/2\.0\/UDP /)
  })
})

describe('SIPS', () => {
  const SIPS = 'sips:bob@example.test'
  const overFlow = (contact: string, transport = 'tls', uri = SIPS, regId = 0): void => {
    bench = new EdgeBench()
    const phone = bench.tcp.connect(BOB, 40_000)
    phone.transport = transport
    bench.udpIn(requestText({ uri }))
    bench.plan([], { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: SIPS })] })] })
    const flow = { transport, edgeId: bench.core.edgeId, flowId: phone.id }
    const binding = { ...bindingOf(contact, flow), regId }
    bench.location.take('locate').answer({ bindings: [binding], version: 1n })
    if (bench.location.waiting().includes('beginCall')) bench.begin()
  }

  test.each(['tcp', 'ws'])(
    'MUST NOT go down a connection without TLS: %s [RFC3261-16.6.6e] [RFC3261-16.6.7e] [RFC3261-26.2.2c] [RFC7118-9.2]',
    (transport) => {
      overFlow(`sips:bob@${BOB}`, transport)
      expect(bench.take()).toEqual([`480 → ${UP}`])
    },
  )

  test('MUST NOT go to an address without TLS [RFC3261-16.6.6e] [RFC3261-16.6.7e] [RFC3261-26.3.1d] [RFC3261-8.1.1.2b]', () => {
    planned([[`sips:bob@${BOB}`]], { uri: SIPS })
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })

  test('MUST be recorded with a SIPS Route, though it did not come over TLS [RFC3261-16.6.4gh]', () => {
    overFlow(`sips:bob@${BOB}`)
    for (const value of valuesOf(bench.last('INVITE'), 'Record-Route')) expect(value).toMatch(/^<sips:/)
  })

  test('MUST NOT go to a contact that was registered as sip, though that be there over TLS: 480, which says why [RFC5630-5.3abc]', () => {
    overFlow(BOB_URI)
    expect(bench.take()).toEqual([`480 → ${UP}`])
    expect(valuesOf(bench.last('480'), 'Warning')).toEqual([expect.stringMatching(/^380 \S+ "SIPS Not Allowed"$/)])
  })

  test('is not asked for by a sip request: it reaches a sips contact as sip, over TLS [RFC5630-5.3def]', () => {
    overFlow(`sips:bob@${BOB};x=1`, 'tls', 'sip:bob@example.test')
    expect(bench.take()).toEqual([`100 → ${UP}`, 'INVITE → tcp 1'])
    expect(bench.last('INVITE')).toMatch(new RegExp(`^INVITE sip:bob@${BOB};x=1 SIP/2.0\r\n`))
  })

  test.each([0, 1])('of a contact keeps a sip request within TLS too, reg-id %i [RFC5630-5.3e]', (regId) => {
    overFlow(`sips:bob@${BOB}`, 'tcp', 'sip:bob@example.test', regId)
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })

  test('SHOULD NOT lead to a Contact that is not SIPS [RFC3261-16.7.4b] [RFC5630-5.3ij]', () => {
    overFlow(`sips:bob@${BOB}`)
    const phone = bench.tcp.find(1)
    if (phone === undefined) throw new Error('no connection')
    bench.take()
    bench.tcpIn(responseTo(bench.last('INVITE'), 302, 'bob', [`Contact: <${CAROL_URI}>`]), phone)
    expect(left().filter((word) => word.startsWith('INVITE'))).toEqual([])
  })
})
