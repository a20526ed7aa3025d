// SPDX-License-Identifier: MIT
//
// What a node tells of its resources.
import type { Metrics } from '@tandem/service-kit'
import type { ResourceDesk } from './resource-desk.ts'

export function registerResources(metrics: Metrics, desk: ResourceDesk): void {
  const { node } = desk
  const gauge = (name: string, help: string, read: () => number): void =>
    void metrics.gauge(`tandem_policy_resources_${name}`, help, read)
  const counter = (name: string, help: string, read: () => number): void =>
    void metrics.counter(`tandem_policy_resources_${name}_total`, help, read)
  gauge('revision', 'Revision of the resources in use.', () => node.at?.revision ?? 0)
  gauge('head_revision', 'Newest revision of the resources that this node has seen.', () => node.head.revision)
  gauge('head_age_seconds', 'Since this node last saw which revision is the newest.', () => node.ageMs / 1_000)
  gauge('held', 'Resources in use out of the store.', () => node.held.size)
  gauge('trouble', '1 while this node uses an older revision than it should.', () => (desk.trouble === '' ? 0 : 1))
  gauge('apply_seconds', 'Reading and laying out the revision in use.', () => node.counts.lastMs / 1_000)
  counter('applied', 'Revisions taken into use.', () => node.counts.applied)
  counter('failed', 'Revisions that could not be used, tries included.', () => node.counts.failed)
}
