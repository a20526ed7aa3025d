// SPDX-License-Identifier: MIT
// Scripts over the watches of one shard of bindings: a hash per AoR with the revision `r` and the opaque state `s`, and
// the shard's sorted set of when each is due. scripts/bindings.ts moves both when bindings change.

import { script } from './script.ts'

/** KEYS loc watch; ARGV aor. */
export const READ_WATCH = script(
  'read-watch',
  'reads',
  `
local watch = redis.call('HMGET', KEYS[2], 'r', 's')
return {int(now()), redis.call('HGET', KEYS[1], ARGV[1]) or '', watch[1] or '0', watch[2] or ''}
`,
)

/** KEYS watch due; ARGV aor revision state dueInMs keepMs. A new one begins with the clock: no revision comes twice. */
export const WRITE_WATCH = script(
  'write-watch',
  'writes',
  `
local at = now()
local revision = redis.call('HGET', KEYS[1], 'r')
if (revision or '0') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 1
end
redis.call('HSET', KEYS[1], 'r', int(tonumber(revision or at) + 1), 's', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], int(at + tonumber(ARGV[4])), ARGV[1])
return 1
`,
)

/** KEYS due; ARGV prefix of the shard's watch keys, leaseMs, limit. The watch keys are of the same slot. */
export const CLAIM_WATCHES = script(
  'claim-watches',
  'writes',
  `
local at, lease, limit = now(), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(at), 'LIMIT', 0, limit + 1)
local claimed = {}
for i = 1, math.min(#due, limit) do
  if redis.call('EXISTS', ARGV[1] .. due[i]) == 1 then
    claimed[#claimed + 1] = due[i]
    redis.call('ZADD', KEYS[1], int(at + lease), due[i])
  else redis.call('ZREM', KEYS[1], due[i]) end
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local nearest = first[2] and int(math.max(0, tonumber(first[2]) - at)) or '-1'
return {claimed, #due > limit and 1 or 0, nearest}
`,
)
