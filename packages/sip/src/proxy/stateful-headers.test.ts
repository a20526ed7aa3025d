// SPDX-License-Identifier: MIT
// Responses on their way up through the stateful proxy: identities of untrusted answerers, and the history of a request. Not tested
// here: what the entries are (request-history.test.ts) and which identities go (identity-edits.test.ts).
import { describe, expect, test } from 'vitest'
import { Edits } from '../message/index.ts'
import { editForwardedRequest } from './forward-request.ts'
import type { ProxyContext } from './proxy-context.ts'
import { openHistory } from './request-history.ts'
import { ProxyBench, requestText, Script, TestPeer, valuesOf } from './testing.ts'

const PAI = 'P-Asserted-Identity: <sip:bob@example.test>'

class HistoryScript extends Script {
  private readonly owner: ProxyBench
  private readonly groups: TestPeer[][]
  private sentCount = 0
  trusts = false

  constructor(bench: ProxyBench, groups: readonly (readonly TestPeer[])[]) {
    super(bench, [])
    this.owner = bench
    this.groups = groups.map((group) => [...group])
  }

  override next(context: ProxyContext): boolean {
    const group = this.groups.shift()
    for (const peer of group ?? []) this.send(context, peer)
    return group !== undefined
  }

  private send(context: ProxyContext, peer: TestPeer): void {
    const { request } = context
    if (request === undefined) return
    this.sentCount += 1
    const id = `z9hG4bK-down-${this.sentCount}`
    const uri = `sip:bob@${peer.address}`
    const edits = new Edits()
    editForwardedRequest(request, edits, {
      uri,
      via: `Via: SIP/2.0/UDP 198.51.100.1:5060;branch=${id}\r\n`,
      recordRoute: '',
      route: '',
      added: '',
      popRoutes: 0,
      strict: false,
      maxBreadth: 0,
      sourceAddress: context.source.address,
      sourcePort: context.source.port,
      stream: false,
    })
    const target = {
      branchId: id,
      uri,
      aor: 'sip:bob@example.test',
      mappedFrom: '',
      redirected: undefined,
      trusted: true,
    }
    context.history?.edit(request, edits, target)
    const branch = this.owner.proxy.fork(context, edits, id, uri, peer, 0)
    if (branch !== undefined) branch.trusted = this.trusts
  }
}

function peerAt(k: number): TestPeer {
  return new TestPeer(`bob${k}`, `192.0.2.${k}`)
}

function call(groups: readonly (readonly TestPeer[])[], header: string, sourceTrusted = false) {
  const bench = new ProxyBench()
  const script = new HistoryScript(bench, groups)
  const context = bench.tryOpen(script, requestText({ headers: [header] })) as ProxyContext
  context.sourceTrusted = sourceTrusted
  if (context.request !== undefined) context.history = openHistory(context.request, 'onRequest', 'edge.test')
  const historyOf = (word: string): string[] => valuesOf(bench.caller.last(word), 'History-Info')
  return { bench, script, context, historyOf }
}

const ASKS = 'Supported: histinfo'
const CALLED = '<sip:bob@example.test>;index=1'

