// SPDX-License-Identifier: MIT
//
// @tandem/console: the admin API (docs/admin-api.md).
export type { Backends, ResourceBackend, SourcePart, UnaryBackend } from './backends.ts'
export { ROLES, type Role } from './definition.ts'
export { CONSOLE_ERRORS } from './errors.ts'
export { openApi } from './openapi.ts'
export { type ConsoleService, type ConsoleServiceOptions, createConsoleService } from './service.ts'
export { hashOfToken, newToken } from './tokens.ts'
