// SPDX-License-Identifier: MIT
// Marks of accounts that due work looks at, in 256 shards.

import { script } from './script.ts'

/** KEYS marks (account by its next look) beat (k<account>: until when it is marked); ARGV account dueInMs. */
export const MARK_ACCOUNT = script(
  'mark-account',
  'writes',
  `
local until_ = now() + tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], 'NX', int(until_), ARGV[1])
local field = 'k' .. ARGV[1]
if until_ > tonumber(redis.call('HGET', KEYS[2], field) or '0') then redis.call('HSET', KEYS[2], field, int(until_)) end
return 1
`,
)

/** KEYS marks beat; ARGV leaseMs limit. */
export const CLAIM_ACCOUNTS = script(
  'claim-accounts',
  'writes',
  `
local at, leaseMs = now(), tonumber(ARGV[1])
local beat = redis.call('HMGET', KEYS[2], 't', 'h')
local hold = tonumber(beat[2] or '0')
if not beat[1] or at - tonumber(beat[1]) > 2 * leaseMs then hold = at + leaseMs end
redis.call('HSET', KEYS[2], 't', int(at), 'h', int(hold))
local out = {}
if at < hold then return out end
for _, account in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(at), 'LIMIT', 0, ARGV[2])) do
  redis.call('ZADD', KEYS[1], int(at + leaseMs), account)
  out[#out + 1] = account
  out[#out + 1] = int(at + leaseMs)
end
return out
`,
)

/** KEYS marks beat; ARGV account mark againInMs. */
export const LOOKED_AT_ACCOUNT = script(
  'looked-at-account',
  'writes',
  `
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 1 end
local at, again = now(), tonumber(ARGV[3])
local nextMs = again > 0 and at + again or tonumber(redis.call('HGET', KEYS[2], 'k' .. ARGV[1]) or '0')
if nextMs > at then
  redis.call('ZADD', KEYS[1], int(nextMs), ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], 'k' .. ARGV[1])
end
return 1
`,
)
