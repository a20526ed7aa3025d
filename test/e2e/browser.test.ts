// SPDX-License-Identifier: MIT
// A real browser, Chromium with JsSIP, over WSS: it registers, calls another tab at another edge, SIPp over UDP, and is called by SIPp.
// Media is set up by the browsers between themselves and not looked at; the certificate is the one that an edge makes for itself.
import { sippAvailable } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BrowserStage, chromium } from './support/browser.ts'
import { Cluster } from './support/cluster.ts'
import { beginSipp, expectPlayed, registerSipp } from './support/sipp.ts'

const sipp = sippAvailable()
let cluster: Cluster
let stage: BrowserStage

beforeAll(async () => {
  if (!chromium.available) return
  cluster = await Cluster.start({ env: { TANDEM_POLICY_CHALLENGE_ORDER: 'MD5' } }) // what JsSIP knows
  stage = await BrowserStage.open()
}, 60_000)
beforeEach((context) => {
  if (!chromium.available) context.skip(chromium.reason)
})
afterAll(async () => {
  await stage?.close()
  await cluster?.stop()
})

/** Edge k's WSS listener. */
const wss = (edge: number): string => `wss://127.0.0.1:${cluster.sipPort(edge) + 7}`

describe('phones in a browser, over WSS [RFC7118-5]', () => {
  it('one calls another in another tab at another edge, and hangs up', async () => {
    const alice = await stage.phone('alice', wss(0))
    const bob = await stage.phone('bob', wss(1))
    await alice.call('sip:bob@example.test')
    await bob.saw('incoming')
    await alice.saw('confirmed')
    await bob.saw('confirmed')
    await alice.hangUp()
    await bob.saw('ended Terminated')
    expect((await alice.events()).filter((event) => event.startsWith('failed'))).toEqual([])
    await Promise.all([alice.page.close(), bob.page.close()])
  }, 60_000)

  it('texts pass both ways', async () => {
    const alice = await stage.phone('alice', wss(1))
    const bob = await stage.phone('bob', wss(0))
    await alice.text('sip:bob@example.test', 'one')
    await bob.saw('message remote one')
    await bob.text('sip:alice@example.test', 'two')
    await alice.saw('message remote two')
    await Promise.all([alice.page.close(), bob.page.close()])
  }, 60_000)

  it('it calls SIPp over UDP, which answers and hangs up', async (context) => {
    if (!sipp.available) return context.skip(sipp.reason)
    const carol = await beginSipp({ scenario: 'answer-browser', pauseMs: 500 })
    await registerSipp('carol', cluster.sipPort(1), carol.port)
    const alice = await stage.phone('alice', wss(0))
    await alice.call('sip:carol@example.test')
    await alice.saw('confirmed')
    await alice.saw('ended')
    expectPlayed(await carol.result)
    await alice.page.close()
  }, 60_000)
})
