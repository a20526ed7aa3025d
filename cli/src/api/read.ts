// SPDX-License-Identifier: MIT
//
// `tandem get`, `describe`, `export`, `history`: what is applied, and how it came to be.
import { stringify } from 'yaml'
import type { Format } from '../formats.ts'
import { type Row, render } from '../output.ts'
import type { ApiClient } from './client.ts'
import { kindOf, type ResourceName } from './kinds.ts'
import type { ResourceView, RevisionView } from './types.ts'

export interface GetFlags {
  readonly domain: string
  readonly selector: readonly string[]
  readonly manager: string
  readonly limit: number
}

interface Page {
  readonly resources: readonly ResourceView[]
  readonly nextPageToken: string
  readonly total: number
}

const PAGE = 1_000
const COLUMNS = ['kind', 'name', 'domain', 'labels', 'manager', 'revision']

const rowOf = ({ kind, name, domain, labels, manager, revision }: ResourceView): Row => ({
  kind,
  name,
  domain,
  labels: Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(','),
  manager,
  revision,
})

const yamlOf = (documents: readonly unknown[]): string =>
  documents.map((one) => stringify(one).trimEnd()).join('\n---\n')

const pathOf = ({ kind, name }: ResourceName): string => `/v1/resources/${kind}/${encodeURIComponent(name)}`

/** Documents that apply again for json and yaml; rows for tables. */
export async function list(api: ApiClient, kind: string, flags: GetFlags, format: Format): Promise<string> {
  const { domain, selector, manager, limit } = flags
  const found: ResourceView[] = []
  let total = 0
  for (let pageToken = ''; ; ) {
    const pageSize = Math.min(PAGE, limit - found.length)
    const query = { kind: kind === 'all' ? '' : kindOf(kind), domain, label: selector, manager, pageSize, pageToken }
    const page = await api.call<Page>('GET', '/v1/resources', { query })
    found.push(...page.resources)
    total = page.total
    pageToken = page.nextPageToken
    if (pageToken === '' || found.length >= limit) break
  }
  const documents = found.map(({ document }) => document)
  if (format === 'json') return JSON.stringify(documents, null, 2)
  if (format === 'yaml') return yamlOf(documents)
  const text = render('table', documents, COLUMNS, found.map(rowOf))
  return total > found.length ? `${text}\n(${total - found.length} more: raise --limit)` : text
}

interface GetView {
  readonly resource: ResourceView
  readonly referredBy: readonly string[]
}

export async function getOne(api: ApiClient, name: ResourceName, format: Format): Promise<string> {
  const { resource } = await api.call<GetView>('GET', pathOf(name), { query: { domain: name.domain } })
  if (format === 'table') return render('table', resource, COLUMNS, [rowOf(resource)])
  return format === 'json' ? JSON.stringify(resource.document, null, 2) : yamlOf([resource.document])
}

/** The document, who holds it, and who refers to it. */
export async function describe(api: ApiClient, name: ResourceName, format: Format): Promise<string> {
  const view = await api.call<GetView>('GET', pathOf(name), { query: { domain: name.domain } })
  if (format !== 'table') return render(format, view, [], [])
  const { resource, referredBy } = view
  const about = `${resource.key}: of manager ${resource.manager}, since revision ${resource.revision}`
  const others =
    referredBy.length === 0
      ? 'nothing refers to it'
      : `referred to by:\n${referredBy.map((key) => `  ${key}`).join('\n')}`
  return `${about}\n\n${yamlOf([resource.document])}\n\n${others}`
}

interface ExportPage {
  readonly yaml: string
  readonly nextPageToken: string
}

export interface ExportFlags {
  readonly kind: string
  readonly domain: string
  readonly manager: string
}

/** YAML that applies again, in pieces. */
export async function* exportAll(api: ApiClient, { kind, domain, manager }: ExportFlags): AsyncGenerator<string> {
  for (let pageToken = ''; ; ) {
    const query = { kind: kind === '' ? '' : kindOf(kind), domain, manager, pageToken }
    const page = await api.call<ExportPage>('GET', '/v1/export', { query })
    if (page.yaml !== '') yield page.yaml.trimEnd()
    pageToken = page.nextPageToken
    if (pageToken === '') return
  }
}

const HISTORY_COLUMNS = ['revision', 'time', 'author', 'manager', 'added', 'changed', 'removed', 'comment']

const revisionRow = ({ unixMs, ...revision }: RevisionView): Row => ({
  revision: revision.revision,
  time: new Date(unixMs).toISOString(),
  author: revision.author,
  manager: revision.manager,
  added: revision.added,
  changed: revision.changed,
  removed: revision.removed,
  comment: revision.comment,
})

export async function history(api: ApiClient, { limit }: { readonly limit: number }, format: Format): Promise<string> {
  const { revisions } = await api.call<{ revisions: readonly RevisionView[] }>('GET', '/v1/revisions', {
    query: { limit },
  })
  return render(format, revisions, HISTORY_COLUMNS, revisions.map(revisionRow))
}
