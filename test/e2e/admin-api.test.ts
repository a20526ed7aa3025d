// SPDX-License-Identifier: MIT
// Resources changed while the cluster runs, as a person does it: `tandem apply`, and a phone that can be called from then on, until the
// change is taken back. The API is that of the running cluster.
// Not tested here: every method, role and bound (services/console), output of each verb (cli/src/api), several nodes (RES in memory-cluster).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sippAvailable } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { beginSipp, expectPlayed, lastStatus, newCallId, playSipp, registerSipp } from './support/sipp.ts'
import { runTandem } from './support/tandem.ts'

const missing = sippAvailable()
if (!missing.available) console.warn(`Tests of the admin API with phones are skipped: ${missing.reason}`)

const user = (name: string, more = '') => `apiVersion: tandem/v1
kind: Subscriber
metadata: { name: ${name}, domain: example.test, labels: { made: e2e } }
spec:
  credentials: { password: ${name}-secret }
  account: demo
${more}`

describe.skipIf(!missing.available)('tandem apply', () => {
  let cluster: Cluster
  let serial = 0
  const folder = mkdtempSync(join(tmpdir(), 'tandem-apply-'))
  beforeAll(async () => {
    cluster = await Cluster.start()
  })
  afterAll(async () => {
    await cluster.stop()
    rmSync(folder, { recursive: true })
  })

  const url = () => `http://127.0.0.1:${cluster.basePort + 25}`
  const tandem = (...args: string[]) => runTandem(args, { TANDEM_API: url() })
  /** The API without a process for each question. */
  const api = async (path: string, yaml?: string): Promise<{ readonly status: number; readonly text: string }> => {
    const body =
      yaml === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/yaml' }, body: yaml }
    const response = await fetch(url() + path, body)
    return { status: response.status, text: await response.text() }
  }
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const statusOfCall = async (callee: string): Promise<number> => {
    const refused = await playSipp({
      scenario: 'call-and-be-refused',
      port: cluster.sipPort(0),
      user: 'alice',
      keys: { callee },
    })
    return lastStatus(refused)
  }

  it('a subscriber that was not there registers and is called, and is gone after a roll-back', async () => {
    // Another one each time, so that a second run in the same process begins anew.
    const zoe = `zoe${++serial}`
    expect(await statusOfCall(zoe)).toBe(404)
    const documents = file('zoe.yaml', user(zoe))

    expect((await api('/v1/diff', user(zoe))).text).toContain(`"Subscriber/example.test/${zoe}"`)
    const applied = await tandem('apply', '-f', documents, '--comment', 'a phone more')
    expect(applied, applied.err).toMatchObject({ status: 0, out: expect.stringMatching(/1 added, .*: revision \d+/) })

    const port = 40_050
    const phone = await beginSipp({ scenario: 'answer', localPort: port })
    try {
      await expect
        .poll(() => registerSipp(zoe, cluster.sipPort(1), port).then(() => 'in', String), { timeout: 15_000 })
        .toBe('in')
      const callId = newCallId('applied')
      expectPlayed(
        await playSipp({
          scenario: 'call-and-hang-up',
          port: cluster.sipPort(0),
          user: 'alice',
          callId,
          keys: { callee: zoe },
        }),
      )
      expectPlayed(await phone.result)
      expect(await cluster.record(callId)).toMatchObject({ outcome: 'answered', to_uri: `sip:${zoe}@example.test` })
    } finally {
      await phone.stop()
    }

    const got = await tandem('get', 'subscriber', `${zoe}@example.test`, '-o', 'yaml')
    expect(got.out).toContain('account: demo')
    expect(got.out).not.toContain(`${zoe}-secret`)
    const { revisions: history } = JSON.parse((await api('/v1/revisions')).text) as {
      revisions: { revision: number; comment: string }[]
    }
    const [newest] = history.filter(({ comment }) => comment === 'a phone more')
    const back = await tandem('rollback', String((newest?.revision ?? 0) - 1))
    expect(back, back.err).toMatchObject({
      status: 0,
      out: expect.stringContaining(`- Subscriber/example.test/${zoe}`),
    })
    await expect.poll(() => statusOfCall(zoe), { timeout: 15_000 }).toBe(404)
    const audit = readFileSync(join(cluster.folder, 'audit.ndjson'), 'utf8')
    expect(audit).toMatch(/"method":"apply".*\n.*"method":"rollback"/)
    expect(audit).not.toContain('-secret')
  })

  it('what is wrong is named with its place and the nearest name, and nothing is applied', async () => {
    const bad = file('bad.yaml', user(`nils${++serial}`, '  usernmes: [x]\n'))
    const refused = await tandem('apply', '-f', bad)
    expect(refused.status).toBe(1)
    expect(refused.err).toContain(`${bad}:7:3: spec.usernmes: unknown key "usernmes"; did you mean "usernames"?`)
    const dangling = await api('/v1/apply?file=d.yaml', user(`nils${serial}`).replace('account: demo', 'account: demi'))
    expect(dangling.status).toBe(422)
    expect(JSON.parse(dangling.text)).toMatchObject({
      error: {
        where: { file: 'd.yaml', line: 6, column: 3, path: 'spec.account' },
        message: expect.stringContaining('Account/demo'),
      },
    })
    expect((await api(`/v1/resources/Subscriber/nils${serial}?domain=example.test`)).status).toBe(404)
  })

  it('what is exported applies again, and shows no secret', async () => {
    const name = `olga${++serial}`
    expect(await api('/v1/apply', user(name))).toMatchObject({ status: 200 })
    const exported = await tandem('export', '--manager', 'api')
    expect(exported.out).toContain(`name: ${name}`)
    expect(exported.out).not.toContain('-secret')
    const again = JSON.parse((await api('/v1/apply', exported.out)).text) as Record<string, unknown>
    expect(again).toMatchObject({ applied: false, added: 0, changed: 0, removed: 0 })
    const gone = await fetch(`${url()}/v1/resources/Subscriber/${name}?domain=example.test`, { method: 'DELETE' })
    expect(await gone.json()).toMatchObject({ applied: true, removed: 1 })
  })
})
