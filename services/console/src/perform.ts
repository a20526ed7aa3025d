// SPDX-License-Identifier: MIT
//
// One call from its caller to its answer, the same for REST and gRPC: bound of calls in progress, role, audit before and after, counts.
// An exception that is no `ApiError` is a bug: logged without the request, answered as internal.
import type { Logger } from '@tandem/service-kit'
import type { AuditLog } from './audit/audit-log.ts'
import type { Call, CallDeps } from './calls.ts'
import { type ConsoleCounts, countOutcome } from './counts.ts'
import { type Method, mayCall } from './definition.ts'
import { ApiError } from './errors.ts'
import type { Values } from './json.ts'
import type { Caller, TokenGuard } from './tokens.ts'

export interface PerformDeps extends CallDeps {
  readonly guard: TokenGuard
  readonly audit: AuditLog
  readonly counts: ConsoleCounts
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly maxRequests: number
}

export interface Performed {
  readonly method: Method
  readonly caller: Caller
  readonly by: 'rest' | 'grpc'
  /** The request as the audit log shows it. */
  readonly what: object
}

/** What went wrong as an `ApiError`. */
export function asApiError(error: unknown, { logger }: Pick<PerformDeps, 'logger'>): ApiError {
  if (error instanceof ApiError) return error
  logger.error({ err: error }, 'a bug in the admin API')
  return new ApiError('internal')
}

/** Throws `ApiError`: who calls is not known, may not, or has to come later. */
export function admit(deps: PerformDeps, method: Method, authorization: string | undefined, source: string): Caller {
  const caller = deps.guard.identify(authorization, source)
  if (!mayCall(caller.role, method))
    throw new ApiError('forbidden', `${method.name} needs the role ${method.role}; this token has ${caller.role}`)
  if (deps.counts.inProgress >= deps.maxRequests)
    throw new ApiError('too_busy', undefined, { headers: { 'retry-after': '1' } })
  return caller
}

function revisionOf(response: object): number {
  const head = (response as { head?: { revision?: bigint } }).head
  return Number(head?.revision ?? 0)
}

/** Runs the call of a caller that was let in. Throws `ApiError`. */
export async function perform(
  deps: PerformDeps,
  { method, caller, by, what }: Performed,
  act: () => Promise<object>,
): Promise<object> {
  const began = Date.now()
  const note = (outcome: string, revision: number): Promise<void> => {
    const { name: who, role, source } = caller
    const time = new Date(began).toISOString()
    return deps.audit.write({
      time,
      who,
      role,
      source,
      by,
      method: method.name,
      what,
      outcome,
      revision,
      ms: Date.now() - began,
    })
  }
  deps.counts.inProgress++
  try {
    if (method.isAudited) await checkAudit(deps)
    const response = await act()
    if (method.isAudited) await note('done', revisionOf(response)).catch((error: unknown) => lost(deps, error))
    return response
  } catch (error) {
    const known = asApiError(error, deps)
    if (method.isAudited) await note(known.code, 0).catch((failure: unknown) => lost(deps, failure))
    throw known
  } finally {
    deps.counts.inProgress--
  }
}

async function checkAudit({ audit }: PerformDeps): Promise<void> {
  await audit.check().catch(() => {
    throw new ApiError('audit_unavailable')
  })
}

/** The change is made: it can't be taken back for the sake of a line. */
function lost({ logger }: PerformDeps, error: unknown): void {
  logger.error({ err: error }, 'a line of the audit log was lost')
}

/** For messages that came whole. */
export const performCall = (deps: PerformDeps, performed: Performed, call: Call, request: Values): Promise<object> =>
  perform(deps, performed, () => call(deps, request, performed.caller))

export { countOutcome }
