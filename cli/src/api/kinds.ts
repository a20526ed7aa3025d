// SPDX-License-Identifier: MIT
//
// What people write for kinds and names: `subscribers alice@example.test`, `trunk carrier`, `HuntGroup example.test/sales`.
import { KINDS, type Kind, kindSchema, nearestOf, YamlSource } from '@tandem/resources'
import { CommandFailed } from '../command-failed.ts'
import type { SourceText } from './sources.ts'

const plain = (text: string): string =>
  text.toLowerCase().replaceAll(/[-_]/g, '').replace(/ies$/, 'y').replace(/s$/, '')

/** Case, dashes and plural do not matter. Throws `CommandFailed` with the nearest one. */
export function kindOf(text: string): Kind {
  const wanted = plain(text)
  const kind = KINDS.find((one) => plain(one) === wanted)
  if (kind !== undefined) return kind
  const meant = nearestOf(text, KINDS)
  throw new CommandFailed(
    `${text} is no kind${meant === undefined ? `: there are ${KINDS.join(', ')}.` : `; did you mean ${meant}?`}`,
  )
}

export interface ResourceName {
  readonly kind: Kind
  /** '' for kinds without one. */
  readonly domain: string
  readonly name: string
}

const metadataKeys = (kind: Kind): readonly string[] =>
  Object.keys(kindSchema(kind).properties?.metadata?.properties ?? {})

export const hasDomain = (kind: Kind): boolean => metadataKeys(kind).includes('domain')

/** `name@domain`, `domain/name`, or a name and `--domain`. Throws `CommandFailed`. */
export function nameOf(kind: Kind, text: string, domain = ''): ResourceName {
  if (!hasDomain(kind)) return { kind, domain: '', name: text }
  const [, before, behind] = /^(.+)\/([^/]+)$/.exec(text) ?? []
  if (before !== undefined && behind !== undefined) return { kind, domain: before, name: behind }
  const at = text.lastIndexOf('@')
  if (at > 0) return { kind, domain: text.slice(at + 1), name: text.slice(0, at) }
  if (domain === '')
    throw new CommandFailed(`A ${kind} belongs to a domain: expected ${text}@example.test, or --domain.`)
  return { kind, domain, name: text }
}

export const keyOf = ({ kind, domain, name }: ResourceName): string =>
  domain === '' ? `${kind}/${name}` : `${kind}/${domain}/${name}`

/** Keys of the documents in these texts. Throws `CommandFailed`. */
export function keysIn(sources: readonly SourceText[]): string[] {
  const keys: string[] = []
  for (const { file, text } of sources) {
    for (const { value, origin, problems } of new YamlSource(text, file).documents()) {
      const { kind, metadata } = (value ?? {}) as { kind?: string; metadata?: { name?: string; domain?: string } }
      if (problems.length > 0 || kind === undefined || metadata?.name === undefined) {
        throw new CommandFailed(`${file}:${origin.line}: expected a document with kind and metadata.name`)
      }
      keys.push(keyOf({ kind: kindOf(kind), domain: metadata.domain ?? '', name: metadata.name }))
    }
  }
  return keys
}
