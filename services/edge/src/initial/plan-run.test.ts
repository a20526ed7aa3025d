// SPDX-License-Identifier: MIT
// How a plan is carried out: which targets ring together and which after one another, where a failed branch goes on, and what bounds it.
// Does not test: what came before (initial-request.test.ts), followed redirects (recursion.test.ts), the proxy's own rules.
import { type location, policy, unknown } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import {
  ALICE,
  BOB,
  bindingOf,
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

const { BY_Q, SERIAL } = policy.Step_Forking
const UP = `udp ${ALICE}:5060`
const at = (host: number): string => `192.0.2.${host}`
const uriOf = (host: number, user = 'bob'): string => `sip:${user}@${at(host)}`
const to = (...hosts: number[]): string[] => hosts.map((host) => `INVITE → udp ${at(host)}:5060`)

const GATEWAY = { 'gw.test': [at(31), at(32), at(33)] }
/** Lets what waits for DNS go on. */
const resolved = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const invited = (options: Parameters<typeof requestText>[0] = {}, settings = {}): void => {
  bench = new EdgeBench(settings, 'edge-0.test', namesOf(GATEWAY))
  bench.udpIn(requestText(options))
}

/** One step of URIs with their q. */
const uriStep = (qs: Readonly<Record<number, number>>, extra: Partial<policy.Step> = {}): policy.Step =>
  stepOf({
    targets: Object.entries(qs).map(([host, qMilli]) =>
      targetOf({ $case: 'uri', value: uriOf(Number(host)) }, { qMilli }),
    ),
    ...extra,
  })

const run = (...steps: policy.Step[]): void => {
  bench.plan([], { steps })
  bench.begin()
}

/** The directory takes the next branches. */
const held = (): location.UpdateCallRequest => {
  const update = bench.location.take<location.UpdateCallRequest>('updateCall')
  update.answer({ held: true })
  return update.request
}

const inviteTo = (host: number): string => {
  const found = bench.sent.findLast((sent) => sent.text.startsWith('INVITE') && sent.to === `udp ${at(host)}:5060`)
  if (found === undefined) throw new Error(`no INVITE to ${host}`)
  return found.text
}
const answer = (host: number, status: number, headers: readonly string[] = []): void =>
  bench.udpIn(responseTo(inviteTo(host), status, `t${host}`, headers), at(host))
/** What was sent but ACKs. */
const taken = (): string[] => bench.take().filter((text) => !text.startsWith('ACK'))

describe('forking of a step [RFC3261-16.6]', () => {
  test('all at once where nothing else is said', () => {
    invited()
    run(uriStep({ 31: 100, 32: 900 }))
    expect(bench.take()).toEqual([`100 → ${UP}`, ...to(31, 32)])
  })

  test('by q: equal q at once, highest first, 0 means 1; the next after failures', () => {
    invited()
    run(uriStep({ 31: 500, 32: 0, 33: 1000, 34: 200 }, { forking: BY_Q }))
    expect(taken()).toEqual([`100 → ${UP}`, ...to(32, 33)])
    answer(32, 486)
    expect(taken()).toEqual([])
    answer(33, 404)
    expect(held().branches.map(({ finalStatus }) => finalStatus)).toEqual([486, 404, 0])
    expect(taken()).toEqual(to(31))
    answer(31, 480)
    held()
    answer(34, 500)
    expect(taken()).toEqual([...to(34), `404 → ${UP}`])
  })

  test('in series: one after another, highest q first, equal q as the plan names them', () => {
    invited()
    run(uriStep({ 31: 500, 32: 700, 33: 700 }, { forking: SERIAL }))
    for (const host of [32, 33, 31]) {
      expect(taken().at(-1)).toBe(to(host)[0])
      answer(host, 486)
      if (host !== 31) held()
    }
    expect(taken()).toEqual([`486 → ${UP}`])
  })

  test('bindings by their q, URIs among them by theirs', () => {
    invited()
    const aor = targetOf({ $case: 'aor', value: 'sip:bob@example.test' })
    const uri = targetOf({ $case: 'uri', value: uriOf(33) }, { qMilli: 500 })
    bench.plan([], { steps: [stepOf({ targets: [uri, aor], forking: BY_Q })] })
    const bindings = [
      { ...bindingOf(uriOf(31)), qMilli: 1000 },
      { ...bindingOf(uriOf(32)), qMilli: 500 },
    ]
    bench.location.take('locate').answer({ bindings, version: 1n })
    bench.begin()
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31)])
    answer(31, 486)
    held()
    expect(taken()).toEqual(to(33, 32))
  })

  test('the ring time counts for each group; a group that rang out is cancelled', () => {
    invited()
    run(uriStep({ 31: 1000, 32: 500 }, { forking: BY_Q, ringMs: 10_000 }))
    answer(31, 180)
    bench.advance(10_500)
    expect(taken().at(-1)).toBe(`CANCEL → udp ${at(31)}:5060`)
    answer(31, 487)
    held()
    answer(32, 180)
    taken()
    bench.advance(9_000)
    expect(taken().filter((text) => text.startsWith('CANCEL → udp 192.0.2.32'))).toEqual([])
    bench.advance(2_000)
    answer(32, 487)
    expect(taken().at(-1)).toBe(`408 → ${UP}`)
  })

  test('the next group only after the failures that the step names', () => {
    invited()
    run(uriStep({ 31: 1000, 32: 500 }, { forking: BY_Q, retryStatuses: [486] }), uriStep({ 33: 0 }))
    answer(31, 404)
    expect(taken().at(-1)).toBe(`404 → ${UP}`)
    expect(bench.location.waiting()).toEqual(['endCall'])
  })

  test('never after a 6xx [RFC3261-16.7.5d]', () => {
    invited()
    run(uriStep({ 31: 1000, 32: 500 }, { forking: BY_Q }), uriStep({ 33: 0 }))
    answer(31, 603)
    expect(taken().at(-1)).toBe(`603 → ${UP}`)
  })

  test('a CANCEL between two groups ends it', () => {
    invited()
    run(uriStep({ 31: 1000, 32: 500 }, { forking: BY_Q }))
    answer(31, 486)
    bench.udpIn(requestText({ method: 'CANCEL' }))
    held()
    expect(taken().slice(-2)).toEqual([`200 → ${UP}`, `487 → ${UP}`])
  })

  test('other methods fork alike, without a directory', () => {
    invited({ method: 'MESSAGE' })
    bench.plan([], { steps: [uriStep({ 31: 1000, 32: 500 }, { forking: BY_Q })] })
    bench.udpIn(responseTo(bench.last('MESSAGE'), 404), at(31))
    bench.udpIn(responseTo(bench.last('MESSAGE'), 200), at(32))
    expect(bench.take()).toEqual([`MESSAGE → udp ${at(31)}:5060`, `MESSAGE → udp ${at(32)}:5060`, `200 → ${UP}`])
  })
})

