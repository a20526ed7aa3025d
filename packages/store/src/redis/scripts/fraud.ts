// SPDX-License-Identifier: MIT
// Scripts over the counters of one subject: the rules of memory/fraud-slot.ts in Redis. The same functions go into the hold of an
// account. One key for each counter, which expires by itself; a look at a counter drops what is past its time.
//
// seen: zset of references (`ref/` once ended) by when they are forgotten · calls, talk, spend, short: hash n<bucket>, t<bucket>, s<bucket>
// In a hash B is the bucket of the last look, and S what the window had then: so a look adds up the buckets once in each of them.
// live: zset of references by lease · countries: zset of "country reference" by lease · sequence: hash m k t (member, run, last ms)
// distinct, fresh: zset of members by last ms

import { CANCEL_MS, ENDED_MS, MAX_COUNTRY_CALLS, MAX_DISTINCT, MAX_KNOWN, SUB_BUCKETS } from '../../fraud-rules.ts'
import { script } from './script.ts'

/**
 * Wants `at`; FK: index of the key `seen`, those of the counters follow; FA: index of the argument that has all counters, an array of arrays
 * packed by MessagePack: kind windowMs member; of a check also warning critical stops amount, -2 for a level that nobody set (-1 is one that every value is above).
 */
export const FRAUD = `
local SEEN = KEYS[FK]
local CHECKS = cmsgpack.unpack(ARGV[FA])
local COUNT = #CHECKS
local function fkey(i) return KEYS[FK + i] end
local function farg(i, k) return CHECKS[i][k] end
local function width(w) return math.max(1, math.ceil(w / ${SUB_BUCKETS})) end
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, int(ms)) end
end
local buckets = {}
local function bucketOf(w)
  local known = buckets[w]
  if not known then
    known = int(math.floor(at / width(w)))
    buckets[w] = known
  end
  return known
end
local function fwhole(i, name)
  local sum, first = 0, tonumber(bucketOf(farg(i, 2))) - ${SUB_BUCKETS}
  local all = redis.call('HGETALL', fkey(i))
  for j = 1, #all, 2 do
    if string.sub(all[j], 1, 1) == name and tonumber(string.sub(all[j], 2)) >= first then sum = sum + tonumber(all[j + 1]) end
  end
  return sum, #all
end
local looked = {}
local function fsum(i, name)
  if name ~= 'n' then return (fwhole(i, name)) end
  local known, bucket = redis.call('HMGET', fkey(i), 'S', 'B'), bucketOf(farg(i, 2))
  looked[i] = true
  if known[2] == bucket then return math.max(0, tonumber(known[1])) end
  local sum, fields = fwhole(i, 'n')
  if fields > 0 then redis.call('HSET', fkey(i), 'S', int(sum), 'B', bucket) end
  return math.max(0, sum)
end
local function fsweep(key, bucket)
  if redis.call('HLEN', key) <= ${2 * SUB_BUCKETS + 6} then return end
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local of = tonumber(string.sub(field, 2))
    if of and of < bucket - ${SUB_BUCKETS} then redis.call('HDEL', key, field) end
  end
end
-- The first in its bucket keeps the whole for as long as the last one in it needs.
local function fadd(i, name, amount)
  local w, key = farg(i, 2), fkey(i)
  local bucket, text = bucketOf(w), int(amount)
  if name == 'n' and not looked[i] then fsum(i, 'n') end
  if redis.call('HINCRBY', key, name .. bucket, text) == amount then
    fsweep(key, tonumber(bucket))
    keep(key, w + 3 * width(w))
    if name == 'n' then redis.call('HSET', key, 'B', bucket) end
  end
  if name == 'n' then redis.call('HINCRBY', key, 'S', text) end
end
local function fmember(i, ref)
  if farg(i, 1) == 'live' then return ref end
  return farg(i, 3) .. ' ' .. ref
end
local function flease(i, ref, leaseMs)
  redis.call('ZREMRANGEBYSCORE', fkey(i), '-inf', int(at))
  redis.call('ZADD', fkey(i), int(at + leaseMs), fmember(i, ref))
  keep(fkey(i), leaseMs)
end
local function fcountries(i, more)
  local seen, n = {}, 0
  if more then seen[more], n = true, 1 end
  for _, m in ipairs(redis.call('ZRANGEBYSCORE', fkey(i), '(' .. int(at), '+inf', 'LIMIT', 0, ${MAX_COUNTRY_CALLS})) do
    local country = string.match(m, '^(%S*) ')
    if not seen[country] then seen[country], n = true, n + 1 end
  end
  return n
end
local function frunning(i)
  local kind = farg(i, 1)
  if kind == 'talk' or kind == 'spend' then return fsum(i, 'n') end
  if kind == 'countries' then return fcountries(i) end
  if kind == 'live' then return redis.call('ZCOUNT', fkey(i), '(' .. int(at), '+inf') end
  return 0
end
local function fwithin(i)
  local last = redis.call('ZSCORE', fkey(i), farg(i, 3))
  return last and tonumber(last) > at - farg(i, 2)
end
local function fvalue(i, held)
  local kind, w, amount = farg(i, 1), farg(i, 2), farg(i, 7)
  if kind == 'calls' then return fsum(i, 'n') + 1 end
  if kind == 'live' then return frunning(i) + 1 end
  if kind == 'sequence' then
    local s = redis.call('HMGET', fkey(i), 'm', 'k', 't')
    if s[1] == farg(i, 3) and tonumber(s[3]) >= at - w then return tonumber(s[2]) + 1 end
    return 1
  end
  if kind == 'distinct' then
    local known = redis.call('ZCOUNT', fkey(i), '(' .. int(at - w), '+inf')
    return math.min(${MAX_DISTINCT}, known + (fwithin(i) and 0 or 1))
  end
  if kind == 'countries' then return fcountries(i, farg(i, 3)) end
  if kind == 'spend' then return fsum(i, 'n') + amount + held end
  if kind == 'short' then
    local total = fsum(i, 't')
    if total == 0 or total < amount then return 0 end
    return math.floor(100 * fsum(i, 's') / total)
  end
  if kind == 'fresh' then return fwithin(i) and 0 or amount end
  return fsum(i, 'n')
end
local function fcheck(held)
  local stopped, found = 0, {}
  for i = 1, COUNT do
    local warning, critical = farg(i, 4), farg(i, 5)
    if warning > -2 or critical > -2 then
      local value, level = fvalue(i, held), nil
      if critical > -2 and value > critical then level = 2 elseif warning > -2 and value > warning then level = 1 end
      if level then
        found[#found + 1] = i - 1
        found[#found + 1] = level
        found[#found + 1] = int(value)
        local stops = farg(i, 6)
        if stops == 3 or stops == level then stopped = 1 end
      end
    end
  end
  return stopped, found
end
local function fseen(key)
  return tonumber(redis.call('ZSCORE', SEEN, key) or '0') > at
end
local function fsee(key, ms)
  redis.call('ZREMRANGEBYSCORE', SEEN, '-inf', int(at))
  redis.call('ZADD', SEEN, int(at + ms), key)
  keep(SEEN, ms)
end
local function fnote(i, max)
  local key, w, member = fkey(i), farg(i, 2), farg(i, 3)
  local before = redis.call('ZSCORE', key, member) or ''
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(at - w))
  redis.call('ZADD', key, int(at), member)
  if redis.call('ZCARD', key) > max then redis.call('ZREMRANGEBYRANK', key, 0, 0) end
  keep(key, w)
  return before
end
local function ffollow(i)
  local key, w, member = fkey(i), farg(i, 2), farg(i, 3)
  local s = redis.call('HMGET', key, 'm', 'k', 't')
  local before = s[1] and (s[2] .. ' ' .. s[3] .. ' ' .. s[1]) or ''
  local run = s[1] == member and tonumber(s[3]) >= at - w and tonumber(s[2]) + 1 or 1
  redis.call('HSET', key, 'm', member, 'k', int(run), 't', int(at))
  keep(key, w + 1)
  return before
end
local function fcount(ref, leaseMs)
  fsee(ref, ${CANCEL_MS})
  local undo, last = {}, 1
  for i = 1, COUNT do
    local kind = farg(i, 1)
    undo[i] = ''
    if kind == 'calls' then fadd(i, 'n', 1) end
    if kind == 'live' or kind == 'countries' then flease(i, ref, leaseMs) end
    if kind == 'sequence' then undo[i] = ffollow(i) end
    if kind == 'distinct' then undo[i] = fnote(i, ${MAX_DISTINCT}) end
    if kind == 'fresh' then undo[i] = fnote(i, ${MAX_KNOWN}) end
    if undo[i] ~= '' then last = i end
  end
  for i = COUNT, last + 1, -1 do undo[i] = nil end
  return undo
end
`

