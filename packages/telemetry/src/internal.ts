// SPDX-License-Identifier: MIT
//
// For tests of other packages.

export type { SpanExporter } from './export-queue.ts'
export * from './index.ts'
