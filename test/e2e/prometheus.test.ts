// SPDX-License-Identifier: MIT
// Debian's Prometheus scrapes a running cluster on Redis while SIPp calls: promtool finds nothing wrong with what any service shows, every metric shown is in
// the reference, every query of every dashboard gives data (or is one that may be empty, with its reason), and no alert fires but those of a
// cluster that was just started.
// Not tested here: what Grafana draws, the Prometheus adapter, redis_exporter.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  findProgram,
  freePort,
  type ManagedProcess,
  type RunningRedis,
  redisAvailable,
  sippAvailable,
  startProcess,
  startRedis,
  waitUntil,
} from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { labelsOf, ROOT } from '../metrics/reference.ts'
import { Cluster } from './support/cluster.ts'
import { forget } from './support/phone.ts'
import { beginSipp, expectPlayed, playSipp, registerSipp } from './support/sipp.ts'

const needed = [
  findProgram(['prometheus'], 'prometheus'),
  findProgram(['promtool'], 'prometheus'),
  redisAvailable(),
  sippAvailable(),
]
const missing = needed.flatMap((one) => (one.available ? [] : [one.reason]))[0]

/** Offsets of HTTP ports from the SIP base port: two edges, location, policy, records, console. */
const SERVICES = { edge: [10, 11], location: [22], policy: [23], records: [24], console: [27] } as const
/** Two samples at least, on a machine that is busy. */
const RATE_INTERVAL = '20s'

/** What a query must name to be allowed to be empty after a few good calls between two phones. */
const MAY_BE_EMPTY: Readonly<Record<string, string>> = {
  tandem_policy_trunk_registered: 'no trunk of the quick start registers at a carrier',
  redis_: 'redis_exporter is optional, and not here',
  tandem_sip_parse_errors_total: 'nothing unreadable was sent',
  'class=~"5xx|6xx"': 'no call failed',
  tandem_edge_policy_circuit: 'policy is in the same process: there is no node to leave alone',
  tandem_policy_trunk_asr_ratio: 'no call went by a trunk',
  tandem_policy_trunk_ner_ratio: 'no call went by a trunk',
  tandem_policy_trunk_acd_seconds: 'no call went by a trunk',
  tandem_policy_trunk_pdd_seconds: 'no call went by a trunk',
  tandem_policy_trunk_outcomes_total: 'no call went by a trunk',
  tandem_policy_trunk_calls_limit: 'the trunk of the quick start has no bound',
  tandem_policy_fraud_matches_total: 'no rule was met',
  tandem_policy_charged_currency_units_total: 'calls within the cluster cost nothing',
  tandem_policy_held_currency_units: 'calls within the cluster cost nothing',
  tandem_records_fraud_webhook: 'no webhook is set',
  tandem_records_ledger: 'ledgers are not copied',
  'reason="by_bug"': 'shown, and 0',
}

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

const queries = globSync('deploy/grafana/dashboards/*.json', { cwd: ROOT }).flatMap((file) => {
  const { panels } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { panels: Panel[] }
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: `${file}: ${title}`, expr })))
})
const asAsked = (expr: string): string => expr.replaceAll('$__rate_interval', RATE_INTERVAL).replace(/\$\w+/g, '.*')