// KEYS 1 seen, then the counters. ARGV 1 ref 2 leaseMs 3 checks.
const OWN = `
local FK, FA = 1, 3
local at = now()
`

export const FRAUD_BEGIN = script(
  'fraud-begin',
  'writes',
  OWN,
  FRAUD,
  `
local ref = ARGV[1]
if fseen(ref) then return {0, int(at), {}, {}} end
local stopped, found = fcheck(0)
if stopped == 1 then return {1, int(at), found, {}} end
return {0, int(at), found, fcount(ref, tonumber(ARGV[2]))}
`,
)

// ARGV 1 ref 2 begunMs 3 counters, with what to put back.
export const FRAUD_CANCEL = script(
  'fraud-cancel',
  'writes',
  `
local FK, FA = 1, 3
local at = now()
`,
  FRAUD,
  `
local ref, begun = ARGV[1], tonumber(ARGV[2])
if not fseen(ref) then return 0 end
redis.call('ZREM', SEEN, ref)
local function unfollow(key, member, before)
  local s = redis.call('HMGET', key, 'm', 't')
  if s[1] ~= member then return end
  if tonumber(s[2]) ~= begun then redis.call('HINCRBY', key, 'k', -1) return end
  local run, last, old = string.match(before, '^(%d+) (%d+) (.*)$')
  if run then redis.call('HSET', key, 'm', old, 'k', run, 't', last) else redis.call('DEL', key) end
end
for i = 1, COUNT do
  local key, kind, member, before = fkey(i), farg(i, 1), farg(i, 3), farg(i, 4)
  if kind == 'calls' then
    local bucket = 'n' .. int(math.floor(begun / width(farg(i, 2))))
    if redis.call('HEXISTS', key, bucket) == 1 then
      redis.call('HINCRBY', key, bucket, -1)
      redis.call('HDEL', key, 'B')
    end
  end
  if kind == 'live' or kind == 'countries' then redis.call('ZREM', key, fmember(i, ref)) end
  if kind == 'sequence' then unfollow(key, member, before) end
  if (kind == 'distinct' or kind == 'fresh') and tonumber(redis.call('ZSCORE', key, member) or '-1') == begun then
    if before == '' then redis.call('ZREM', key, member) else redis.call('ZADD', key, before, member) end
  end
end
return 1
`,
)

