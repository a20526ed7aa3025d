// SPDX-License-Identifier: MIT
// Benches with small parameters: that they run, that their calls succeed, that their lines have figures. What the figures
// are is not judged here; docs/performance.md has those of a quiet machine. Kamailio takes part in none of them.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { redisAvailable, sippAvailable } from '@tandem/test-kit'
import { expect, it } from 'vitest'
import { freeBlock } from './support/cluster.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const RUN_MS = 90_000
const ENV = { ...process.env, TANDEM_EDGE_WARM_UP_CALLS: '0' }

/** The lines that a bench prints, of which the last comes first. Its exit status must be 0. */
async function linesOf(bench: string, ...flags: string[]): Promise<Record<string, unknown>[]> {
  const args = [`bench/${bench}.mjs`, ...flags, '--base-port', String(await freeBlock())]
  const run = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: RUN_MS, env: ENV })
  expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0)
  const lines = run.stdout.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>).reverse()
}

it.each(['tls', 'tcp'])('calls over %s', async (transport) => {
  const flags = ['--calls', '20', '--rate', '40', '--rounds', '1', '--connections', '2', '--only', 'tandem']
  const [summary, round] = await linesOf('tls-calls', ...flags, '--transport', transport)
  expect(summary).toMatchObject({ failed: 0 })
  expect(round).toMatchObject({ proxy: 'tandem', ok: 20, failed: 0, usPerCall: expect.any(Number) })
})

it('idle connections that are registered and kept alive', async () => {
  const [line] = await linesOf('connections', '--connections', '40', '--settle', '1', '--ping', '1')
  expect(line).toMatchObject({ open: 40, failed: 0, sample: '40 of 40 answered' })
  expect(line?.pongs).toBeGreaterThan(0)
})

it('the hop between edges', async () => {
  const [line] = await linesOf('internal-hop', '--messages', '40', '--rate', '40', '--warm-up', '10')
  expect(line).toMatchObject({ unanswered: 0, addedP50Ms: expect.any(Number) })
})

it('calls beside a storm of handshakes; those that are resumed are', async () => {
  const lines = await linesOf('handshakes', '--seconds', '1', '--rate', '20', '--parallel', '2', '--storm', '4')
  const runs = lines.filter((line) => line.run !== undefined)
  expect(runs).toHaveLength(3)
  for (const run of runs) expect(run).toMatchObject({ tls: { failed: 0 }, udp: { failed: 0 } })
  const capacities = lines.filter((line) => line.key !== undefined)
  expect(capacities).toHaveLength(8)
  for (const { resumed, reused, failed } of capacities) {
    expect(failed).toBe(0)
    if (resumed === true) expect(reused).toBeGreaterThan(0)
    else expect(reused).toBe(0)
  }
})

const redis = redisAvailable()

it.skipIf(!redis.available)('registrations and look-ups, in memory and in Redis', async () => {
  const small = ['--users', '20', '--operations', '60', '--warm-up', '20', '--rounds', '1', '--in-flight', '5']
  const [summary, ...rounds] = await linesOf('registrations', ...small, '--only', 'tandem,tandem-redis')
  expect(summary).toMatchObject({ failed: 0, refresh: { perCpuSecond: {} }, lookup: { perCpuSecond: {} } })
  expect(rounds).toHaveLength(4)
  for (const round of rounds) expect(round).toMatchObject({ failed: 0, cpuUs: { all: expect.any(Number) } })
})

const calls = redis.available && sippAvailable().available
it.skipIf(!calls)('calls with bindings in Redis', async () => {
  const small = ['--calls', '20', '--rate', '40', '--warm-up', '10', '--rounds', '1', '--only', 'tandem-redis']
  const [summary, round] = await linesOf('redis-calls', ...small)
  expect(summary).toMatchObject({ failed: 0 })
  expect(round).toMatchObject({ proxy: 'tandem-redis', ok: 20, cpuUs: { redis: expect.any(Number) } })
})

it.skipIf(!redis.available)('items of the stream to location', async () => {
  const lines = await linesOf('location-items', '--items', '60', '--aors', '20', '--in-flight', '1,10')
  expect(lines).toHaveLength(10)
  for (const line of lines) expect(line).toMatchObject({ edgeUs: expect.any(Number), redisUs: expect.any(Number) })
})

it.skipIf(!redis.available)('a start on many bindings', async () => {
  const lines = await linesOf('million-bindings', '--aors', '2000', '--rounds', '1', '--calls', '10')
  expect(lines.slice(1)).toMatchObject([
    { bindings: 2_000, failed: 0 },
    { bindings: 0, failed: 0 },
  ])
})
