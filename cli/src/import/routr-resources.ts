// SPDX-License-Identifier: MIT
//
// Routr's resources by kind and reference. v2 refers by `ref`, v1 by `metadata.ref`; credentials are resources of their own in v2 and
// stand where they are used in v1.

export interface Foreign {
  readonly kind: string
  /** `file: Kind ref` */
  readonly place: string
  readonly value: unknown
}

/** What stands at `spec.context.domainUri`. */
export function valueAt(value: unknown, path: string): unknown {
  let at = value
  for (const key of path.split('.'))
    at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined
  return at
}

/** '' for what is no text or number. */
export function textAt(value: unknown, path: string): string {
  const found = valueAt(value, path)
  return typeof found === 'string' || typeof found === 'number' ? String(found).trim() : ''
}

export function listAt(value: unknown, path: string): unknown[] {
  const found = valueAt(value, path)
  return Array.isArray(found) ? (found as unknown[]) : []
}

export interface Login {
  readonly username: string
  readonly password: string
}

export class Routr {
  readonly all: readonly Foreign[]
  readonly #byRef = new Map<string, Foreign>()

  constructor(all: readonly Foreign[]) {
    this.all = all
    for (const one of all) {
      const ref = textAt(one.value, 'ref') || textAt(one.value, 'metadata.ref')
      if (ref !== '') this.#byRef.set(`${one.kind}/${ref}`, one)
    }
  }

  of(...kinds: readonly string[]): Foreign[] {
    return this.all.filter(({ kind }) => kinds.includes(kind))
  }

  find(kinds: readonly string[], ref: string): Foreign | undefined {
    for (const kind of kinds) {
      const found = this.#byRef.get(`${kind}/${ref}`)
      if (found !== undefined) return found
    }
    return undefined
  }

  domainOf(ref: string): string | undefined {
    const domain = this.find(['Domain'], ref)
    return domain && textAt(domain.value, 'spec.context.domainUri').toLowerCase()
  }

  /** @param at path of the part that has them; '' for the resource */
  credentialsOf(value: unknown, at = 'spec'): Login | undefined {
    const named = this.find(['Credentials'], textAt(value, `${at}.credentialsRef`))
    if (named !== undefined) return loginAt(named.value, 'spec.credentials')
    return (
      loginAt(value, `${at}.credentials`) ??
      loginAt(value, `${at}.regService.credentials`) ??
      loginAt(value, `${at}.regService`) ??
      plainLogin(value)
    )
  }
}

function loginAt(value: unknown, path: string): Login | undefined {
  const username = textAt(value, `${path}.username`)
  const password = textAt(value, `${path}.password`) || textAt(value, `${path}.secret`)
  return password === '' ? undefined : { username, password }
}

/** Of the first versions: beside `kind`. */
function plainLogin(value: unknown): Login | undefined {
  const password = textAt(value, 'secret')
  return password === '' ? undefined : { username: textAt(value, 'username'), password }
}
