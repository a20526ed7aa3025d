// SPDX-License-Identifier: MIT
// The small write at the end of a batch that waits for replicas or for the disk (batcher.ts says why). Its key goes by itself.

import { script } from './script.ts'

/** KEYS mark. The first of its writes needs no room, so that the others are taken at maxmemory. */
export const MARK = script(
  'mark',
  'writes',
  `
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'm', '')
redis.call('PEXPIRE', KEYS[1], 60000)
return 1
`,
)
