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
  })
})
