// SPDX-License-Identifier: MIT
// An edge's warm-up with location and policy of its own process, on real sockets: that its calls are allowed, routed and ended, and that
// nothing of it reaches the services of the edge. One test: a process warms up once.
// Not tested here: canned answers (services/edge/src/warm-up/warm-up.test.ts), what it gains (docs/performance.md).
import { createEdgeService } from '@tandem/edge'
import { edgeConfig, type Logger, loadConfig } from '@tandem/service-kit'
import { freePortRange } from '@tandem/test-kit'
import { expect, it, vi } from 'vitest'
import { warmUpCallers } from './warm-up.ts'

it('places its calls through services of its own, where accounting and authentication are on', async () => {
  const flags = {
    'cluster.secrets': [{ id: 1, secret: 'a secret for tests only' }],
    'edge.bindAddress': '127.0.0.1',
    'edge.basePort': await freePortRange(8, 1),
    'edge.warmUpCalls': 60,
    'edge.listeners.tls': false,
    'edge.listeners.ws': false,
    'edge.listeners.wss': false,
    'shutdown.drainMs': 1,
  }
  const config = loadConfig({ env: {}, flags })
  const settings = edgeConfig(config, 0)
  const info = vi.fn()
  const rest = { warn: vi.fn(), error: vi.fn(), debug: vi.fn(), child: () => logger, isLevelEnabled: () => true }
  const logger = { info, ...rest } as unknown as Logger
  const make = warmUpCallers(config, settings)
  const own = await make('nobody', 'own.test')
  const edge = createEdgeService({ config: settings, ...own, logger, warmUpCallers: make })
  await edge.start()
  expect(info).toHaveBeenCalledWith({ calls: 60, ms: expect.any(Number) }, 'warmed up')
  // The lease of the edge itself.
  expect([own.location.counts.items, own.policy.counts.items]).toEqual([1, 0])
  await edge.stop()
  await own.close()
})
