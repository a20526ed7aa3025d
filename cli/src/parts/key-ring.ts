// SPDX-License-Identifier: MIT
//
// Follows the key ring's file (`cluster.secretsFile`) for the services of a process that sign, verify or seal. Without a file there is nothing to follow.
import { type Config, type KeyRing, KeyRingFollower, type Logger, type Metrics, type Part } from '@tandem/service-kit'

interface Keyed {
  useKeyRing(ring: KeyRing): void
}

/** @param metrics each shows which keys are in use */
export function keyRingParts(
  { cluster }: Config,
  services: readonly Keyed[],
  metrics: readonly Metrics[],
  logger: Logger,
): Part[] {
  const { secretsFile: file, secrets: ring } = cluster
  const use = (next: KeyRing): void => {
    for (const service of services) service.useKeyRing(next)
  }
  const follower = new KeyRingFollower({ file, ring, logger, use })
  for (const each of metrics) registerKeyRing(each, follower)
  if (file === '') return []
  return [{ name: 'key ring', start: async () => follower.start(), stop: async () => follower.stop() }]
}

function registerKeyRing(metrics: Metrics, follower: KeyRingFollower): void {
  metrics.gauge(
    'tandem_process_signing_key_id',
    'Id of the key of the ring that signs: where processes differ for long, one has not got the new ring.',
    () => follower.ids[0] ?? -1,
  )
  metrics.gauge('tandem_process_keys', 'Keys of the ring: all of them verify.', () => follower.ids.length)
  metrics.labelledCounter(
    'tandem_process_key_ring_reads_total',
    'Changes of the file of the key ring: taken into use, or refused because it could not be read or was no ring.',
    'result',
    () => [
      ['taken', follower.counts.changes],
      ['refused', follower.counts.failures],
    ],
  )
}
