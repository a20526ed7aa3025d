// SPDX-License-Identifier: MIT
// The driver against the real sipp: its own client calls its own server.
import { describe, expect, it } from 'vitest'
import { runSipp, sippAvailable, startSipp } from './sipp.ts'

const sipp = sippAvailable()
const title = sipp.available ? 'sipp' : `sipp (skipped: ${sipp.reason})`

const OPTIONS_CLIENT = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="options">
  <send><![CDATA[
    OPTIONS sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:[field0]@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 OPTIONS
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <recv response="200" timeout="500"/>
</scenario>`

const OPTIONS_SERVER = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="answers">
  <recv request="OPTIONS"/>
  <send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:];tag=[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>
</scenario>`

describe.skipIf(!sipp.available)(title, () => {
  it.each(['u1', 't1'] as const)(
    'calls its own server over %s, and says how it went on both sides',
    async (transport) => {
      const server = await startSipp({ scenario: { builtin: 'uas' }, transport, calls: 0 })
      const args = ['-d', '10']
      const target = `127.0.0.1:${server.port}`
      const client = await runSipp({ scenario: { builtin: 'uac' }, target, transport, calls: 3, rate: 100, args })
      expect(client).toMatchObject({ exitCode: 0, timedOut: false, successfulCalls: 3, failedCalls: 0 })
      expect(client.messages).toContain('INVITE sip:service@127.0.0.1')
      const stopped = await server.stop(500)
      expect(stopped.messages).toContain('BYE sip:')
      expect(server.process.end).toBeDefined()
    },
  )

  it('runs inline scenarios with injected rows', async () => {
    const server = await startSipp({ scenario: { xml: OPTIONS_SERVER }, calls: 2 })
    const target = `127.0.0.1:${server.port}`
    const inject = 'SEQUENTIAL\nann\nben\n'
    const client = await runSipp({ scenario: { xml: OPTIONS_CLIENT }, target, calls: 2, inject })
    expect(client).toMatchObject({ exitCode: 0, successfulCalls: 2 })
    expect(client.messages).toMatch(/OPTIONS sip:ann@[\s\S]*OPTIONS sip:ben@/)
    expect(await server.result).toMatchObject({ exitCode: 0, successfulCalls: 2 })
  })

  it('traces a line a message, and runs behind a prefix', async () => {
    const server = await startSipp({ scenario: { xml: OPTIONS_SERVER }, prefix: ['env'] })
    const target = `127.0.0.1:${server.port}`
    const inject = 'SEQUENTIAL\nann\n'
    const client = await runSipp({ scenario: { xml: OPTIONS_CLIENT }, target, inject, trace: 'short' })
    expect(client.messages).toMatch(
      /\tS\t\S+\tCSeq: ?1 OPTIONS\tOPTIONS sip:ann@.*\n.*\tR\t\S+\tCSeq: ?1 OPTIONS\tSIP\/2.0 200 OK\n/,
    )
    expect((await server.result).exitCode).toBe(0)
  })

  it('tells a failed call from a good one', async () => {
    const server = await startSipp({ scenario: { builtin: 'uas' }, calls: 0 })
    const target = `127.0.0.1:${server.port}`
    const inject = 'SEQUENTIAL\nann\n'
    const client = await runSipp({ scenario: { xml: OPTIONS_CLIENT }, target, inject })
    expect(client).toMatchObject({ exitCode: 1, failedCalls: 1, successfulCalls: 0 })
    await server.stop(100)
  })

  it('is ended in time', async () => {
    const started = performance.now()
    const result = await runSipp({ scenario: { builtin: 'uas' }, timeoutMs: 1_000 })
    expect(result.timedOut).toBe(true)
    expect(result.exitCode).not.toBe(0)
    expect(performance.now() - started).toBeLessThan(8_000)
  })

  it('shows what is wrong with a scenario', async () => {
    const result = await runSipp({ scenario: { xml: '<scenario><nonsense/></scenario>' } })
    expect(result.exitCode).not.toBe(0)
    expect(result.output + result.errors).toMatch(/Unable to load or parse/)
  })
})
