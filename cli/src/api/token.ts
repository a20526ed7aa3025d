// SPDX-License-Identifier: MIT
//
// `tandem token create`: a token for the admin API, shown once, and its entry for the cluster file.
import { hashOfToken, newToken, type Role } from '@tandem/console'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'

export interface TokenFlags {
  readonly name: string
  readonly role: Role
}

/** @param token random unless given */
export function createToken({ name, role }: TokenFlags, format: Format, token: string = newToken()): string {
  const hash = hashOfToken(token)
  if (format !== 'table') return render(format, { name, role, token, hash }, [], [])
  return [
    `token: ${token}`,
    '',
    'It is not shown again. In the cluster file:',
    '',
    'console:',
    '  tokens:',
    `    - { name: ${name}, role: ${role}, hash: ${hash} }`,
  ].join('\n')
}