// ARGV 1 ref 2 leaseMs 3 counters.
export const FRAUD_RENEW = script(
  'fraud-renew',
  'writes',
  `
local FK, FA = 1, 3
local at = now()
`,
  FRAUD,
  `
local ref, leaseMs = ARGV[1], tonumber(ARGV[2])
local isOver = fseen(ref .. '/')
local out = {}
for i = 1, COUNT do
  local kind = farg(i, 1)
  if (kind == 'live' or kind == 'countries') and not isOver then flease(i, ref, leaseMs) end
  out[i] = int(frunning(i))
end
return out
`,
)

// ARGV 1 ref 2 talkMs 3 counters, with an amount each: price of spend, 1 or 0 or '' of short.
export const FRAUD_END = script(
  'fraud-end',
  'writes',
  `
local FK, FA = 1, 3
local at = now()
`,
  FRAUD,
  `
local ref = ARGV[1]
local isNew = not fseen(ref .. '/')
if isNew then fsee(ref .. '/', ${ENDED_MS}) end
for i = 1, COUNT do
  local kind, amount = farg(i, 1), farg(i, 4)
  if kind == 'live' or kind == 'countries' then redis.call('ZREM', fkey(i), fmember(i, ref)) end
  if isNew then
    if kind == 'talk' then fadd(i, 'n', tonumber(ARGV[2])) end
    if kind == 'spend' then fadd(i, 'n', tonumber(amount)) end
    if kind == 'short' and amount ~= '' then
      fadd(i, 't', 1)
      if amount == '1' then fadd(i, 's', 1) end
    end
  end
end
return isNew and 1 or 0
`,
)

/** KEYS the counter. ARGV limit. */
export const FRAUD_LIVE = script(
  'fraud-live',
  'reads',
  `
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. int(now()), '+inf', 'LIMIT', 0, ARGV[1])
`,
)
