// SPDX-License-Identifier: MIT
//
// Applying documents: texts as they come go to policy in parts; problems become one error that names all of them.
import type { resources } from '@tandem/rpc'
import { type SourcePart, unwrap } from './backends.ts'
import type { CallDeps } from './calls.ts'
import { ApiError, type Problem } from './errors.ts'

const toProblem = ({ file, line, column, path, code, expected }: resources.Problem): Problem => ({
  file,
  ...(line > 0 && { line }),
  ...(column > 0 && { column }),
  path,
  code,
  expected,
})

/** The response where it has no problems. Throws `ApiError` with all of them. */
export function throwProblems(response: resources.ApplyResponse): resources.ApplyResponse {
  const problems = response.problems.map(toProblem)
  const [first] = problems
  if (first === undefined) return response
  const { file, line, column, path, expected } = first
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`
  const where = { ...(file && { file }), ...(line && { line }), ...(column && { column }), ...(path && { path }) }
  throw new ApiError('invalid_resources', `${path === undefined || path === '' ? '' : `${path}: `}${expected}${more}`, {
    where,
    problems,
  })
}

/** Throws `ApiError`. */
export async function applySources(
  { backends, applyTimeoutMs }: CallDeps,
  options: resources.ApplyOptions,
  sources: AsyncIterable<SourcePart> | Iterable<SourcePart>,
): Promise<resources.ApplyResponse> {
  return throwProblems(unwrap(await backends.resources.apply(options, sources, applyTimeoutMs)))
}
