// SPDX-License-Identifier: MIT
//
// Drafts as YAML: on standard output, or in a new folder with one file a kind, which only its owner may read (hashes are as good as
// passwords). Each is looked at as `tandem apply` will; what it would refuse is left out, with a remark.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { API_VERSION, parseDocument } from '@tandem/resources'
import { stringify } from 'yaml'
import { CommandFailed } from '../command-failed.ts'
import type { Draft, Import, Remark } from './report.ts'

const toDocument = ({ kind, metadata, spec }: Draft) => ({ apiVersion: API_VERSION, kind, metadata, spec })

/** Those that hold, as YAML text by kind, in the order in which kinds came. */
export function textsOf(made: Import): Map<string, string[]> {
  const texts = new Map<string, string[]>()
  for (const draft of made.drafts) {
    const document = toDocument(draft)
    const checked = parseDocument(structuredClone(document), { file: draft.origin, document: 1, line: 0 })
    if ('problems' in checked) {
      for (const { path, expected } of checked.problems)
        made.remark(draft.origin, `${draft.kind} ${draft.metadata.name} left out: ${path}: ${expected}`)
      continue
    }
    const known = texts.get(draft.kind) ?? []
    known.push(stringify(document, { lineWidth: 0 }).trimEnd())
    texts.set(draft.kind, known)
  }
  return texts
}

export const reportLine = ({ place, text }: Remark): string => `${place}: ${text}`

const fileOf = (kind: string): string =>
  `${kind.replaceAll(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase()}s.yaml`

export interface WriteOptions {
  /** A folder that is not there yet. */
  readonly out?: string
  readonly print: (text: string) => void
  readonly complain: (text: string) => void
}

/** Says every remark, then how much there is. Throws `CommandFailed` where nothing was understood. */
export async function writeImport(made: Import, { out, print, complain }: WriteOptions): Promise<void> {
  const texts = textsOf(made)
  for (const remark of made.remarks) complain(reportLine(remark))
  const count = [...texts.values()].reduce((sum, list) => sum + list.length, 0)
  if (count === 0) throw new CommandFailed('nothing was imported.')
  if (out === undefined) print([...texts.values()].flat().join('\n---\n'))
  else await writeFolder(out, texts, made.remarks)
  const kinds = [...texts].map(([kind, list]) => `${list.length} ${kind}`).join(', ')
  complain(`${kinds}; ${made.remarks.length} ${made.remarks.length === 1 ? 'remark' : 'remarks'}`)
}

async function writeFolder(
  folder: string,
  texts: ReadonlyMap<string, readonly string[]>,
  remarks: readonly Remark[],
): Promise<void> {
  try {
    await mkdir(folder)
    for (const [kind, list] of texts)
      await writeFile(join(folder, fileOf(kind)), `${list.join('\n---\n')}\n`, { mode: 0o600, flag: 'wx' })
    await writeFile(join(folder, 'report.txt'), remarks.map((remark) => `${reportLine(remark)}\n`).join(''), {
      mode: 0o600,
      flag: 'wx',
    })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new CommandFailed(code === 'EEXIST' ? `${folder} is there already` : `${folder} can not be written (${code})`)
  }
}
