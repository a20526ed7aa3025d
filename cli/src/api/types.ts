// SPDX-License-Identifier: MIT
//
// Answers of the admin API as JSON has them (docs/reference/openapi.json), as far as verbs look at them.

export interface RevisionView {
  readonly revision: number
  readonly unixMs: number
  readonly author: string
  readonly comment: string
  readonly manager: string
  readonly added: number
  readonly changed: number
  readonly removed: number
}

export interface ChangeView {
  readonly key: string
  readonly action: string
  readonly fields: readonly { readonly path: string; readonly before: string; readonly after: string }[]
}

export interface ApplyView {
  readonly applied: boolean
  readonly head?: RevisionView
  readonly added: number
  readonly changed: number
  readonly removed: number
  readonly unchanged: number
  readonly changes: readonly ChangeView[]
  readonly warnings: readonly string[]
}

export interface Document {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly spec?: unknown
}

export interface ResourceView {
  readonly key: string
  readonly kind: string
  readonly domain: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly manager: string
  readonly revision: number
  readonly document: Document
}
