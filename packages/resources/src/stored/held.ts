// SPDX-License-Identifier: MIT
//
// A resource as a policy node holds it, and the text that it is in the store: a line of JSON about it, and the document, masked, as JSON.
// What was stored is parsed again and not checked again: it was checked before it became a revision.
import { parseDocument } from '../parse-document.ts'
import { type Resource, resourceKey } from '../resource.ts'
import { Secret } from '../secret.ts'
import { maskSecrets, type SecretTexts, unmaskSecrets } from './masking.ts'
import { SecretBox } from './secret-box.ts'

export interface Held {
  readonly key: string
  readonly manager: string
  /** The revision that wrote it. */
  readonly revision: number
  /** The masked document, JSON. */
  readonly text: string
  /** `SecretTexts` as JSON; undefined: it has none. */
  readonly secrets: Secret | undefined
  /** Id of the key that its secrets are sealed with in the store; undefined where they are not there yet, or it has none. */
  readonly sealedBy?: number
  readonly resource: Resource
}

interface Header {
  /** Manager. */
  readonly m: string
  /** Revision. */
  readonly r: number
  /** Sealed secrets. */
  readonly s?: string
}

/** @param document with its secrets, as it was parsed to `resource`; it is masked in place */
export function holdDocument(document: unknown, resource: Resource, manager: string, revision: number): Held {
  const secrets = maskSecrets(document, resource)
  return {
    key: resourceKey(resource),
    manager,
    revision,
    text: JSON.stringify(document),
    secrets: secrets && new Secret(JSON.stringify(secrets)),
    resource,
  }
}

export function textOfHeld({ key, manager, revision, text, secrets }: Held, box: SecretBox): string {
  const header: Header = { m: manager, r: revision, ...(secrets && { s: box.seal(key, secrets.reveal()) }) }
  return `${JSON.stringify(header)}\n${text}`
}

export const secretTexts = ({ secrets }: Pick<Held, 'secrets'>): SecretTexts | undefined =>
  secrets && (JSON.parse(secrets.reveal()) as SecretTexts)

/** Throws with a sentence for what can't be read: without a key of the ring, or of a newer version. */
export function heldOf(key: string, stored: string, box: SecretBox): Held {
  const at = stored.indexOf('\n')
  const { m: manager, r: revision, s: sealed } = JSON.parse(stored.slice(0, at)) as Header
  const text = stored.slice(at + 1)
  const document: unknown = JSON.parse(text)
  const opened = sealed === undefined ? undefined : box.open(key, sealed)
  if (sealed !== undefined && opened === undefined)
    throw new Error(`${key}: its secrets were sealed with a key that is not in cluster.secrets`)
  if (opened !== undefined) unmaskSecrets(document, JSON.parse(opened) as SecretTexts)
  const parsed = parseDocument(document, { file: key, document: 0, line: 0 })
  if ('resource' in parsed) {
    return {
      key,
      manager,
      revision,
      text,
      secrets: opened === undefined ? undefined : new Secret(opened),
      ...(sealed !== undefined && { sealedBy: SecretBox.keyOf(sealed) }),
      resource: parsed.resource,
    }
  }
  const [problem] = parsed.problems
  throw new Error(`${key}: ${problem?.path ?? ''}: ${problem?.expected ?? ''}`)
}

/** JSON with sorted keys. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, canonical(inner)]),
  )
}

const canonicalText = (text: string): string => JSON.stringify(canonical(JSON.parse(text)))

/** The same document of the same manager with the same secrets; the order of keys does not count. */
export function isSameHeld(a: Held, b: Held): boolean {
  if (a.manager !== b.manager || a.secrets?.reveal() !== b.secrets?.reveal()) return false
  return a.text === b.text || canonicalText(a.text) === canonicalText(b.text)
}
