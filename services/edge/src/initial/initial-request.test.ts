// SPDX-License-Identifier: MIT
// The way of an initial request: decision, directory, branches, and what crosses it. The services answer when the test says so.
// Does not test: the accounting of a call (call-account.test.ts), the proxy's own rules (packages/sip/src/proxy).
import { type location, type policy, refused, unknown } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, BOB, bindingOf, EdgeBench, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const DOWN = `udp ${BOB}:5060`
const BOB_URI = `sip:bob@${BOB}`
const CANCEL = requestText({ method: 'CANCEL' })

const invited = (): EdgeBench => {
  bench = new EdgeBench()
  bench.udpIn(requestText())
  return bench
}

const answer = (status: number, address = BOB, tag = 'bob', headers: string[] = []): void => {
  bench.udpIn(responseTo(bench.last('INVITE'), status, tag, headers), address)
}

describe('an INVITE', () => {
  test('leaves, and 100 goes back, only once it is in the directory [DESIGN-2.2] [RFC3261-17.2.1a]', () => {
    invited()
    expect(bench.take()).toEqual([])
    bench.plan([[BOB_URI]], {}, 'ref')
    expect(bench.take()).toEqual([])
    const item = bench.location.take<location.BeginCallRequest>('beginCall')
    expect(item.request).toMatchObject({ owner: 'edge-0.test', callRef: 'ref', step: 0 })
    expect(item.request.invite.toString('latin1')).toBe(requestText())
    expect(item.request.branches).toMatchObject([{ uri: BOB_URI, finalStatus: 0 }])
    item.answer({ created: true, owner: 'edge-0.test', epoch: 1 })
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`])
  })

  test('without accounting: provisional and 2xx go up, the directory hears of the end, the ACK goes on without state', () => {
    invited()
    bench.plan([[BOB_URI]])
    bench.begin()
    const contact = `Contact: <sip:bob@${BOB}:5070>`
    answer(180)
    answer(200, BOB, 'bob', [contact])
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`, `180 → ${UP}`, `200 → ${UP}`])
    expect(bench.location.take('endCall').request).toMatchObject({ epoch: 1, finalStatus: 200 })
    expect(bench.core.counts).toMatchObject({ calls: 1, callsAnswered: 1, callsFailed: 0 })
  })

  test.each([
    ['policy gives no answer', unknown('timeout'), '503', ['4']],
    ['policy refuses with a status', refused('busy', 480, ''), '480', []],
    ['policy refuses with a time', refused('away', 503, '', { retryAfterS: 7 }), '503', ['9']],
  ])('%s', (_name, result, status, retryAfter) => {
    invited()
    bench.policy.take('decide').end(result)
    expect(valuesOf(bench.last(status), 'Retry-After')).toEqual(retryAfter)
    expect(bench.core.proxy.inProgress).toBe(0)
  })

  interface Verdict {
    name: string
    verdict: policy.DecideResponse['verdict']
    status: string
    header: [string, string[]]
  }
  const VERDICTS: Verdict[] = [
    {
      name: 'challenge by a registrar',
      verdict: { $case: 'challenge', value: { status: 401, values: ['Digest a', 'Digest b'] } },
      status: '401',
      header: ['WWW-Authenticate', ['Digest a', 'Digest b']],
    },
    {
      name: 'challenge by a proxy',
      verdict: { $case: 'challenge', value: { status: 407, values: ['Digest a'] } },
      status: '407',
      header: ['Proxy-Authenticate', ['Digest a']],
    },
    {
      name: 'rejection',
      verdict: { $case: 'reject', value: { status: 403, reason: 'No', retryAfterS: 4, code: '' } },
      status: '403',
      header: ['Retry-After', ['4']],
    },
    {
      name: 'redirection',
      verdict: { $case: 'redirect', value: { status: 302, contacts: ['<sip:x@y>', '<sip:z@y>'], aor: '' } },
      status: '302',
      header: ['Contact', ['<sip:x@y>', '<sip:z@y>']],
    },
    {
      name: 'answer',
      verdict: { $case: 'answer', value: { status: 200 } },
      status: '200',
      header: ['Accept-Encoding', ['identity']],
    },
    { name: 'none', verdict: undefined, status: '500', header: ['Retry-After', []] },
  ]
  test.each(VERDICTS)('verdict: $name', ({ verdict, status, header: [name, values] }) => {
    invited()
    bench.decide(verdict)
    expect(valuesOf(bench.last(status), name)).toEqual(values)
    expect(bench.take()).toEqual([`${status} → ${UP}`])
  })

  test('the directory does not take it: 503, nothing leaves', () => {
    invited()
    bench.plan([[BOB_URI]])
    bench.location.take('beginCall').end(unknown('timeout'))
    expect(bench.take()).toEqual([`503 → ${UP}`])
    expect(bench.core.counts.directoryUnknown).toBe(1)
  })

  test('another edge owns it: dropped, counted, nothing kept', () => {
    invited()
    bench.plan([[BOB_URI]])
    bench.location.take('beginCall').answer({ created: false, owner: 'edge-1.x', epoch: 3 })
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedOwnedElsewhere).toBe(1)
    expect([bench.core.proxy.inProgress, bench.core.layer.serverCount]).toEqual([0, 0])
  })
})

