// SPDX-License-Identifier: MIT
// The cluster of the call flows: one domain with the people of the RFCs, with and without credentials.
import type { ResourceSource } from '@tandem/resources'
import { DOMAIN } from './ladder.ts'

const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'ngw1', 'ngw2', 'moh']
const apiVersion = 'tandem/v1'

/** @param spec what is special about the domain @param more what is special about a subscriber */
export function people(
  spec: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
): ResourceSource[] {
  const open = { authentication: 'none', identity: 'off', accounting: false, alsoBindAddress: true, ...spec }
  const needsPasswords = open.authentication === 'required'
  const subscribers = PEOPLE.map((name) => ({
    apiVersion,
    kind: 'Subscriber',
    metadata: { name, domain: DOMAIN },
    spec: { ...(needsPasswords && { credentials: { password: `${name}-secret` } }), ...more[name] },
  }))
  return [{ apiVersion, kind: 'Domain', metadata: { name: DOMAIN }, spec: open }, ...subscribers]
}
