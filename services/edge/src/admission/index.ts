// SPDX-License-Identifier: MIT
//
// Admission as an edge's configuration asks for it.
import type { EdgeConfig, Logger } from '@tandem/service-kit'
import type { SipMessage } from '@tandem/sip'
import { networkList } from '../listeners/stream-listeners.ts'
import { Admission } from './admission.ts'
import { RequestClasses } from './request-class.ts'

export { Admission } from './admission.ts'

export function createAdmission(config: EdgeConfig, logger: Logger, random: () => number): Admission {
  const { admission } = config
  const classes = new RequestClasses({
    keyRing: config.keyRing,
    nonceLifetimeMs: config.nonceLifetimeMs,
    emergencyNumbers: admission.emergencyNumbers,
    trustedSources: networkList(admission.trustedSources),
    hasTrustedSources: admission.trustedSources.length > 0,
    resourcePriorities: admission.resourcePriorities,
    wallClock: Date.now,
  })
  const settings = {
    enabled: admission.enabled,
    rate: {
      targetMs: admission.targetLatencyMs,
      minRate: admission.minRatePerSecond,
      maxRate: admission.maxRatePerSecond,
    },
    returns: {
      minS: 1,
      spreadS: Math.ceil(admission.retryAfterSpreadMs / 1000),
      maxS: Math.ceil(admission.retryAfterMaxMs / 1000),
    },
  }
  const onFloor = (latencyMs: number): void => {
    logger.warn(
      { latencyMs: Math.round(latencyMs), ratePerSecond: settings.rate.minRate },
      'requests wait longer than edge.admission.targetLatencyMs although few are let in: a service or its store is slow, or the target is below what they take without load',
    )
  }
  return new Admission(settings, { classes, random, onFloor })
}

/** What of the core a Retry-After needs. */
interface Refusing {
  readonly admission: Admission
  now(): number
}

/**
 * `Retry-After: …\r\n` for a request that is refused because there is too much, or something is away: spread by chance, the wider the more
 * were refused.
 * @param soonestS seconds that a service asked for
 */
export function spreadRetryAfter(core: Refusing, msg: SipMessage, soonestS = 1): string {
  return `Retry-After: ${Math.max(0, soonestS - 1) + core.admission.retryAfterS(msg, core.now())}\r\n`
}
