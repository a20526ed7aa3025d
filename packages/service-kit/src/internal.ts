// SPDX-License-Identifier: MIT
//
// For the project's own scripts and the tests of siblings.
export { configurationPage } from './config/docs.ts'
export { configJsonSchema, type Leaf, leaves } from './config/leaves.ts'
