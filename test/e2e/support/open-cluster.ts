// SPDX-License-Identifier: MIT
// The cluster of behaviours.test.ts: domains that ask nobody for credentials and keep no records, each with one thing about it,
// and with the same users.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, type ClusterOptions } from './cluster.ts'

const USERS = 60
/** Of every such cluster. */
export const OPEN_SECRET = { id: 1, secret: 'for-this-test-and-no-other' }
const apiVersion = 'tandem/v1'

/** What is special about each domain. */
export type Domains = Readonly<Record<string, Readonly<Record<string, unknown>>>>

function domainDocuments([name, special]: [string, Readonly<Record<string, unknown>>]): unknown[] {
  const spec = { authentication: 'none', accounting: false, ...special }
  const users = Array.from({ length: USERS }, (_, k) => ({
    apiVersion,
    kind: 'Subscriber',
    metadata: { name: `user${k + 1}`, domain: name },
  }))
  return [{ apiVersion, kind: 'Domain', metadata: { name }, spec }, ...users]
}

/** Two edges; JSON is YAML. `stop` of the cluster leaves nothing behind. */
export async function startOpenCluster(
  domains: Domains,
  more: { edge?: Readonly<Record<string, unknown>>; documents?: readonly unknown[] } & ClusterOptions = {},
): Promise<Cluster> {
  const { edge, documents = [], ...options } = more
  const folder = mkdtempSync(join(tmpdir(), 'tandem-open-'))
  const config = join(folder, 'open.yaml')
  const settings = {
    cluster: { name: 'open', secrets: [OPEN_SECRET] },
    edge: { count: 2, ...edge },
    logging: { level: 'warn' },
    resources: { documents: [...Object.entries(domains).flatMap(domainDocuments), ...documents] },
  }
  writeFileSync(config, JSON.stringify(settings))
  return Cluster.start({ config, ...options }).finally(() => rmSync(folder, { recursive: true }))
}
