// SPDX-License-Identifier: MIT
// Scripts over one entry of the directory of calls in set-up: a hash that ends by its own time to live, and its place in
// its owner's list by deadline, while the call is in set-up. Fields: o owner, e epoch, i invite, u upstream, p plan, s step, r call reference,
// f final status, l lease, b:<id> branch with its ordinal in front.
// An owner's list is swept, and its time to live renewed, every half minute and not with each call: what has ended is not listed.

import { script } from './script.ts'

/** Branches of one call, at most. */
export const MAX_BRANCHES = 128
/** How often an owner's list is swept. */
const SWEEP_MS = 30_000

const ENTRY = `
local function until_(tx, owned, key, ms)
  local at = now()
  redis.call('PEXPIRE', tx, int(ms))
  redis.call('ZADD', owned, int(at + ms), key)
  if redis.call('PTTL', owned) < ms + ${SWEEP_MS} then
    redis.call('ZREMRANGEBYSCORE', owned, '-inf', int(at))
    redis.call('PEXPIRE', owned, int(ms + ${2 * SWEEP_MS}))
  end
end
local function branches(tx, from)
  for i = from, #ARGV, 2 do
    local field = 'b:' .. ARGV[i]
    local held = redis.call('HGET', tx, field)
    local ordinal = held and string.match(held, '^%d+') or int(redis.call('HLEN', tx))
    redis.call('HSET', tx, field, ordinal .. '|' .. ARGV[i + 1])
  end
end
local function holds(tx, owner, epoch)
  local held = redis.call('HMGET', tx, 'o', 'e', 'f', 'l')
  if held[1] ~= owner or held[2] ~= epoch then return nil end
  return held
end
local function room(tx, from)
  return redis.call('HLEN', tx) + (#ARGV - from + 1) / 2 <= ${MAX_BRANCHES} + 9
end
`

/** KEYS tx owned; ARGV key owner invite upstream plan step ref leaseMs, then id and branch each. */
export const BEGIN_CALL = script(
  'begin-call',
  'writes',
  ENTRY,
  `
if redis.call('HSETNX', KEYS[1], 'o', ARGV[2]) == 0 then
  local held = redis.call('HMGET', KEYS[1], 'o', 'e', 'f')
  return {0, held[1], held[2], held[3]}
end
local entry = {'e', '1', 'i', ARGV[3], 'u', ARGV[4], 'p', ARGV[5], 's', ARGV[6], 'r', ARGV[7], 'f', '0', 'l', ARGV[8]}
for i = 9, #ARGV, 2 do
  entry[#entry + 1] = 'b:' .. ARGV[i]
  entry[#entry + 1] = (i + 9) / 2 .. '|' .. ARGV[i + 1]
end
redis.call('HSET', KEYS[1], unpack(entry))
until_(KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[8]))
return {1}
`,
)

/** KEYS tx owned; ARGV key owner epoch step, then id and branch each. 0 lost, 1 held, 2 too many branches. */
export const UPDATE_CALL = script(
  'update-call',
  'writes',
  ENTRY,
  `
local held = holds(KEYS[1], ARGV[2], ARGV[3])
if not held then return 0 end
if not room(KEYS[1], 5) then return 2 end
redis.call('HSET', KEYS[1], 's', ARGV[4])
branches(KEYS[1], 5)
if held[3] == '0' then until_(KEYS[1], KEYS[2], ARGV[1], tonumber(held[4])) end
return 1
`,
)

/** KEYS tx owned; ARGV key owner epoch finalStatus keepMs. */
export const END_CALL = script(
  'end-call',
  'writes',
  ENTRY,
  `
local held = holds(KEYS[1], ARGV[2], ARGV[3])
if not held then return 0 end
if held[3] == '0' then
  redis.call('HSET', KEYS[1], 'f', ARGV[4], 'p', '', 'i', '')
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
`,
)

/** KEYS tx owned:<old> owned:<new>; ARGV key owner epoch newOwner leaseMs. */
export const ADOPT_CALL = script(
  'adopt-call',
  'writes',
  ENTRY,
  `
local held = redis.call('HMGET', KEYS[1], 'o', 'e', 'f')
if not held[1] then return {0} end
local following = int(tonumber(ARGV[3]) + 1)
local repeated = held[1] == ARGV[4] and held[2] == following
if not repeated and (held[1] ~= ARGV[2] or held[2] ~= ARGV[3]) then return {0, redis.call('HGETALL', KEYS[1])} end
if not repeated then
  redis.call('HSET', KEYS[1], 'o', ARGV[4], 'e', following, 'l', ARGV[5])
  redis.call('ZREM', KEYS[2], ARGV[1])
  if held[3] == '0' then until_(KEYS[1], KEYS[3], ARGV[1], tonumber(ARGV[5])) end
end
return {1, redis.call('HGETALL', KEYS[1])}
`,
)

/** KEYS tx. */
export const READ_CALL = script('read-call', 'reads', `return redis.call('HGETALL', KEYS[1])`)

/** KEYS owned; ARGV limit. */
export const LIST_OWNED = script(
  'list-owned',
  'reads',
  `
local at = now()
local held = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. int(at), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for i = 2, #held, 2 do held[i] = int(tonumber(held[i]) - at) end
return held
`,
)
