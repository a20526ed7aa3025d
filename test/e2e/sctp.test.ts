// SPDX-License-Identifier: MIT
// SCTP from outside, with SIPp: a call between two phones over SCTP through two edges. Only where the kernel has SCTP; up to that system
// call everything is in packages/transport/src/sctp.test.ts. Not tested here: multihomed peers, loss.
import { trySctp } from '@tandem/edge'
import { sippAvailable } from '@tandem/test-kit'
import { beforeEach, expect, it } from 'vitest'
import { startOpenCluster } from './support/open-cluster.ts'
import { beginSipp, expectPlayed, playSipp } from './support/sipp.ts'

const sipp = sippAvailable()
const missing = await trySctp('127.0.0.1', 0)

beforeEach((context) => {
  if (!sipp.available) context.skip(sipp.reason)
  if (missing !== '') context.skip(`needs a kernel with SCTP (${missing})`)
})

it('two phones talk over SCTP, through two edges', async () => {
  const domain = 'open.test'
  const cluster = await startOpenCluster({ [domain]: {} }, { edge: { listeners: { sctp: true } } })
  try {
    const callee = await beginSipp({ scenario: 'answer', transport: 'sctp' })
    const contact = `<sip:user1@127.0.0.1:${callee.port};transport=sctp>`
    const keys = { domain, contact, callee: 'user1' }
    expectPlayed(await playSipp({ scenario: 'register-open', port: cluster.sipPort(1), user: 'user1', keys }))
    const port = cluster.sipPort(0)
    const call = await playSipp({ scenario: 'call-open-and-hang-up', port, transport: 'sctp', keys })
    expectPlayed(call)
    expectPlayed(await callee.result)
    expect(call.messages).toMatch(/^Record-Route: <sip:[^>]*;transport=sctp;lr>/m)
  } finally {
    await cluster.stop()
  }
}, 30_000)
