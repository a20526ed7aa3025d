// SPDX-License-Identifier: MIT
//
// `tandem apply`, `tandem diff`, `tandem rollback`, `tandem delete`: changes of resources, each one revision, and what they would change.
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import type { ApiClient } from './client.ts'
import { keysIn } from './kinds.ts'
import { ndjsonOf, readSources } from './sources.ts'
import type { ApplyView, ChangeView } from './types.ts'

export interface ChangeFlags {
  readonly dryRun: boolean
  readonly comment: string
  readonly expectedRevision: number
  readonly manager: string
}

export interface ApplyFlags extends ChangeFlags {
  readonly filename: readonly string[]
  readonly prune: boolean
}

const SIGNS: Readonly<Record<string, string>> = { added: '+', changed: '~', removed: '-' }

function changeLines({ key, action, fields }: ChangeView, withFields: boolean): string[] {
  const line = `${SIGNS[action] ?? '?'} ${key}`
  if (!withFields) return [line]
  return [
    line,
    ...fields.map(({ path, before, after }) => `    ${path}: ${before || '(absent)'} → ${after || '(absent)'}`),
  ]
}

const sum = ({ added, changed, removed, unchanged }: ApplyView): string =>
  `${added} added, ${changed} changed, ${removed} removed, ${unchanged} unchanged`

function outcome(view: ApplyView, isDryRun: boolean): string {
  if (isDryRun) return `${sum(view)} (dry run on revision ${view.head?.revision ?? 0})`
  return view.applied ? `${sum(view)}: revision ${view.head?.revision}` : `${sum(view)}: nothing to do`
}

/** @param more.withFields also the fields that differ */
export function showChange(
  view: ApplyView,
  format: Format,
  { isDryRun, withFields }: { isDryRun: boolean; withFields: boolean },
): string {
  if (format !== 'table') return render(format, view, [], [])
  const all = view.added + view.changed + view.removed
  const lines = view.changes.flatMap((change) => changeLines(change, withFields))
  if (all > view.changes.length) lines.push(`… and ${all - view.changes.length} more`)
  return [...view.warnings.map((warning) => `warning: ${warning}`), ...lines, outcome(view, isDryRun)].join('\n')
}

/** Throws `CommandFailed`. */
export async function apply(api: ApiClient, flags: ApplyFlags, format: Format): Promise<string> {
  const view = await send(api, flags)
  return showChange(view, format, { isDryRun: flags.dryRun, withFields: flags.dryRun })
}

async function send(
  api: ApiClient,
  { filename, prune, dryRun, comment, expectedRevision, manager }: ApplyFlags,
): Promise<ApplyView> {
  const query = { replace: prune, comment, expectedRevision: expectedRevision || undefined, manager }
  // Who may only look has the dry run too.
  return api.call<ApplyView>('POST', dryRun ? '/v1/diff' : '/v1/apply', {
    query,
    lines: ndjsonOf(readSources(filename)),
  })
}

/** The text, and whether anything differs. */
export async function diff(
  api: ApiClient,
  flags: ApplyFlags,
  format: Format,
): Promise<{ text: string; differs: boolean }> {
  const view = await send(api, { ...flags, dryRun: true })
  return {
    text: showChange(view, format, { isDryRun: true, withFields: true }),
    differs: view.added + view.changed + view.removed > 0,
  }
}

export async function rollback(api: ApiClient, revision: number, flags: ChangeFlags, format: Format): Promise<string> {
  const { dryRun, comment, expectedRevision } = flags
  const view = await api.call<ApplyView>('POST', `/v1/revisions/${revision}/rollback`, {
    body: { dryRun, comment, expectedRevision },
  })
  return showChange(view, format, { isDryRun: dryRun, withFields: dryRun })
}

export interface DeleteFlags extends ChangeFlags {
  readonly filename: readonly string[]
}

/** @param keys `Kind/domain/name`, `Kind/name` */
export async function remove(
  api: ApiClient,
  keys: readonly string[],
  flags: DeleteFlags,
  format: Format,
): Promise<string> {
  const { dryRun, comment, expectedRevision, manager, filename } = flags
  const all = [...keys, ...(filename.length === 0 ? [] : keysIn(readSources(filename)))]
  const view = await api.call<ApplyView>('POST', '/v1/delete', {
    body: { keys: all, dryRun, comment, expectedRevision, manager },
  })
  return showChange(view, format, { isDryRun: dryRun, withFields: false })
}
