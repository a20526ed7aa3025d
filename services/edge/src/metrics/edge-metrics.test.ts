// SPDX-License-Identifier: MIT
// What an edge shows of messages without a transaction: refused, unreadable, of statuses that nobody has registered; and that its description names all of it.
// Not tested here: transactions (packages/sip/src/transaction/traffic.test.ts), a cluster (test/e2e/prometheus.test.ts).
import { Metrics } from '@tandem/service-kit'
import { afterEach, expect, it } from 'vitest'
import { registerEdgeMetrics } from '../metrics.ts'
import { EdgeBench, requestText } from '../testing.ts'
import { describeEdgeMetrics } from './describe.ts'

let bench: EdgeBench
afterEach(() => bench.close())

async function shown(): Promise<string> {
  const metrics = new Metrics()
  registerEdgeMetrics(metrics, bench.core, () => ({ udp: [], tcp: [] }))
  return metrics.render()
}

it('counts requests and responses without a transaction, parse errors and refusals by reason', async () => {
  bench = new EdgeBench()
  bench.udpIn(requestText({ method: 'BYE', toTag: 'unknown' }))
  bench.udpIn('INVITE nonsense\r\n\r\n')
  const text = await shown()
  expect(text).toMatch(/^tandem_sip_requests_total\{direction="in",method="BYE"\} 1$/m)
  expect(text).toMatch(/^tandem_sip_responses_total\{direction="out",method="BYE",class="4xx",code="481"\} 1$/m)
  expect(text).toMatch(/^tandem_edge_refused_requests_total\{reason="no_dialog"\} 1$/m)
  expect(text).toMatch(/^tandem_sip_parse_errors_total\{code="\w+"\} 1$/m)
})

it('puts statuses that no RFC has into one series for each class', async () => {
  bench = new EdgeBench()
  const { traffic } = bench.core.layer
  for (const status of [404, 444, 445, 499, 699]) traffic.responseIn(1, status)
  const text = await shown()
  expect(text).toMatch(/direction="in",method="INVITE",class="4xx",code="404"\} 1$/m)
  expect(text).toMatch(/direction="in",method="INVITE",class="4xx",code="4xx"\} 3$/m)
  expect(text).toMatch(/direction="in",method="INVITE",class="6xx",code="6xx"\} 1$/m)
})

it('is described whole', async () => {
  bench = new EdgeBench()
  const described = new Set(describeEdgeMetrics().map(({ name }) => name))
  const names = [...(await shown()).matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name as string)
  expect(names.filter((name) => name.startsWith('tandem_') && !described.has(name) && !/_process_/.test(name))).toEqual(
    [],
  )
})
