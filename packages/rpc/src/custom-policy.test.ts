// SPDX-License-Identifier: MIT
//
// The policy service of examples/custom-policy, as its own process, asked through the caller of an
// edge, which finds that it has neither stream nor Decide. From outside: test/e2e/custom-policy.test.ts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DecideRequest, ReportRequest } from './gen/tandem/policy/v1/policy.ts'
import { locationService, policyService } from './service.ts'
import { createStreamCaller } from './stream-caller.ts'

const PROGRAM = fileURLToPath(new URL('../../../examples/custom-policy/policy.ts', import.meta.url))
const LONG_MS = 10_000
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function startProgram(listen = '127.0.0.1:0') {
  const program = spawn(process.execPath, [PROGRAM], { env: { ...process.env, LISTEN: listen, DOMAIN: 'x' } })
  closers.push(() => void program.kill())
  const [line] = await once(program.stdout, 'data')
  const [, port] = String(line).match(/port (\d+)/) ?? []
  return { program, address: `127.0.0.1:${port}` }
}

/** As an edge asks it. */
async function startForEdge() {
  const { program, address } = await startProgram()
  const onUnary = vi.fn()
  const caller = createStreamCaller(policyService, [address], { peer: 'edge-1.a', backoffMaxMs: 50, onUnary })
  closers.push(() => caller.close())
  await vi.waitFor(() => expect(caller.ready).toBe(true), LONG_MS)
  return { caller, program, address, onUnary }
}

const rows = [
  {
    name: 'admits a REGISTER',
    request: {
      method: 'REGISTER',
      requestUri: 'sip:x',
      to: '"Alice <x>" <sip:alice@X;user=ip>;tag=1',
      from: '<sip:alice@x>',
    },
    decision: { verdict: { $case: 'admit', value: { aor: 'sip:alice@x', maxContacts: 0 } }, callRef: '' },
  },
  {
    name: 'rejects a premium number',
    request: { method: 'INVITE', requestUri: 'sip:0900123@x', from: 'sip:alice@x' },
    decision: { verdict: { $case: 'reject', value: { status: 403, reason: 'No Premium Numbers' } }, callRef: '' },
  },
  {
    name: 'rejects a stranger',
    request: { method: 'INVITE', requestUri: 'sip:bob@x', from: '<sip:alice@elsewhere>' },
    decision: { verdict: { $case: 'reject', value: { status: 403 } } },
  },
  {
    name: 'plans a call, and has it reported',
    request: { method: 'INVITE', requestUri: 'sip:bob:pw@x:5070;transport=udp', from: '<sip:alice@x>' },
    decision: {
      verdict: {
        $case: 'plan',
        value: { accounting: true, steps: [{ targets: [{ where: { $case: 'aor', value: 'sip:bob@x:5070' } }] }] },
      },
      callRef: expect.stringMatching(/^[\w-]{16}$/),
    },
  },
  {
    name: 'sends a number to its trunk',
    request: { method: 'INVITE', requestUri: 'sip:0049@x', from: '<sip:alice@x>' },
    decision: {
      verdict: {
        $case: 'plan',
        value: {
          steps: [{ ringMs: 60_000, targets: [{ where: { $case: 'uri', value: 'sip:0049@trunk.example.net' } }] }],
        },
      },
    },
  },
  {
    name: 'lets a MESSAGE through without a report',
    request: { method: 'MESSAGE', requestUri: 'sip:bob@x', from: '<sip:alice@x>' },
    decision: { verdict: { $case: 'plan', value: { accounting: false } }, callRef: '' },
  },
  {
    name: 'answers an OPTIONS for the cluster',
    request: { method: 'OPTIONS', requestUri: 'sip:x', from: '<sip:alice@x>' },
    decision: { verdict: { $case: 'answer', value: { status: 200 } } },
  },
]

it('docs/custom-policy.md shows it', () => {
  const page = readFileSync(new URL('../../../docs/custom-policy.md', import.meta.url), 'utf8')
  const code = readFileSync(PROGRAM, 'utf8').replace(/^(\/\/.*\n)+/, '')
  expect(page).toContain(code)
})

describe('an edge whose policy service has only the unary methods', () => {
  it.each(rows)('$name', async ({ request, decision: wanted }) => {
    const { caller, address, onUnary } = await startForEdge()
    const decisions = Array.from({ length: 100 }, () =>
      caller.invoke('decide', DecideRequest.fromPartial(request), LONG_MS),
    )
    for (const decision of await Promise.all(decisions))
      expect(decision).toMatchObject({ outcome: 'done', value: wanted })
    const report = await caller.invoke('report', ReportRequest.fromPartial({}), LONG_MS)
    expect(report).toEqual({ outcome: 'done', value: { paidMs: undefined } })
    expect(onUnary.mock.calls).toEqual([[address]])
    expect(caller.counts).toMatchObject({ inFlight: 0, queued: 0, unknown: 0, refused: 0 })
  })

  it('is not ready while that is away, and asks it again when it is back, without saying so again', async () => {
    const { caller, program, address, onUnary } = await startForEdge()
    program.kill('SIGKILL')
    await vi.waitFor(() => expect(caller.ready).toBe(false), LONG_MS)
    const lost = caller.invoke('decide', DecideRequest.fromPartial({}), 50)
    expect(await lost).toMatchObject({ outcome: 'unknown' })
    await startProgram(address)
    await vi.waitFor(() => expect(caller.ready).toBe(true), LONG_MS)
    const { request, decision } = rows[1] as (typeof rows)[number]
    const answer = await caller.invoke('decide', DecideRequest.fromPartial(request), LONG_MS)
    expect(answer).toMatchObject({ outcome: 'done', value: decision })
    expect(onUnary).toHaveBeenCalledTimes(1)
  })

  it('what is under way when that dies is unknown', async () => {
    const { caller, program } = await startForEdge()
    program.kill('SIGSTOP')
    const asked = caller.invoke('decide', DecideRequest.fromPartial({}), LONG_MS)
    await vi.waitFor(() => expect(caller.counts.inFlight).toBe(1))
    program.kill('SIGKILL')
    expect(await asked).toMatchObject({ outcome: 'unknown' })
    expect(caller.counts.inFlight).toBe(0)
  })

  it('a service that needs its stream is never ready without it', async () => {
    const { address } = await startProgram()
    const onUnary = vi.fn()
    const caller = createStreamCaller(locationService, [address], { peer: 'edge-1.a', backoffMaxMs: 20, onUnary })
    closers.push(() => caller.close())
    const answer = caller.invoke('locate', { aor: 'sip:a@b' }, 300)
    expect(await answer).toMatchObject({ outcome: 'unknown' })
    expect({ ready: caller.ready, told: onUnary.mock.calls.length }).toEqual({ ready: false, told: 0 })
  })
})