describe('Prometheus at a cluster', () => {
  let folder = ''
  let redis: RunningRedis
  let cluster: Cluster
  let prometheus: ManagedProcess
  let port = 0
  /** A try that is repeated has calls of its own. */
  let made = 0

  const targetsOf = (service: keyof typeof SERVICES): string[] =>
    SERVICES[service].map((offset) => `127.0.0.1:${cluster.basePort + offset}`)
  const names = Object.keys(SERVICES) as (keyof typeof SERVICES)[]

  async function ask<T>(path: string, params: Readonly<Record<string, string>> = {}): Promise<T> {
    const url = `http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(params)}`
    const answer = (await (await fetch(url)).json()) as { status: string; error?: string; data: T }
    if (answer.status !== 'success') throw new Error(`${JSON.stringify(params)}: ${answer.error}`)
    return answer.data
  }
  const resultOf = async (expr: string): Promise<unknown[]> =>
    (await ask<{ result: unknown[] }>('query', { query: asAsked(expr) })).result

  async function startPrometheus(): Promise<ManagedProcess> {
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [join(ROOT, 'deploy/prometheus/alerts.yaml')],
      scrape_configs: names.map((name) => ({ job_name: name, static_configs: [{ targets: targetsOf(name) }] })),
    }
    const file = join(folder, 'prometheus.json')
    writeFileSync(file, JSON.stringify(config))
    const storage = `--storage.tsdb.path=${join(folder, 'data')}`
    const args = [`--config.file=${file}`, storage, `--web.listen-address=127.0.0.1:${port}`]
    return startProcess({ command: 'prometheus', args })
  }

  async function call(): Promise<void> {
    const [near, far] = [cluster.sipPort(0), cluster.sipPort(1)]
    await forget('bob', near)
    const bob = await beginSipp({ scenario: 'answer', pauseMs: 200, keys: { callee: 'bob', other_port: far } })
    await registerSipp('bob', far, bob.port)
    const alice = {
      scenario: 'call-and-hang-up',
      port: near,
      user: 'alice',
      pauseMs: 200,
      keys: { callee: 'bob', other_port: far },
    }
    expectPlayed(await playSipp(alice))
    expectPlayed(await bob.result)
    made += 1
  }

  beforeAll(async () => {
    if (missing !== undefined) return
    folder = mkdtempSync(join(tmpdir(), 'tandem-prometheus-'))
    port = await freePort()
    redis = await startRedis()
    cluster = await Cluster.start({ processes: 'single', store: redis.url })
    prometheus = await startPrometheus()
  }, 60_000)
  beforeEach((context) => {
    if (missing !== undefined) context.skip(missing)
  })
  afterAll(async () => {
    await prometheus?.stop(2_000)
    await cluster?.stop()
    await redis?.stop()
    if (folder !== '') rmSync(folder, { recursive: true, force: true })
  })

  it('every dashboard query gives data after a few calls', { timeout: 90_000 }, async () => {
    for (let k = 0; k < 3; k++) await call()
    const excuseFor = (expr: string) => Object.keys(MAY_BE_EMPTY).find((part) => expr.includes(part))
    const wanted = queries.filter(({ expr }) => excuseFor(expr) === undefined)
    let empty = wanted
    const isThere = async (): Promise<boolean> => {
      const results = await Promise.all(empty.map(({ expr }) => resultOf(expr)))
      empty = empty.filter((_, at) => results[at]?.length === 0)
      return empty.length === 0
    }
    await waitUntil('data for every query', isThere, 40_000, 500).catch(() => undefined)
    expect(empty.map(({ where, expr }) => `${where}: ${expr}`)).toEqual([])
    for (const { expr } of queries.filter(({ expr }) => excuseFor(expr) !== undefined)) await resultOf(expr)
  })

  it('no excuse is left over', () => {
    const unused = Object.keys(MAY_BE_EMPTY).filter((part) => !queries.some(({ expr }) => expr.includes(part)))
    expect(unused).toEqual([])
  })

  it.each(names)('promtool has nothing against what %s shows, and the reference knows all of it', async (service) => {
    for (const target of targetsOf(service)) {
      const text = await (await fetch(`http://${target}/metrics`)).text()
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
      const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('tandem_'))
      expect({ status: ours.length === 0 ? 0 : status, ours }).toEqual({ status: 0, ours: [] })
      for (const [, name, labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
        const known = labelsOf(name as string)
        expect(known, `${name} is not in docs/reference/metrics.md`).toBeDefined()
        for (const [, label] of labels.matchAll(/(\w+)="/g)) expect(known, `${name} ${label}`).toContain(label)
      }
    }
  })

  it('calls are counted once, and no label is a user or a call', async () => {
    const [answered] = (await resultOf('sum(tandem_edge_calls_ended_total{result="answered"})')) as {
      value: [number, string]
    }[]
    expect(Number(answered?.value[1])).toBe(made)
    const [ringing] = (await resultOf('sum(tandem_call_post_dial_delay_seconds_count)')) as {
      value: [number, string]
    }[]
    expect(Number(ringing?.value[1])).toBe(made)
    const all = await ask<Record<string, string>[]>('series', { 'match[]': '{__name__=~"tandem_.*"}' })
    const values = all.flatMap((series) => Object.values(series))
    expect(values.filter((value) => /alice|bob|@/.test(value))).toEqual([])
  })

  it('no alert fires', async () => {
    const { alerts } = await ask<{ alerts: { state: string; labels: { alertname: string } }[] }>('alerts')
    expect(alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname)).toEqual([])
  })
})
