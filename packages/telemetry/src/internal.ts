// SPDX-License-Identifier: MIT
//
// For tests of other packages.
export * from './index.ts'
export { testTracing } from './testing.ts'