describe('the target set', () => {
  test('MUST NOT hold a URI twice, by the rules of comparison [RFC3261-16.5f] [RFC3261-16.5j]', () => {
    invited()
    const same = stepOf({
      targets: [uriOf(31), `sip:bob@${at(31)};x=1`, uriOf(31, 'carol'), 'SIP:bob@192.0.2.31'].map((value) =>
        targetOf({ $case: 'uri', value }),
      ),
    })
    run(same, uriStep({ 31: 0, 32: 0 }))
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31, 31)])
    for (const { text } of bench.sent.filter((sent) => sent.text.startsWith('INVITE'))) {
      bench.udpIn(responseTo(text, 486), at(31))
    }
    held()
    expect(taken()).toEqual(to(32))
  })

  test('one address behind two NATs is two targets', () => {
    invited()
    const aors = ['sip:a@x', 'sip:b@x'].map((value) => targetOf({ $case: 'aor', value }))
    bench.plan([], { steps: [stepOf({ targets: aors })] })
    for (const address of ['203.0.113.1', '203.0.113.2']) {
      const bindings = [bindingOf('sip:phone@10.0.0.5', { address })]
      bench.location.take('locate').answer({ bindings, version: 1n })
    }
    bench.begin()
    expect(taken().slice(1)).toEqual(['INVITE → udp 203.0.113.1:5060', 'INVITE → udp 203.0.113.2:5060'])
  })

  test('a Request-URI has no headers and no method parameter [RFC3261-16.6.2b]', () => {
    invited()
    run(stepOf({ targets: [targetOf({ $case: 'uri', value: `sip:bob@${BOB};method=INVITE;x?Subject=a` })] }))
    expect(bench.last('INVITE').split(' ')[1]).toBe(`sip:bob@${BOB};x`)
  })

  test('no target left: 480 [RFC3261-16.5l] [RFC3261-16.5m]', () => {
    invited()
    bench.plan([[], ['sip:nobody@host.invalid;transport=sctp']])
    expect(taken()).toEqual([`480 → ${UP}`])
  })

  test('at most `edge.limits.maxTargets` branches of one request, over all steps; the rest is counted', () => {
    invited({}, { 'edge.limits.maxTargets': 3 })
    run(uriStep({ 31: 0, 32: 0 }), uriStep({ 33: 0, 34: 0, 35: 0 }), uriStep({ 36: 0 }))
    for (const host of [31, 32]) answer(host, 486)
    held()
    answer(33, 486)
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31, 32, 33), `486 → ${UP}`])
    expect(bench.core.counts.targetsDropped).toBe(2)
  })
})

