// SPDX-License-Identifier: MIT
//
// The definition holds together: every method does something, its fields exist, no path is taken twice, errors are on their page.
import { readFileSync } from 'node:fs'
import { admin } from '@tandem/rpc'
import { expect, it } from 'vitest'
import { CALLS } from './calls.ts'
import { messageOf, methods, paramsOf, ROLES } from './definition.ts'
import { CONSOLE_ERRORS } from './errors.ts'

it('has a call, a role and a gRPC method for each, and no other', () => {
  expect(Object.keys(CALLS).sort()).toEqual(
    methods
      .filter(({ isStream }) => !isStream)
      .map(({ name }) => name)
      .sort(),
  )
  expect(methods.map(({ name }) => name).sort()).toEqual(Object.keys(admin.AdminServiceService).sort())
  for (const { role } of methods) expect(ROLES).toContain(role)
})

it('no verb and path twice; what changes something is never GET, and is in the audit log', () => {
  const paths = methods
    .filter(({ verb }) => verb !== '')
    .map(({ verb, path }) => `${verb} ${path.replaceAll(/\{\w+\}/g, '{}')}`)
  expect(new Set(paths).size).toBe(paths.length)
  for (const { verb, name, role, isAudited } of methods) {
    // What people have said to one another is no reading of states.
    if (name === 'traceCall') expect([role, isAudited]).toEqual(['operate', true])
    else if (verb === 'GET') expect([role, isAudited]).toEqual(['read', false])
    if (role !== 'read') expect(isAudited).toBe(true)
  }
})

it('every name in a path is a field of the request', () => {
  for (const { path, request } of methods.filter(({ verb }) => verb !== '')) {
    for (const name of paramsOf(path)) expect(messageOf(request).fields.map((field) => field.name)).toContain(name)
  }
})

it('docs/admin-api.md lists every error and every path', () => {
  const page = readFileSync(new URL('../../../docs/admin-api.md', import.meta.url), 'utf8')
  for (const [code, { http, meaning }] of Object.entries(CONSOLE_ERRORS))
    expect(page).toContain(`| \`${code}\` | ${http} | ${meaning} |`)
  const codes = [...page.matchAll(/^\| `([a-z_]+)` \| \d{3} \|/gm)].map(([, code]) => code)
  expect(codes.sort()).toEqual(Object.keys(CONSOLE_ERRORS).sort())
  for (const { verb, path } of methods) if (verb !== '') expect(page).toContain(`\`${verb} ${path}\``)
})
