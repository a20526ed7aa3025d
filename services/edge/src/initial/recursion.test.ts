// SPDX-License-Identifier: MIT
// Redirects from downstream that the edge follows: which Contacts, in which order, how many, and what is left of the response.
// Does not test: what goes up of a 3xx (packages/sip/src/proxy), redirects of our own (redirect.test.ts).
import type { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import {
  ALICE,
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
const at = (host: number): string => `192.0.2.${host}`
const uriOf = (host: number): string => `sip:bob@${at(host)}`
const to = (...hosts: number[]): string[] => hosts.map((host) => `INVITE → udp ${at(host)}:5060`)

interface Options {
  readonly maxRecursions?: number
  readonly uri?: string
  readonly targets?: readonly policy.Target[]
  readonly settings?: Readonly<Record<string, unknown>>
  readonly headers?: readonly string[]
}

const ringing = (options: Options = {}): void => {
  const { maxRecursions = 2, uri = 'sip:bob@example.test', headers = [] } = options
  bench = new EdgeBench(options.settings, 'edge-0.test', namesOf({ 'pbx.other.test': [at(32), at(33)] }))
  bench.udpIn(requestText({ uri, headers }))
  const targets = [...(options.targets ?? [targetOf({ $case: 'uri', value: uriOf(31) })])]
  bench.plan([], { steps: [stepOf({ targets })], maxRecursions })
  bench.begin()
}

const inviteTo = (host: number): string => {
  const found = bench.sent.findLast((sent) => sent.text.startsWith('INVITE') && sent.to === `udp ${at(host)}:5060`)
  if (found === undefined) throw new Error(`no INVITE to ${host}`)
  return found.text
}
const answer = (host: number, status: number, ...contacts: string[]): void => {
  const headers = contacts.map((contact) => `Contact: ${contact}`)
  bench.udpIn(responseTo(inviteTo(host), status, `t${host}`, headers), at(host))
}
const held = (): void => {
  if (bench.location.waiting().includes('updateCall')) bench.location.take('updateCall').answer({ held: true })
}
const taken = (): string[] => bench.take().filter((text) => !text.startsWith('ACK'))

describe('a 3xx of a branch', () => {
  test('goes up with its Contacts where the plan does not say otherwise', () => {
    ringing({ maxRecursions: 0 })
    answer(31, 302, `<${uriOf(32)}>`)
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31), `302 → ${UP}`])
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual([`<${uriOf(32)}>`])
  })

  test('is followed: highest q at once, equal q together, the others after they have failed [RFC3261-21.3.3a]', () => {
    ringing()
    answer(31, 302, `<${uriOf(32)}>;q=0.5, <${uriOf(33)}>;q=0.7`, `"C" <${uriOf(34)}>;q=0.7`)
    held()
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31), ...to(33, 34)])
    for (const host of [33, 34]) answer(host, 486)
    held()
    expect(taken()).toEqual(to(32))
    answer(32, 200)
    expect(taken()).toEqual([`200 → ${UP}`])
    expect(bench.core.counts.recursions).toBe(1)
  })

  test('SHOULD NOT be kept when all of it is followed: the failure of the Contact goes up [RFC3261-16.7.4c]', () => {
    ringing()
    answer(31, 302, `<${uriOf(32)}>`)
    held()
    answer(32, 404)
    expect(taken().at(-1)).toBe(`404 → ${UP}`)
  })

  test('MUST keep only the Contacts that are not followed [RFC3261-16.7.4a]', () => {
    ringing()
    answer(31, 302, `<${uriOf(32)}>`, '<tel:+15550100>;q=0.3', '"M" <mailto:bob@example.test>')
    held()
    answer(32, 486)
    expect(taken().at(-1)).toBe(`302 → ${UP}`)
    const left = ['<tel:+15550100>;q=0.3', '"M" <mailto:bob@example.test>']
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual(left)
  })

  test('while another branch rings, the Contact is tried at once', () => {
    ringing({ targets: [31, 40].map((host) => targetOf({ $case: 'uri', value: uriOf(host) })) })
    answer(40, 180)
    answer(31, 302, `<${uriOf(32)}>`)
    held()
    expect(taken().slice(-1)).toEqual(to(32))
    answer(32, 200)
    expect(taken()).toEqual(['CANCEL → udp 192.0.2.40:5060', `200 → ${UP}`])
  })

  test('a Request-URI has no headers of the Contact [RFC3261-16.6.2b]', () => {
    ringing()
    answer(31, 302, `<${uriOf(32)};method=INVITE?Subject=x>`)
    held()
    expect(inviteTo(32).split(' ')[1]).toBe(uriOf(32))
  })

  test('a CANCEL while the directory is told of the Contact: nothing leaves', () => {
    ringing()
    answer(31, 302, `<${uriOf(32)}>`)
    bench.udpIn(requestText({ method: 'CANCEL' }))
    held()
    expect(taken().slice(-2)).toEqual([`200 → ${UP}`, `487 → ${UP}`])
  })
})