describe('bindings of one instance [RFC5626-7a]', () => {
  const flows = (...hosts: number[]): void => {
    invited()
    const targets = [targetOf({ $case: 'aor', value: 'sip:bob@example.test' })]
    bench.plan([], { steps: [stepOf({ targets, retryStatuses: [404] })] })
    const bindings = hosts.map((host, k) => ({ ...bindingOf(uriOf(host)), instanceId: 'urn:uuid:1', regId: k + 1 }))
    bench.location.take('locate').answer({ bindings, version: 1n })
    bench.begin()
  }

  test('MUST NOT ring more than one at a time: the one that registered last', () => {
    flows(31, 32)
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31)])
  })

  test.each([
    ['430', () => answer(31, 430)],
    ['no response', () => bench.advance(33_000)],
  ])('SHOULD go on with the next after %s [RFC5626-7b] [RFC5626-11.4a]', (_name, fail) => {
    flows(31, 32)
    taken()
    fail()
    held()
    expect(taken().slice(-1)).toEqual(to(32))
    answer(32, 200)
    expect(taken()).toEqual([`200 → ${UP}`])
  })

  test.each([486, 503])('MUST NOT go on after %i: the instance has answered [RFC5626-7c]', (status) => {
    flows(31, 32)
    answer(31, status)
    expect(taken().at(-1)).toBe(`${status === 503 ? 500 : status} → ${UP}`)
  })

  test('MUST NOT ring the same phone again by its other flow when it has rung out [RFC5626-7c]', () => {
    invited()
    const targets = [targetOf({ $case: 'aor', value: 'sip:bob@example.test' })]
    bench.plan([], { steps: [stepOf({ targets, ringMs: 5_000 })] })
    const bindings = [31, 32].map((host, k) => ({ ...bindingOf(uriOf(host)), instanceId: 'i', regId: k + 1 }))
    bench.location.take('locate').answer({ bindings, version: 1n })
    bench.begin()
    answer(31, 180)
    bench.advance(6_000)
    answer(31, 487)
    expect(taken().at(-1)).toBe(`408 → ${UP}`)
  })
})

