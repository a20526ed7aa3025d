// SPDX-License-Identifier: MIT
//
// The policy service of examples/custom-policy, as its own process, asked through the caller that an edge uses for it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { DecideRequest, ReportRequest } from './gen/tandem/policy/v1/policy.ts'
import { policyService } from './service.ts'
import { createUnaryCaller } from './unary-caller.ts'

const PROGRAM = fileURLToPath(new URL('../../../examples/custom-policy/policy.mjs', import.meta.url))
const LONG_MS = 10_000
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function start() {
  const program = spawn(process.execPath, [PROGRAM], { env: { ...process.env, LISTEN: '127.0.0.1:0' } })
  closers.push(() => void program.kill())
  const [line] = await once(program.stdout, 'data')
  const [, port] = String(line).match(/port (\d+)/) ?? []
  const caller = createUnaryCaller(policyService, `127.0.0.1:${port}`, { peer: 'edge-1.a' })
  closers.push(() => caller.close())
  return caller
}

const rows = [
  {
    name: 'admits a REGISTER',
    request: { method: 'REGISTER', requestUri: 'sip:x', to: '<sip:alice@x>;tag=1' },
    verdict: { $case: 'admit', value: { aor: 'sip:alice@x', maxContacts: 10 } },
  },
  {
    name: 'rejects a premium number',
    request: { method: 'INVITE', requestUri: 'sip:0900123@x', to: '<sip:0900123@x>' },
    verdict: { $case: 'reject', value: { status: 403, code: 'premium' } },
  },
  {
    name: 'plans a call',
    request: { method: 'INVITE', requestUri: 'sip:bob@x;transport=udp', to: '<sip:bob@x>' },
    verdict: { $case: 'plan', value: { steps: [{ targets: [{ where: { $case: 'aor', value: 'sip:bob@x' } }] }] } },
  },
]

describe('the custom policy example', () => {
  it('is what docs/rpc.md shows', () => {
    const page = readFileSync(new URL('../../../docs/rpc.md', import.meta.url), 'utf8')
    const code = readFileSync(PROGRAM, 'utf8').replace(/^(\/\/.*\n)+/, '')
    expect(page).toContain(code)
  })

  it.each(rows)('$name', async ({ request, verdict }) => {
    const caller = await start()
    const result = await caller.invoke('decide', DecideRequest.fromPartial(request), LONG_MS)
    expect(result).toMatchObject({ outcome: 'done', value: { verdict } })
    const report = await caller.invoke('report', ReportRequest.fromPartial({}), LONG_MS)
    expect(report).toEqual({ outcome: 'done', value: { paidMs: undefined } })
  })
})
