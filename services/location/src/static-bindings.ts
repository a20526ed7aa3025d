// SPDX-License-Identifier: MIT
//
// Static registrations: contacts that an address-of-record has by configuration. They stand beside what phones register, in
// every answer that lists bindings; nothing removes them, `*` neither, and they take no room. A contact that is registered
// too counts once, as registered.
import type { location } from '@tandem/rpc'
import { contactIdentity, isSameContact } from './contact-identity.ts'

export interface StaticContact {
  readonly uri: string
  /** 0 to 1000. */
  readonly qMilli: number
  /** URIs of proxies on the way, nearest first, without brackets. */
  readonly path: readonly string[]
}

/** By canonical address-of-record. */
export type StaticContacts = Pick<ReadonlyMap<string, readonly StaticContact[]>, 'get'>

/** Static contacts that can be replaced as a whole. */
export class StaticTable implements StaticContacts {
  #contacts: ReadonlyMap<string, readonly StaticContact[]>

  constructor(contacts: ReadonlyMap<string, readonly StaticContact[]>) {
    this.#contacts = contacts
  }

  get(aor: string): readonly StaticContact[] | undefined {
    return this.#contacts.get(aor)
  }

  /** @returns addresses-of-record whose contacts are others now */
  replace(contacts: ReadonlyMap<string, readonly StaticContact[]>): string[] {
    const before = this.#contacts
    this.#contacts = contacts
    const aors = new Set([...before.keys(), ...contacts.keys()])
    return [...aors].filter((aor) => JSON.stringify(before.get(aor)) !== JSON.stringify(contacts.get(aor)))
  }
}

/** `registered` and the static ones, by q; of equal q the registered ones first. @param expiresS what these are said to have left */
export function withStatic(
  contacts: StaticContacts,
  aor: string,
  registered: location.Binding[],
  expiresS: number,
): location.Binding[] {
  const own = contacts.get(aor)
  if (own === undefined) return registered
  const added = own.filter((contact) => !isRegistered(contact, registered))
  return [...registered, ...added.map((contact) => bindingOf(contact, expiresS))].sort((a, b) => b.qMilli - a.qMilli)
}

function isRegistered(contact: StaticContact, registered: readonly location.Binding[]): boolean {
  const identity = contactIdentity(contact.uri)
  if (identity === undefined) return false
  return registered.some(({ uri }) => {
    const other = contactIdentity(uri)
    return other !== undefined && isSameContact(other, identity)
  })
}

function bindingOf({ uri, qMilli, path }: StaticContact, expiresS: number): location.Binding {
  return {
    uri,
    expiresS,
    qMilli,
    callId: '',
    cseq: 0,
    instanceId: '',
    regId: 0,
    flow: undefined,
    path: path.map((hop) => `<${hop}>`),
    params: '',
    userAgent: '',
    isStatic: true,
  }
}