describe('a GRUU', () => {
  const located = (extra: Partial<policy.Target>): void => {
    invited()
    bench.plan([], { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: 'b' }, extra)] })] })
    const bindings = [
      { ...bindingOf(uriOf(31)), instanceId: 'one', registrationHash: 7 },
      { ...bindingOf(uriOf(32)), instanceId: 'two', registrationHash: 8 },
      { ...bindingOf(uriOf(33)), instanceId: '' },
    ]
    bench.location.take('locate').answer({ bindings, version: 1n })
  }

  test.each([
    ['public: the bindings of its instance', { instanceId: 'two' }, 32],
    ['temporary: those of its registration', { instanceId: 'one', registrationHash: 7 }, 31],
  ])('%s', (_name, extra, host) => {
    located(extra)
    bench.begin()
    expect(taken()).toEqual([`100 → ${UP}`, ...to(host)])
  })

  test.each([
    ['of an instance without a live binding 480 [RFC5627-6.1b] [RFC5627-5.3c]', { instanceId: 'three' }, 480],
    ['of a registration that is over 404 [RFC5627-6.1a]', { instanceId: 'one', registrationHash: 8 }, 404],
  ])('%s', (_name, extra, status) => {
    located(extra)
    expect(taken()).toEqual([`${status} → ${UP}`])
  })

  test('of several contacts the one that was refreshed last; after 430 or no response the next, after no other failure [RFC5627-6.1c] [RFC5627-6.1d] [RFC5627-6.1e]', () => {
    invited()
    bench.plan([], { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: 'b' }, { instanceId: 'one' })] })] })
    const bindings = [31, 32, 33].map((host) => ({ ...bindingOf(uriOf(host)), instanceId: 'one' }))
    bench.location.take('locate').answer({ bindings, version: 1n })
    bench.begin()
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31)])
    answer(31, 430)
    held()
    answer(32, 404)
    expect(taken()).toEqual([...to(32), `404 → ${UP}`])
  })
})

describe('failover inside a host [RFC3263-4.3]', () => {
  const hosted = async (transport = ''): Promise<void> => {
    invited()
    bench.plan([[`sip:1@gw.test:5060${transport}`]])
    await resolved()
    bench.begin()
  }

  test.each([
    ['503', () => answer(31, 503, ['Retry-After: 10'])],
    ['no response', () => bench.advance(33_000)],
  ])('the next address after %s, with another branch, then the next', async (_name, fail) => {
    await hosted()
    fail()
    expect(held().branches).toHaveLength(2)
    expect(taken().slice(-1)).toEqual(to(32))
    answer(32, 503)
    held()
    answer(33, 486)
    expect(taken()).toEqual([...to(33), `486 → ${UP}`])
    const vias = [31, 32, 33].map((host) => valuesOf(inviteTo(host), 'Via')[0])
    expect(new Set(vias).size).toBe(3)
    expect(bench.core.counts.failovers).toBe(2)
  })

  test('503 of the last one goes up as 500 [RFC3261-16.7.6i]', async () => {
    await hosted()
    for (const host of [31, 32, 33]) {
      if (host > 31) held()
      answer(host, 503)
    }
    expect(taken().at(-1)).toBe(`500 → ${UP}`)
  })

  test('not after a response of the server about this request', async () => {
    await hosted()
    answer(31, 500)
    expect(taken().at(-1)).toBe(`500 → ${UP}`)
  })

  test('a connection that can not be opened: at once [RFC3261-16.9a]', async () => {
    await hosted(';transport=tcp')
    const connection = bench.tcp.connections[0]
    if (connection === undefined) throw new Error('no connection')
    const { clients } = bench.peerOf(connection)
    for (const client of clients) bench.core.layer.transportError(client)
    held()
    expect(bench.take().at(-1)).toBe('INVITE → tcp 2')
  })

  test('a CANCEL while the directory is told of the next: nothing leaves', async () => {
    await hosted()
    answer(31, 503)
    bench.udpIn(requestText({ method: 'CANCEL' }))
    held()
    expect(taken().slice(-2)).toEqual([`200 → ${UP}`, `487 → ${UP}`])
  })

  test('the directory can not be told: 503, unless another branch still rings', async () => {
    await hosted()
    answer(31, 503)
    bench.location.take('updateCall').end(unknown('timeout'))
    expect(taken().at(-1)).toBe(`503 → ${UP}`)
  })

  test('the same with another branch that rings: that one goes on', async () => {
    invited()
    bench.plan([['sip:1@gw.test:5060', uriOf(40)]])
    await resolved()
    bench.begin()
    answer(40, 180)
    answer(31, 503)
    bench.location.take('updateCall').end(unknown('timeout'))
    expect(taken().at(-1)).toBe(`180 → ${UP}`)
    answer(40, 200)
    expect(taken()).toEqual([`200 → ${UP}`])
  })

  test('counts against the bound of the request', async () => {
    invited({}, { 'edge.limits.maxTargets': 2 })
    bench.plan([['sip:1@gw.test:5060']])
    await resolved()
    bench.begin()
    answer(31, 503)
    held()
    answer(32, 503)
    expect(taken().at(-1)).toBe(`500 → ${UP}`)
  })
})

