// SPDX-License-Identifier: MIT
//
// A verb and a path → a method of the definition and the values in its path.
import { type Method, methods } from './definition.ts'
import { ApiError } from './errors.ts'

export interface Match {
  readonly method: Method
  readonly params: ReadonlyMap<string, string>
}

interface Route {
  readonly method: Method
  readonly parts: readonly string[]
}

const routes: readonly Route[] = methods
  .filter(({ verb }) => verb !== '')
  .map((method) => ({ method, parts: method.path.slice(1).split('/') }))

function paramsIn({ parts }: Route, given: readonly string[]): Map<string, string> | undefined {
  if (parts.length !== given.length) return undefined
  const params = new Map<string, string>()
  for (const [at, part] of parts.entries()) {
    const text = given[at] as string
    if (part.startsWith('{')) params.set(part.slice(1, -1), text)
    else if (part !== text) return undefined
  }
  return params
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new ApiError('bad_request', 'the path has an escape that is none')
  }
}

/** Throws `ApiError`: not_found, or method_not_allowed with the verbs that the path has. */
export function findRoute(verb: string, path: string): Match {
  const given = path.slice(1).split('/').map(unescaped)
  const allowed: string[] = []
  for (const route of routes) {
    const params = paramsIn(route, given)
    if (params === undefined) continue
    if (route.method.verb === verb) return { method: route.method, params }
    allowed.push(route.method.verb)
  }
  if (allowed.length === 0) throw new ApiError('not_found', `there is no ${path}`)
  const headers = { allow: allowed.join(', ') }
  throw new ApiError('method_not_allowed', `${path} has ${headers.allow}, not ${verb}`, { headers })
}
