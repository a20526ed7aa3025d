// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { edgeConfig, locationConfig, policyConfig, recordsConfig } from './views.ts'

const defaults = { 'cluster.secrets': [{ id: 1, secret: 'sixteen-characters' }] }
const config = (flags: Record<string, unknown> = {}) => loadConfig({ env: {}, flags, defaults })

describe('edgeConfig', () => {
  // DESIGN §9: SIP base+100k, internal base+90+100k, HTTP 9464+k.
  it.each([
    [0, 5_060, 5_150, 9_464],
    [1, 5_160, 5_250, 9_465],
    [7, 5_760, 5_850, 9_471],
  ])('edge %i listens on %i, %i and %i', (index, sipPort, internalPort, httpPort) => {
    const edge = edgeConfig(config({ 'edge.count': 8 }), index)
    expect(edge).toMatchObject({ index, id: `edge-${index}`, sipPort, internalPort, httpPort })
  })

  it('shares the SIP port and nothing else with a shared address', () => {
    const shared = config({ 'edge.sharedAddress': true, 'edge.count': 2 })
    expect(edgeConfig(shared, 1)).toMatchObject({ sipPort: 5_060, internalPort: 5_250, httpPort: 9_465 })
  })

  it('advertises the bind address unless told otherwise, never a wildcard', () => {
    expect(edgeConfig(config({ 'edge.bindAddress': '192.0.2.7' })).advertisedAddress).toBe('192.0.2.7')
    expect(edgeConfig(config({ 'edge.bindAddress': '0.0.0.0' })).advertisedAddress).not.toBe('0.0.0.0')
    expect(edgeConfig(config({ 'edge.advertisedAddress': 'sip.example' })).advertisedAddress).toBe('sip.example')
  })

  it('keeps ids distinct where one is configured for several edges', () => {
    expect(edgeConfig(config({ 'edge.id': 'pod-a' })).id).toBe('pod-a')
    expect(edgeConfig(config({ 'edge.id': 'pod', 'edge.count': 2 }), 1).id).toBe('pod-1')
  })

  it('reaches services at their ports on this machine, or where it is told', () => {
    expect(edgeConfig(config({ 'location.grpcPort': 1_234 })).locationTarget).toBe('127.0.0.1:1234')
    const two = { 'location.count': 2, 'store.url': 'redis://h' }
    expect(edgeConfig(config(two)).locationTarget).toBe('127.0.0.1:50051,127.0.0.1:50151')
    expect(edgeConfig(config({ ...two, 'location.address': 'a:1,b:2' })).locationTarget).toBe('a:1,b:2')
    expect(edgeConfig(config({ 'policy.address': 'policy:50052' })).policyTarget).toBe('policy:50052')
  })
})

describe('services', () => {
  it('policy knows the addresses that count as local', () => {
    const edgeHosts = ['198.51.100.1', '198.51.100.2']
    const view = policyConfig(config({ 'edge.advertisedAddress': '198.51.100.1', 'policy.edgeHosts': edgeHosts }))
    expect(view.localHosts).toEqual(['127.0.0.1', '198.51.100.1', '198.51.100.2'])
    expect(view.registration.maxContacts).toBe(10)
  })

  it('each has its own section and the common values', () => {
    expect(locationConfig(config(), 1)).toMatchObject({ index: 1, grpcPort: 50_151, httpPort: 9_664 })
    expect(locationConfig(config())).toMatchObject({ grpcPort: 50_051, clusterName: 'tandem', drainMs: 10_000 })
    expect(recordsConfig(config())).toMatchObject({ file: 'data/cdr.ndjson', policyTarget: '127.0.0.1:50052' })
  })
})
