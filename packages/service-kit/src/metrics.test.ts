// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { Metrics } from './metrics.ts'

const linesOf = async (metrics: Metrics, name: string) =>
  (await metrics.render()).split('\n').filter((line) => line.startsWith(name))

describe('Metrics', () => {
  it('reads plain fields at scrape', async () => {
    const counts = { sentOk: 1, lost: 0 }
    const metrics = new Metrics({ service: 'edge' })
    metrics.counters('tandem_x', counts, { sentOk: 'Sent.', lost: 'Lost.' })
    counts.sentOk = 7
    expect(await linesOf(metrics, 'tandem_x_sent_ok_total')).toEqual(['tandem_x_sent_ok_total{service="edge"} 7'])
    counts.sentOk = 8
    expect(await linesOf(metrics, 'tandem_x_sent_ok_total')).toEqual(['tandem_x_sent_ok_total{service="edge"} 8'])
    expect(await linesOf(metrics, 'tandem_x_lost_total')).toEqual(['tandem_x_lost_total{service="edge"} 0'])
  })

  it('has one label where asked, and forgets series that are gone', async () => {
    const metrics = new Metrics()
    let series: [string, number][] = [
      ['udp', 1],
      ['tcp', 2],
    ]
    metrics.labelledGauge('tandem_a_g', 'G.', 'transport', () => series)
    expect(await linesOf(metrics, 'tandem_a_g')).toEqual([
      'tandem_a_g{transport="udp"} 1',
      'tandem_a_g{transport="tcp"} 2',
    ])
    series = [['udp', 3]]
    expect(await linesOf(metrics, 'tandem_a_g')).toEqual(['tandem_a_g{transport="udp"} 3'])
    metrics.labelledCounter('tandem_a_c_total', 'C.', 'code', () => [['200', 4]])
    expect(await linesOf(metrics, 'tandem_a_c_total')).toEqual(['tandem_a_c_total{code="200"} 4'])
  })

  it('renders histograms cumulatively, bounds inclusive', async () => {
    const metrics = new Metrics()
    const histogram = metrics.histogram('tandem_a_h_seconds', 'H.', [1, 5])
    for (const value of [0.5, 1, 3, 9]) histogram.observe(value)
    expect(await linesOf(metrics, 'tandem_a_h_seconds')).toEqual([
      'tandem_a_h_seconds_bucket{le="1"} 2',
      'tandem_a_h_seconds_bucket{le="5"} 3',
      'tandem_a_h_seconds_bucket{le="+Inf"} 4',
      'tandem_a_h_seconds_sum 13.5',
      'tandem_a_h_seconds_count 4',
    ])
  })

  it('knows the process', async () => {
    const metrics = new Metrics()
    metrics.processMetrics()
    expect(await linesOf(metrics, 'process_resident_memory_bytes')).toHaveLength(1)
    expect(await linesOf(metrics, 'tandem_build_info')).toEqual([
      expect.stringMatching(/^tandem_build_info\{version="\d+\.\d+\.\d+[^"]*"\} 1$/),
    ])
  })

  it.each([
    ['gauge', 'edge_calls', 'A.'],
    ['gauge', 'tandem_calls', 'A.'],
    ['gauge', 'tandem_edge_calls_total', 'A.'],
    ['counter', 'tandem_edge_calls', 'A.'],
    ['gauge', 'tandem_edge_wait_ms', 'A.'],
    ['gauge', 'tandem_edge_calls_count', 'A.'],
    ['gauge', 'tandem_edge_camelCase', 'A.'],
    ['gauge', 'tandem_edge_calls', 'no sentence'],
  ] as const)('refuses a %s named %s', (type, name, help) => {
    expect(() => new Metrics()[type](name, help, () => 0)).toThrow(name)
  })

  it('refuses labels of the process, and histograms without a unit', () => {
    expect(() => new Metrics().labelledGauge('tandem_edge_x', 'X.', 'service', () => [])).toThrow('service')
    expect(() => new Metrics().histogram('tandem_edge_x', 'X.', [1])).toThrow('unit')
  })

  it('has histograms by a label, a bounded number of them', async () => {
    const metrics = new Metrics()
    const family = metrics.histogramFamily('tandem_a_f_seconds', 'F.', 'method', [1])
    for (let k = 0; k < 300; k++) family.observe(`m${k}`, 0.5)
    const counts = await linesOf(metrics, 'tandem_a_f_seconds_count')
    expect(counts).toHaveLength(257)
    expect(counts.at(-1)).toBe('tandem_a_f_seconds_count{method="other"} 44')
  })

  it('shows fields of an object as one counter with labels', async () => {
    const metrics = new Metrics()
    metrics.fieldsCounter('tandem_a_r_total', 'R.', ['reason'], () => ({ one: 1, two: 2 }), [
      ['one', 'first'],
      ['two', 'second'],
    ])
    expect(await linesOf(metrics, 'tandem_a_r_total')).toEqual([
      'tandem_a_r_total{reason="first"} 1',
      'tandem_a_r_total{reason="second"} 2',
    ])
  })
})
