// SPDX-License-Identifier: MIT
// Scripts that read one key as it is: shared, for a server keeps each text once.

import { script } from './script.ts'

/** KEYS key. Returns its text, or nothing. */
export const READ_VALUE = script('read-value', 'reads', `return redis.call('GET', KEYS[1])`)

/** KEYS hash. Returns the names of its fields. */
export const LIST_FIELDS = script('list-fields', 'reads', `return redis.call('HKEYS', KEYS[1])`)
