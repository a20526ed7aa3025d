// SPDX-License-Identifier: MIT
//
// What the admin API answers instead of a result: one shape, stable codes. docs/admin-api.md lists the same codes; a test compares them.
// What location and policy refuse keeps its own code (docs/location.md, docs/policy.md).
import { status } from '@grpc/grpc-js'

interface Row {
  readonly http: number
  readonly grpc: number
  readonly meaning: string
  /** What to do. */
  readonly todo: string
}

const row = (http: number, grpc: number, meaning: string, todo: string): Row => ({ http, grpc, meaning, todo })

export const CONSOLE_ERRORS = {
  no_token: row(
    401,
    status.UNAUTHENTICATED,
    'a token is needed',
    'send Authorization: Bearer and a token of console.tokens',
  ),
  wrong_token: row(
    401,
    status.UNAUTHENTICATED,
    'the token is none of those configured',
    'make one by `tandem token create`',
  ),
  too_many_wrong_tokens: row(
    429,
    status.RESOURCE_EXHAUSTED,
    'too many wrong tokens came from this address',
    'wait, then try again with the right one',
  ),
  forbidden: row(
    403,
    status.PERMISSION_DENIED,
    'the role of the token does not allow this',
    'use a token with the role that the message names',
  ),
  cross_site: row(
    403,
    status.PERMISSION_DENIED,
    'a page of another site sent this, or the Host is no address of this API',
    'call the API by its own address',
  ),
  not_found: row(404, status.NOT_FOUND, 'there is no such path', 'see /openapi.json for those that there are'),
  method_not_allowed: row(405, status.UNIMPLEMENTED, 'the path has no such method', 'see the Allow header'),
  bad_request: row(
    400,
    status.INVALID_ARGUMENT,
    'a field is unknown or has a value that does not fit',
    'correct the field that is named',
  ),
  bad_json: row(400, status.INVALID_ARGUMENT, 'the body is not JSON, or nested too deep', 'send one JSON object'),
  unsupported_media: row(
    415,
    status.INVALID_ARGUMENT,
    'the body is of a type that is not read here',
    'send application/json; to apply also application/yaml or application/x-ndjson',
  ),
  too_large: row(
    413,
    status.RESOURCE_EXHAUSTED,
    'the body is above the limit',
    'send less at once, or raise the setting that is named',
  ),
  too_slow: row(408, status.DEADLINE_EXCEEDED, 'the request did not come in the time given', 'send it again'),
  too_busy: row(503, status.UNAVAILABLE, 'as many requests as allowed are in progress', 'try again in a second'),
  invalid_resources: row(
    422,
    status.INVALID_ARGUMENT,
    'documents have problems; nothing was applied',
    'correct what the problems name',
  ),
  unavailable: row(
    503,
    status.UNAVAILABLE,
    'a service behind the API does not answer; whether it acted is not known',
    'look, then try again',
  ),
  audit_unavailable: row(
    503,
    status.UNAVAILABLE,
    'the audit log can not be written, so nothing was changed',
    'make console.audit.file writable',
  ),
  internal: row(500, status.INTERNAL, 'a bug; the log says more', 'report it'),
} as const satisfies Record<string, Row>

export type ConsoleErrorCode = keyof typeof CONSOLE_ERRORS

/** A place in what was sent; absent where it is not known. */
export interface Where {
  readonly file?: string
  readonly line?: number
  readonly column?: number
  readonly path?: string
}

export interface Problem extends Where {
  readonly code: string
  readonly expected: string
}

/** Ends a request. `message` is for a person and has no secret. */
export class ApiError extends Error {
  readonly code: string
  readonly http: number
  readonly grpc: number
  readonly todo: string
  readonly where: Where | undefined
  readonly problems: readonly Problem[]
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code:
      | ConsoleErrorCode
      | { readonly code: string; readonly http: number; readonly grpc: number; readonly todo: string },
    message?: string,
    more: { where?: Where; problems?: readonly Problem[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    const known = typeof code === 'string' ? { code, ...CONSOLE_ERRORS[code] } : code
    super(message ?? (typeof code === 'string' ? CONSOLE_ERRORS[code].meaning : code.code))
    this.code = known.code
    this.http = known.http
    this.grpc = known.grpc
    this.todo = known.todo
    this.where = more.where
    this.problems = more.problems ?? []
    this.headers = more.headers ?? {}
  }

  /** The body of the answer. */
  toJSON(): object {
    const { code, message, where, todo, problems } = this
    return { error: { code, message, ...(where && { where }), todo, ...(problems.length > 0 && { problems }) } }
  }
}

const GRPC_OF_SIP: Readonly<Record<number, number>> = {
  400: status.INVALID_ARGUMENT,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  409: status.ABORTED,
  413: status.RESOURCE_EXHAUSTED,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
}
const HTTP_STATUSES = new Set([400, 403, 404, 409, 413, 422, 503, 504])

/** What a service refused, by its own code. */
export function refusedByService({
  code,
  sipStatus,
  detail,
}: {
  code: string
  sipStatus: number
  detail: string
}): ApiError {
  const http = HTTP_STATUSES.has(sipStatus) ? sipStatus : sipStatus === 500 ? 500 : 422
  const grpc = GRPC_OF_SIP[sipStatus] ?? status.FAILED_PRECONDITION
  const todo =
    http === 409 ? 'read what is there now, and try again' : http === 503 ? 'try again' : 'change the request'
  return new ApiError({ code, http, grpc, todo }, detail)
}