describe('where it goes', () => {
  const toAor = (aors: string[], extra: Partial<policy.Step> = {}): void => {
    invited()
    const steps = aors.map((value) => stepOf({ targets: [targetOf({ $case: 'aor', value })], ...extra }))
    bench.plan([], { steps })
  }
  const located = (...bindings: location.Binding[]): void => {
    bench.location.take('locate').answer({ bindings, version: 1n })
  }

  test('to every binding at once', () => {
    toAor(['sip:bob@example.test'])
    located(bindingOf(BOB_URI), bindingOf('sip:bob@192.0.2.31:5070'))
    bench.begin()
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`, 'INVITE → udp 192.0.2.31:5070'])
  })

  test('nobody is registered: 480 [RFC3261-16.5lm]', () => {
    toAor(['sip:bob@example.test'])
    located()
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })

  test('location gives no answer: 503', () => {
    toAor(['sip:bob@example.test'])
    bench.location.take('locate').end(unknown('timeout'))
    expect(bench.take()).toEqual([`503 → ${UP}`])
  })

  test('a URI that can not be reached: 480', () => {
    invited()
    bench.plan([['tel:+1234', `sips:x@${BOB}`]])
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })

  test('the next step is in the directory before it leaves; the best failure goes up at the end', () => {
    toAor(['sip:a@x', 'sip:b@x'])
    located(bindingOf(BOB_URI))
    bench.begin()
    bench.take()
    answer(486)
    expect(bench.take()).toEqual([`ACK → ${DOWN}`])
    located(bindingOf('sip:b@192.0.2.31'))
    const update = bench.location.take<location.UpdateCallRequest>('updateCall')
    expect(update.request.branches).toMatchObject([{ finalStatus: 486 }, { finalStatus: 0 }])
    expect(update.request.branches[0]?.id).not.toBe(update.request.branches[1]?.id)
    update.answer({ held: true })
    expect(bench.take()).toEqual(['INVITE → udp 192.0.2.31:5060'])
    answer(500, '192.0.2.31')
    expect(bench.take()).toEqual(['ACK → udp 192.0.2.31:5060', `486 → ${UP}`])
    expect(bench.location.take('endCall').request).toMatchObject({ finalStatus: 486 })
  })

  test('a step whose statuses do not include the failure is the last', () => {
    toAor(['sip:a@x', 'sip:b@x'], { retryStatuses: [404] })
    located(bindingOf(BOB_URI))
    bench.begin()
    answer(486)
    expect(bench.take().at(-1)).toBe(`486 → ${UP}`)
    expect(bench.location.waiting()).toEqual(['endCall'])
  })

  test('a step is judged by its own failure, not by a better one of an earlier step', () => {
    toAor(['sip:a@x', 'sip:b@x', 'sip:c@x'], { retryStatuses: [404, 486] })
    located(bindingOf(BOB_URI))
    bench.begin()
    answer(404)
    located(bindingOf('sip:b@192.0.2.31'))
    bench.location.take('updateCall').answer({ held: true })
    answer(500, '192.0.2.31')
    expect(bench.take().at(-1)).toBe(`404 → ${UP}`)
    expect(bench.location.waiting()).toEqual(['endCall'])
  })

  test('the edge that lost the call stops', () => {
    toAor(['sip:a@x', 'sip:b@x'])
    located(bindingOf(BOB_URI))
    bench.begin()
    answer(486)
    located(bindingOf('sip:b@192.0.2.31'))
    bench.take()
    bench.location.take('updateCall').answer({ held: false })
    expect(bench.take()).toEqual([])
    expect(bench.core.proxy.inProgress).toBe(0)
  })
})

describe('CANCEL [RFC3261-16.10ab]', () => {
  const tagsOf = (...words: string[]): string[] => words.map((word) => valuesOf(bench.last(word), 'To')[0] ?? '')

  test('while policy decides: 200 and 487 with one To tag; the plan that comes then leads nowhere [RFC3261-9.2]', () => {
    invited()
    bench.udpIn(CANCEL)
    const [forCancel, forInvite] = tagsOf('200', '487')
    expect(forCancel).toBe(forInvite)
    expect(bench.take()).toEqual([`200 → ${UP}`, `487 → ${UP}`])
    bench.plan([[BOB_URI]])
    expect(bench.take()).toEqual([])
    expect(bench.location.waiting()).toEqual([])
  })

  test('while location is asked where', () => {
    invited()
    const steps = [stepOf({ targets: [targetOf({ $case: 'aor', value: 'b' })] })]
    bench.plan([], { steps })
    bench.udpIn(CANCEL)
    bench.take()
    bench.location.take('locate').answer({ bindings: [bindingOf(BOB_URI)], version: 1n })
    expect([bench.take(), bench.location.waiting()]).toEqual([[], []])
  })

  test('while the directory is asked: the entry that comes then is ended', () => {
    invited()
    bench.plan([[BOB_URI]])
    bench.udpIn(CANCEL)
    bench.take()
    bench.begin()
    expect(bench.take()).toEqual([])
    expect(bench.location.take('endCall').request).toMatchObject({ finalStatus: 487 })
  })

  test('before a provisional response nothing goes on [RFC3261-9.1h]', () => {
    invited()
    bench.plan([[BOB_URI]])
    bench.begin()
    bench.udpIn(CANCEL)
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`, `200 → ${UP}`])
  })

  test('at a provisional response it goes on to the callee', () => {
    invited()
    bench.plan([[BOB_URI]])
    bench.begin()
    const invite = bench.last('INVITE')
    bench.take()
    bench.udpIn(responseTo(invite, 180), BOB)
    bench.udpIn(CANCEL)
    expect(bench.take()).toEqual([`180 → ${UP}`, `200 → ${UP}`, `CANCEL → ${DOWN}`])
    bench.udpIn(responseTo(invite, 487), BOB)
    expect(bench.take()).toEqual([`ACK → ${DOWN}`, `487 → ${UP}`])
    bench.udpIn(CANCEL)
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })
})

describe('streams', () => {
  const overTcp = (): ReturnType<EdgeBench['tcp']['connect']> => {
    invited()
    bench.plan([[`${BOB_URI};transport=tcp`]])
    bench.begin()
    const connection = bench.tcp.connections[0]
    if (connection === undefined) throw new Error('no connection')
    return connection
  }

  test('a lost connection fails what waits for an answer on it [RFC3261-16.9a] [RFC3261-18.4c]', () => {
    const connection = overTcp()
    expect(bench.take()).toEqual([`100 → ${UP}`, 'INVITE → tcp 1'])
    const { clients } = bench.peerOf(connection)
    expect(clients.size).toBe(1)
    for (const client of clients) bench.core.layer.transportError(client)
    expect(clients.size).toBe(0)
    expect(bench.take()).toEqual([`500 → ${UP}`])
  })

  test('a connection forgets transactions that ended, also those that the proxy gave up', () => {
    const connection = overTcp()
    const { clients } = bench.peerOf(connection)
    bench.tcpIn(responseTo(bench.last('INVITE'), 180), connection)
    bench.udpIn(CANCEL)
    bench.advance(70_000)
    expect(clients.size).toBe(0)
    expect(bench.core.layer.clientCount).toBe(0)
  })
})
