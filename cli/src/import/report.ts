// SPDX-License-Identifier: MIT
//
// What an import gives: documents of ours, and a line for everything that it did not understand or that is not quite the same here.

/** A document before it is checked: `kind`, `metadata`, `spec`. */
export interface Draft {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly domain?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec: Readonly<Record<string, unknown>>
  /** Where it comes from. */
  readonly origin: string
}

export interface Remark {
  /** `file:line`, or a file. */
  readonly place: string
  readonly text: string
}

export class Import {
  readonly drafts: Draft[] = []
  readonly remarks: Remark[] = []
  readonly #keys = new Set<string>()

  remark(place: string, text: string): void {
    this.remarks.push({ place, text })
  }

  /** A second one of the same name is left out, and said so. */
  add(draft: Draft): boolean {
    const { kind, metadata } = draft
    const key = `${kind}/${metadata.domain ?? ''}/${metadata.name}`
    if (this.#keys.has(key)) {
      this.remark(draft.origin, `left out: there is a ${kind} ${metadata.name} already`)
      return false
    }
    this.#keys.add(key)
    this.drafts.push(draft)
    return true
  }

  has(kind: string, name: string): boolean {
    return this.#keys.has(`${kind}//${name}`)
  }
}

/** Text of another system as a name of ours; '' where nothing of it can be one. */
export function nameFrom(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128)
}