describe('Max-Breadth', () => {
  const breadths = (): string[] =>
    bench.sent.filter(({ text }) => text.startsWith('INVITE')).map(({ text }) => valuesOf(text, 'Max-Breadth').join())

  test.each([
    ['absent: 60 [RFC5393-5.3.3a] [RFC5393-5.3.3b]', [], ['20', '20', '20']],
    ['all of it is given out [RFC5393-5.3.3j]', ['Max-Breadth: 8'], ['3', '3', '2']],
    ['too large: 60 [RFC5393-5.3.3e] [RFC5393-5.3.3f]', ['Max-Breadth: 1000'], ['20', '20', '20']],
  ])('is divided among branches that ring together: %s [RFC5393-5.3.3h]', (_name, headers, expected) => {
    invited({ headers })
    run(uriStep({ 31: 0, 32: 0, 33: 0 }))
    expect(breadths()).toEqual(expected)
  })

  test('MUST NOT be counted down: one branch has it all [RFC5393-5.3.3k] [RFC5393-5.3.3g]', () => {
    invited({ headers: ['Max-Breadth: 5'] })
    run(uriStep({ 31: 0 }))
    expect(breadths()).toEqual(['5'])
  })

  test('too few for a group: it rings in parts, each with what the ones before gave back [RFC5393-5.3.3.1]', () => {
    invited({ headers: ['Max-Breadth: 2'] })
    run(uriStep({ 31: 0, 32: 0, 33: 0 }, { retryStatuses: [404] }))
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31, 32)])
    for (const host of [31, 32]) answer(host, 486)
    held()
    expect(taken()).toEqual(to(33))
    expect(breadths()).toEqual(['1', '1', '2'])
  })

  test('1 forks in series [RFC5393-5.3.3i]', () => {
    invited({ headers: ['Max-Breadth: 1'] })
    run(uriStep({ 31: 0, 32: 0 }))
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31)])
    answer(31, 486)
    held()
    expect(taken()).toEqual(to(32))
  })

  test('0 gets 440 [RFC5393-5.3.3i]', () => {
    invited({ headers: ['Max-Breadth: 0'] })
    bench.plan([[uriOf(31)]])
    expect(taken()).toEqual([`440 → ${UP}`])
    expect(bench.core.counts.refusedBreadth).toBe(1)
  })

  test('a branch in the place of another has what that one had', async () => {
    invited({ headers: ['Max-Breadth: 4'] })
    bench.plan([['sip:1@gw.test:5060', uriOf(40)]])
    await resolved()
    bench.begin()
    answer(31, 503)
    held()
    expect(breadths()).toEqual(['2', '2', '2'])
  })
})
