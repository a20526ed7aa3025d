// SPDX-License-Identifier: MIT
import type { RecordsService, RecordsServiceOptions } from './options.ts'

/** Composes feeds and file. */
export declare function createRecordsService(options: RecordsServiceOptions): RecordsService
