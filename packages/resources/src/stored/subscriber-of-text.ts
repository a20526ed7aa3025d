// SPDX-License-Identifier: MIT
//
// For who needs subscribers and none of their secrets: the subscriber of a stored text, without its credentials.
import { parseDocument } from '../parse-document.ts'
import type { Subscriber } from '../subscriber.ts'

/** undefined: it has no contacts by configuration, or can't be read. */
export function subscriberWithContacts(key: string, stored: string): Subscriber | undefined {
  if (!key.startsWith('Subscriber/') || !stored.includes('"contacts"')) return undefined
  const document = JSON.parse(stored.slice(stored.indexOf('\n') + 1)) as { spec?: { credentials?: unknown } }
  delete document.spec?.credentials
  const parsed = parseDocument(document, { file: key, document: 0, line: 0 })
  if (!('resource' in parsed) || parsed.resource.kind !== 'Subscriber') return undefined
  return parsed.resource.spec.contacts?.length ? parsed.resource : undefined
}
