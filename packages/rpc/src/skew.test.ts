// SPDX-License-Identifier: MIT
//
// Policy nodes of different versions beside each other: one that lacks a newer method or field, one that has newer ones.
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AuthorizeResponse, DecideRequest, ReportRequest, ReportResponse } from './gen/tandem/policy/v1/policy.ts'
import { planned, question, type RawPolicy, reply, serveRaw, withNewerFields } from './raw-policy.ts'
import { policyService } from './service.ts'
import { createStreamCaller } from './stream-caller.ts'

const LONG_MS = 20_000
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function edgeOf(nodes: readonly RawPolicy[]) {
  const served = await Promise.all(nodes.map((node) => serveRaw(node)))
  for (const { close } of served) closers.push(close)
  const addresses = served.map(({ address }) => address)
  const caller = createStreamCaller(policyService, addresses, { peer: 'edge-1.a', maxBatchItems: 1, batchWindowMs: 0 })
  closers.push(() => caller.close())
  await vi.waitFor(() => expect(caller.endpoints?.().map(({ state }) => state)).not.toContain('down'), LONG_MS)
  const ask = () => caller.invoke('decide', DecideRequest.fromPartial(question()), LONG_MS)
  return { caller, ask }
}

const BOB = { where: { $case: 'aor', value: 'sip:bob@x' } }
const TO_BOB = { $case: 'plan', value: { steps: [{ targets: [BOB] }] } }
const allow = Buffer.from(
  AuthorizeResponse.encode(AuthorizeResponse.fromPartial({ verdict: { $case: 'allow', value: {} } })).finish(),
)

/** Of the day before Stream and Decide: it has the small call and no report. */
const small: RawPolicy = { unary: { Authorize: (_call, answer) => answer(null, allow) } }
/** Knows nothing but what is asked of it, and says more than this edge knows. */
const newer: RawPolicy = {
  onItems: (items, stream) => {
    for (const { id } of items) stream.write(withNewerFields(planned(id, 'sip:bob@x')))
  },
}
/** Its stream refuses what came after it was built. */
const older: RawPolicy = {
  onItems: (items, stream) => {
    const refused = { code: 'unknown_method', sipStatus: 501, detail: 'no such method', retryAfterS: 0 }
    for (const { id, request } of items)
      stream.write(
        request?.$case === 'decide' ? planned(id, 'sip:bob@x') : reply([{ id, refused, response: undefined }]),
      )
  },
}

describe('policy nodes of different versions', () => {
  it('all of them decide, whichever is asked', async () => {
    const { caller, ask } = await edgeOf([small, newer, older])
    const decisions = await Promise.all(Array.from({ length: 60 }, ask))
    for (const decision of decisions) expect(decision).toMatchObject({ outcome: 'done', value: { verdict: TO_BOB } })
    expect(caller.counts).toMatchObject({ unknown: 0, refused: 0, late: 0 })
  })

  it('a method that a node lacks is refused by it, with nothing broken', async () => {
    const { caller, ask } = await edgeOf([older])
    const report = await caller.invoke('report', ReportRequest.fromPartial({ callRef: 'r' }), LONG_MS)
    expect(report).toMatchObject({ outcome: 'refused', refusal: { code: 'unknown_method', sipStatus: 501 } })
    expect(await ask()).toMatchObject({ outcome: 'done' })
  })

  it('a verdict that is newer than this edge is none', async () => {
    const unheardOf = Buffer.from('aa0600', 'hex') // field 101, a message of no bytes
    const { ask } = await edgeOf([{ unary: { Decide: (_call, answer) => answer(null, unheardOf) } }])
    expect(await ask()).toMatchObject({ outcome: 'done', value: { verdict: undefined } })
  })

  it('fields of a question that an older node does not know are passed over by it', () => {
    const encoded = withNewerFields(DecideRequest.encode(DecideRequest.fromPartial(question())).finish())
    expect(DecideRequest.decode(encoded)).toEqual(DecideRequest.fromPartial(question()))
  })

  it('without Stream and Decide it is found out once for a connection', async () => {
    let tries = 0
    const lacking: RawPolicy = {
      unary: {
        Decide: (_call, answer) => {
          tries += 1
          answer({ code: status.UNIMPLEMENTED, details: 'not here' })
        },
        Authorize: (_call, answer) => answer(null, allow),
        Report: (_call, answer) => answer(null, Buffer.from(ReportResponse.encode({}).finish())),
      },
    }
    const { caller, ask } = await edgeOf([lacking])
    for (let k = 0; k < 5; k += 1) expect(await ask()).toMatchObject({ value: { verdict: TO_BOB } })
    expect(tries).toBe(1)
    expect(await caller.invoke('report', ReportRequest.fromPartial({ callRef: 'r' }), LONG_MS)).toMatchObject({
      outcome: 'done',
    })
  })

  it('one that has neither refuses', async () => {
    const { ask } = await edgeOf([{ unary: { Report: (_call, answer) => answer(null, Buffer.alloc(0)) } }])
    expect(await ask()).toMatchObject({ outcome: 'refused', refusal: { code: 'unknown_method' } })
  })
})
