// SPDX-License-Identifier: MIT
//
// The registry of what can be wrong with declarative resources. A problem is a value, never thrown: the caller prints
// all of them at once. None carries the value of a secret.

export const PROBLEM = {
  unreadable: 'the file or folder cannot be read',
  tooLarge: 'the file or the number of documents is above the limit',
  syntax: 'the text is not valid YAML',
  unknownKind: 'apiVersion or kind is not one that this version knows',
  invalid: 'a key has a value that its schema refuses',
  duplicate: 'two resources claim the same name, alias or user',
  dangling: 'a resource names another one that does not exist',
  contradiction: 'a resource asks for two things that cannot both be had',
  managed: 'the resource belongs to another manager',
  secret: 'a secret cannot be read from its file or environment variable',
} as const

export type ProblemCode = keyof typeof PROBLEM

/** What to do about each. */
export const PROBLEM_TODO: Readonly<Record<ProblemCode, string>> = {
  unreadable: 'Correct the path or the rights.',
  tooLarge: 'Split the file, or apply by folder.',
  syntax: 'Mend the YAML at the line that is named.',
  unknownKind: 'Correct `kind` or `apiVersion`; docs/resources.md lists them.',
  invalid: 'Correct the value: the line says what was expected.',
  duplicate: 'Rename one of the two.',
  dangling: 'Add the resource that is named, or correct the name.',
  contradiction: 'Take one of the two out.',
  managed: 'Change it by its manager, or take it over with `--manager`.',
  secret: 'Correct the path, the rights or the variable.',
}

/** Where a resource was declared. `document` counts from 1 within its file; `line` from 1, 0 when it is not known. */
export interface Origin {
  readonly file: string
  readonly document: number
  readonly line: number
  /** From 1. */
  readonly column?: number
}

/** One thing that is wrong: where (file, document, line, path of the key) and what was expected there. */
export interface ResourceProblem extends Origin {
  readonly code: ProblemCode
  /** Path of the key, e.g. `spec.registration.minExpiresS`; '' for the document as a whole. */
  readonly path: string
  readonly expected: string
}

/** One line for a person: `examples/a.yaml:12:3: spec.realm: expected string`; without a line the number of the document. */
export function describeProblem({ file, document, line, column, path, expected }: ResourceProblem): string {
  const place = line === 0 ? `: document ${document}` : `:${line}${column === undefined ? '' : `:${column}`}`
  return `${file}${place}: ${path === '' ? '' : `${path}: `}${expected}`
}