describe('history in responses', () => {
  test('[RFC7044-7cd] [RFC7044-9.4a] each provisional and final response that goes up has the entries of branches that answered', () => {
    const [one, two] = [peerAt(3), peerAt(7)]
    const { bench, script, context, historyOf } = call([[one, two]], ASKS)
    script.next(context)
    bench.answer(one, 180)
    expect(historyOf('180')).toEqual([CALLED, '<sip:bob@192.0.2.3>;index=1.1;rc=1'])
    bench.answer(two, 486)
    bench.answer(one, 200, 'bob', 'INVITE', [
      `History-Info: ${CALLED}, <sip:bob@192.0.2.3>;index=1.1;rc=1, <sip:bob@pc>;index=1.1.1`,
      'Subject: stays',
    ])
    expect(historyOf('200')).toEqual([
      CALLED,
      '<sip:bob@192.0.2.3>;index=1.1;rc=1',
      '<sip:bob@pc>;index=1.1.1',
      '<sip:bob@192.0.2.7?Reason=SIP%3Bcause%3D486>;index=1.2;rc=1',
    ])
    expect(bench.caller.last('200')).toContain('\r\nSubject: stays\r\n')
  })

  test('[RFC7044-9.3ab] [RFC7044-9.4a] the best response tells of branches that failed after it was kept', () => {
    const [one, two] = [peerAt(3), peerAt(7)]
    const { bench, script, context, historyOf } = call([[one, two]], ASKS)
    script.next(context)
    bench.answer(one, 404)
    bench.answer(two, 486)
    expect(historyOf('404')).toEqual([
      CALLED,
      '<sip:bob@192.0.2.3?Reason=SIP%3Bcause%3D404>;index=1.1;rc=1',
      '<sip:bob@192.0.2.7?Reason=SIP%3Bcause%3D486>;index=1.2;rc=1',
    ])
  })

  test('[RFC7044-10.2c] a branch that never answers counts as 408, in the next branch and in our own response', () => {
    const [one, two] = [peerAt(3), peerAt(7)]
    const { bench, script, context, historyOf } = call([[one], [two]], ASKS)
    script.next(context)
    bench.advance(33_000)
    const timedOut = '<sip:bob@192.0.2.3?Reason=SIP%3Bcause%3D408>;index=1.1;rc=1'
    expect(valuesOf(two.last('INVITE'), 'History-Info')).toEqual([
      CALLED,
      timedOut,
      '<sip:bob@192.0.2.7>;index=1.2;rc=1',
    ])
    bench.advance(33_000)
    expect(historyOf('408')).toEqual([CALLED, timedOut, '<sip:bob@192.0.2.7?Reason=SIP%3Bcause%3D408>;index=1.2;rc=1'])
  })

  test('[RFC7044-9.4ab] nothing in a 100, and nothing for who did not ask', () => {
    const one = peerAt(3)
    const { bench, script, context, historyOf } = call([[one]], 'Supported: 100rel')
    bench.proxy.trying(context)
    script.next(context)
    bench.answer(one, 200)
    expect(historyOf('200')).toEqual([])
    const asked = call([[peerAt(4)]], ASKS)
    asked.bench.proxy.trying(asked.context)
    expect(asked.historyOf('100')).toEqual([])
  })
})

describe('identities in responses', () => {
  test.each([
    [180, false, 0],
    [200, false, 0],
    [486, false, 0],
    [200, true, 1],
    [486, true, 1],
  ])('[RFC3325-5be] %d of an answerer who is trusted: %s keeps %d', (status, trusts, count) => {
    const one = peerAt(3)
    const { bench, script, context } = call([[one]], 'X: 1', true)
    script.trusts = trusts
    script.next(context)
    bench.answer(one, status, 'bob', 'INVITE', [PAI, 'X-After: 1'])
    const up = bench.caller.last(String(status))
    expect(valuesOf(up, 'P-Asserted-Identity')).toHaveLength(count)
    expect(up).toContain('\r\nX-After: 1\r\nContent-Length: 0\r\n\r\n')
  })

  test('[RFC3325-5b] the answer with the best status is kept without it', () => {
    const [one, two] = [peerAt(3), peerAt(7)]
    const { bench, script, context } = call([[one, two]], 'X: 1', true)
    script.next(context)
    bench.answer(one, 404, 'bob', 'INVITE', [PAI])
    bench.answer(two, 503)
    expect(bench.caller.last('404')).not.toContain('P-Asserted-Identity')
  })

  test('[RFC3325-7a] a trusted answerer with Privacy: id stays unknown to an untrusted caller', () => {
    const one = peerAt(3)
    const { bench, script, context } = call([[one]], 'X: 1')
    script.trusts = true
    script.next(context)
    bench.answer(one, 200, 'bob', 'INVITE', [PAI, 'Privacy: id'])
    expect(bench.caller.last('200')).not.toContain('P-Asserted-Identity')
  })
})
