// SPDX-License-Identifier: MIT
// The public door of @tandem/sip: message layer here, transactions and proxy rules in their own lines.
export * from './digest/index.ts'
export * from './errors.ts'
export * from './event/index.ts'
export * from './gruu/index.ts'
export * from './header/index.ts'
export * from './limits.ts'
export * from './message/index.ts'
export * from './proxy/index.ts'
export * from './transaction/index.ts'
export * from './uri/index.ts'
