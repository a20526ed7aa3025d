// SPDX-License-Identifier: MIT
// The warm-up of an edge whose location and policy are elsewhere, on real sockets. One test: a process warms up once.
// Not tested here: with services in the same process (cli/src/parts/warm-up.test.ts), what it gains (docs/performance.md).
import type { LocationMethods, location, PolicyMethods, policy } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import { expect, it, vi } from 'vitest'
import { callerOf, ManualService, testConfig } from '../testing.ts'
import { warmUp } from './warm-up.ts'

it('places its calls with canned answers, once a process', async () => {
  const services = new ManualService()
  const info = vi.fn()
  const options = {
    config: testConfig({ 'edge.warmUpCalls': 60 }),
    location: callerOf<LocationMethods, location.Push>(services),
    policy: callerOf<PolicyMethods, policy.Push>(services),
    logger: { info } as unknown as Logger,
  }
  await warmUp(options)
  await warmUp(options)
  expect(info.mock.calls).toEqual([[{ calls: 60, ms: expect.any(Number) }, 'warmed up']])
  expect(services.items).toEqual([])
})
