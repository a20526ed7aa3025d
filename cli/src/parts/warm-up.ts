// SPDX-License-Identifier: MIT
//
// Location and policy for the calls that an edge of the same process places to itself before it is ready: the same services with the
// same settings, over an embedded store and a domain of their own. Nothing of it is told, and nothing is left.
import type { EdgeServiceOptions } from '@tandem/edge'
import { createLocationService } from '@tandem/location'
import { createPolicyService } from '@tandem/policy'
import { loadResources } from '@tandem/resources'
import { type Config, createLogger, type EdgeConfig, locationConfig, policyConfig } from '@tandem/service-kit'
import { createMemoryStore } from '@tandem/store'
import { inProcessCallers } from './callers.ts'

export function warmUpCallers(config: Config, edge: EdgeConfig): NonNullable<EdgeServiceOptions['warmUpCallers']> {
  return async (user, domain) => {
    const loaded = await loadResources(resourcesOf(user, domain), { baseDir: '.', env: {} })
    if (!loaded.ok) throw new Error(`the domain of the warm-up is refused: ${loaded.problems[0]?.expected}`)
    const logger = createLogger({ level: 'silent', service: 'warm-up' })
    const store = createMemoryStore({ now: Date.now })
    const location = createLocationService({ store: store.location, config: locationConfig(config), logger })
    const settings = policyConfig(config)
    const policy = createPolicyService({
      store: store.policy,
      accounts: store.accounts,
      config: settings,
      resources: loaded.set,
      logger,
    })
    await Promise.all([location.start(), policy.start()])
    const callers = inProcessCallers({ location, policy }, edge, logger)
    const close = async () => {
      await Promise.all([callers.location.close(), callers.policy.close()])
      await Promise.all([location.stop(), policy.stop()])
    }
    return { ...callers, close }
  }
}

function resourcesOf(user: string, domain: string) {
  const open = { authentication: 'none', identity: 'off', anonymous: 'allow' }
  return [
    { apiVersion: 'tandem/v1', kind: 'Domain', metadata: { name: domain }, spec: open },
    { apiVersion: 'tandem/v1', kind: 'Subscriber', metadata: { name: user, domain } },
  ]
}
