// SPDX-License-Identifier: MIT
//
// A secret that can be carried around without being printed: every way of turning it into text gives a placeholder.
// Only `reveal` gives the value. Comparison and hashing go through `reveal` too, at the few places that need it.
import { z } from 'zod'

const PLACEHOLDER = '[secret]'

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Whoever calls this answers for where it goes. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return PLACEHOLDER
  }

  toJSON(): string {
    return PLACEHOLDER
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return PLACEHOLDER
  }
}

/** Where a secret comes from: written in the resource, the content of a file (last newline cut), or the environment. */
export type SecretSource = { readonly inline: Secret } | { readonly file: string } | { readonly env: string }

const elsewhere = [
  z.strictObject({ file: z.string().min(1) }).transform((source): SecretSource => source),
  z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/) }).transform((source): SecretSource => source),
] as const

const inline = (value: string): SecretSource => ({ inline: new Secret(value) })

export const secretSource = z.union([z.string().min(1).transform(inline), ...elsewhere], {
  error: 'expected a text, {file: PATH} or {env: NAME}',
})

/** A hash of so many hexadecimal digits, in lower case where it is inline. */
export const hashSource = (digits: number) => {
  const hex = z.string().regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`))
  const error = `expected ${digits} hexadecimal digits, {file: PATH} or {env: NAME}`
  return z.union([hex.transform((text) => inline(text.toLowerCase())), ...elsewhere], { error })
}