describe('bounds and loops', () => {
  test('a URI that was tried MUST NOT be tried again, however it is written [RFC3261-16.5f] [RFC3261-16.5j]', () => {
    ringing()
    answer(31, 302, `<${uriOf(32)}>`)
    held()
    answer(32, 302, `<${uriOf(31)}>`, '<SIP:bob@192.0.2.32;x=1>', '<sip:bob@example.test>')
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31), ...to(32), `302 → ${UP}`])
  })

  test('a Contact that redirects to itself, and one twice in a response', () => {
    ringing()
    answer(31, 302, `<${uriOf(31)}>`, `<${uriOf(32)}>`, `<${uriOf(32)}>`)
    held()
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31), ...to(32)])
  })

  test('no more 3xx are followed than the plan allows', () => {
    ringing({ maxRecursions: 2 })
    for (const host of [31, 32, 33]) {
      answer(host, 302, `<${uriOf(host + 1)}>`)
      held()
    }
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31, 32, 33), `302 → ${UP}`])
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual([`<${uriOf(34)}>`])
  })

  test('a bomb of Contacts: at most `edge.limits.maxTargets` branches, the rest stays in the response', () => {
    ringing({ settings: { 'edge.limits.maxTargets': 4 } })
    const hosts = [50, 51, 52, 53, 54, 55]
    answer(31, 302, ...hosts.map((host) => `<${uriOf(host)}>`))
    held()
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31), ...to(50, 51, 52)])
    for (const host of [50, 51, 52]) answer(host, 486)
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual(hosts.slice(3).map((host) => `<${uriOf(host)}>`))
  })

  test('with the Max-Breadth of the branch that redirected [RFC5393-5.3.3h]', () => {
    ringing({ headers: ['Max-Breadth: 1'] })
    answer(31, 302, `<${uriOf(32)}>`, `<${uriOf(33)}>`)
    held()
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31), ...to(32)])
    answer(32, 486)
    held()
    expect(taken()).toEqual(to(33))
  })
})

describe('what is not followed', () => {
  test.each([
    ['a user of the domain that was called: policy decides when the caller asks', '<sip:carol@example.test>'],
    ['an address of the cluster', `<sip:carol@${EDGE_ADDRESS}:5060>`],
    ['a tel URI', '<tel:+15550100>'],
    ['a Contact that nobody can be reached at', '<sip:bob@192.0.2.9;transport=sctp>'],
    ['what breaks the grammar', '<sip:>'],
    ['no Contact at all', ''],
  ])('%s', (_name, contact) => {
    ringing()
    answer(31, 302, ...(contact === '' ? [] : [contact]))
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31), `302 → ${UP}`])
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual(contact === '' ? [] : [contact])
  })

  test('a user of the domain of the target’s address', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    const steps = [stepOf({ targets: [targetOf({ $case: 'aor', value: 'sip:bob@other.test' })] })]
    bench.plan([], { steps, maxRecursions: 1 })
    const binding = { uri: uriOf(31), expiresS: 60, qMilli: 1000, callId: 'r', cseq: 1, instanceId: '', regId: 0 }
    bench.location.take('locate').answer({
      bindings: [{ ...binding, flow: undefined, path: [], params: '', userAgent: '' }],
      version: 1n,
    })
    bench.begin()
    answer(31, 302, '<sip:carol@other.test>')
    expect(taken().at(-1)).toBe(`302 → ${UP}`)
  })

  test('a URI that is not ours to change: the one that was called [RFC3261-16.5g]', () => {
    ringing({ uri: uriOf(31) })
    answer(31, 302, `<${uriOf(32)}>`)
    expect(taken().at(-1)).toBe(`302 → ${UP}`)
  })

  test('a Contact is never within the trust domain', () => {
    ringing({
      headers: ['P-Asserted-Identity: <sip:alice@example.test>', 'Privacy: id'],
      targets: [targetOf({ $case: 'uri', value: uriOf(31) }, { trusted: true })],
    })
    answer(31, 302, `<${uriOf(32)}>`)
    held()
    expect(valuesOf(inviteTo(32), 'P-Asserted-Identity')).toEqual([])
  })
})

describe('a Contact with a host name', () => {
  test('is looked up, and fails over as any other', async () => {
    ringing()
    answer(31, 302, '<sip:bob@pbx.other.test:5060>')
    expect(taken()).toEqual([`100 → ${UP}`, ...to(31)])
    await new Promise((resolve) => setImmediate(resolve))
    held()
    answer(32, 503)
    held()
    expect(taken()).toEqual(to(32, 33))
  })

  test.each([
    ['nothing else is left', [], []],
    ['the step goes on after other failures only', [486], [40]],
  ])('that does not exist: 480 when %s', async (_name, retryStatuses, next) => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    const steps = [[31], next].map((hosts) =>
      stepOf({ targets: hosts.map((host) => targetOf({ $case: 'uri', value: uriOf(host) })), retryStatuses }),
    )
    bench.plan([], { steps, maxRecursions: 1 })
    bench.begin()
    answer(31, 302, '<sip:bob@nowhere.test:5060>')
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken().at(-1)).toBe(`480 → ${UP}`)
  })
})
