// SPDX-License-Identifier: MIT
//
// What a stateless proxy cannot do: it forwards each request to one target and remembers nothing. [RFC3261-16.11]
// A domain that asks for both is refused when it is applied, with a sentence that names the key and the reason.
import type { Domain } from './domain.ts'
import type { Resource } from './resource.ts'

/** A key of a resource and what was expected there. */
export interface Objection {
  readonly path: string
  readonly expected: string
}

const because = (expected: string, reason: string): string => `expected ${expected}: ${reason}`

const NO_RECORD = 'a stateless proxy keeps no call and can write no record of it'
const NO_RESPONSES = 'a stateless proxy does not look at responses and can follow none'
const ONE_TARGET = 'a stateless proxy forwards to one target and cannot fork'
const NO_TIMER = 'a stateless proxy has no timers'

function domainObjections({ spec }: Domain): Objection[] {
  const found: Objection[] = []
  const stateless = spec.forwarding === 'stateless'
  const object = (path: string, expected: string) => found.push({ path: `spec.${path}`, expected })
  if (!stateless && (spec.relay.forwarding !== 'stateless' || spec.relay.allow.length === 0)) return found
  if (spec.accounting) object('accounting', because('false', NO_RECORD))
  if (spec.redirects === 'recurse') object('redirects', because('pass', NO_RESPONSES))
  if (spec.ringMs !== undefined) object('ringMs', because('no ring time', NO_TIMER))
  if (!stateless) return found
  if (spec.forking !== 'parallel') object('forking', because('none', ONE_TARGET))
  if (spec.registration.maxContacts !== 1) object('registration.maxContacts', because('1', ONE_TARGET))
  return found
}

function userObjections(resource: Resource): Objection[] {
  const found: Objection[] = []
  const object = (path: string, expected: string) => found.push({ path: `spec.${path}`, expected })
  if (resource.kind === 'HuntGroup') {
    if (resource.spec.members.length > 1) object('members', because('one member', ONE_TARGET))
    if (resource.spec.ringMs !== undefined) object('ringMs', because('no ring time', NO_TIMER))
  }
  if (resource.kind === 'Subscriber') {
    if ((resource.spec.maxContacts ?? 1) > 1) object('maxContacts', because('1', ONE_TARGET))
    if ((resource.spec.contacts?.length ?? 0) > 1) object('contacts', because('one contact', ONE_TARGET))
  }
  return found
}

/** @param stateless the resource's domain forwards without state */
export function statelessObjections(resource: Resource, stateless: boolean): readonly Objection[] {
  if (resource.kind === 'Domain') return domainObjections(resource)
  return stateless ? userObjections(resource) : []
}
