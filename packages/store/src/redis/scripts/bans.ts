// SPDX-License-Identifier: MIT
// Scripts over failures and bans. Failures of a user lie with his nonces, `{n<shard>}:fail:<user>`: a sorted set of `<source>|<attempt>` by
// time; those of a source in `{b<shard>}:fail:<source>`, of `<user>|<attempt>`. Who proved himself lately is a note of eight bytes in one of
// 64 hashes of a shard, with the hour: a few bytes each. The list of bans is one slot: `ban` (id to text), `rev` and `gone` (by revision, by
// the time at which it is forgotten).
import { LIFTED_KEEP_MS, MAX_FAILURES, MAX_LEVEL } from '../../ban-store.ts'
import { script } from './script.ts'

const COUNT = `
local function note(member, window)
  local at = now()
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(at - window))
  redis.call('ZADD', KEYS[1], 'NX', int(at), member)
  redis.call('PEXPIRE', KEYS[1], int(window))
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -${MAX_FAILURES + 1})
  return redis.call('ZRANGE', KEYS[1], 0, -1)
end
local function firstPart(member) return string.match(member, '^[^|]*') end
`

/** KEYS fail; ARGV source attempt windowMs. */
export const NOTE_USER_FAILURE = script(
  'note-user-failure',
  'writes',
  COUNT,
  `
local all, pair = note(ARGV[1] .. '|' .. ARGV[2], tonumber(ARGV[3])), 0
for _, member in ipairs(all) do if firstPart(member) == ARGV[1] then pair = pair + 1 end end
return {pair, #all}
`,
)

/** KEYS fail good; ARGV user attempt windowMs perUser field keepMs. */
export const NOTE_SOURCE_FAILURE = script(
  'note-source-failure',
  'writes',
  COUNT,
  `
local all = note(ARGV[1] .. '|' .. ARGV[2], tonumber(ARGV[3]))
local hour = tonumber(redis.call('HGET', KEYS[2], ARGV[5]) or '')
if not hour or (hour + 1) * 3600000 + tonumber(ARGV[6]) < now() then return #all end
local cap, sum, of = tonumber(ARGV[4]), 0, {}
for _, member in ipairs(all) do
  local user = firstPart(member)
  of[user] = (of[user] or 0) + 1
  if of[user] <= cap then sum = sum + 1 end
end
return sum
`,
)

/** Notes of one hash: with 64 hashes of 256 shards, room for eight millions. */
const MAX_NOTES = 512

/** KEYS good; ARGV field keepMs. */
export const NOTE_GOOD = script(
  'note-good',
  'writes later',
  `
local hour = math.floor(now() / 3600000)
redis.call('HSET', KEYS[1], ARGV[1], int(hour))
redis.call('PEXPIRE', KEYS[1], int(tonumber(ARGV[2]) + 3600000))
if redis.call('HLEN', KEYS[1]) > ${MAX_NOTES / 2} then
  local oldest = hour - math.ceil(tonumber(ARGV[2]) / 3600000) - 1
  local all = redis.call('HGETALL', KEYS[1])
  local left = #all / 2
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) < oldest or (left > ${MAX_NOTES} and all[i] ~= ARGV[1]) then
      redis.call('HDEL', KEYS[1], all[i])
      left = left - 1
    end
  end
end
return 1
`,
)

/** KEYS good; ARGV field keepMs. */
export const IS_GOOD = script(
  'is-good',
  'reads',
  `
local hour = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '')
return hour and (hour + 1) * 3600000 + tonumber(ARGV[2]) >= now() and 1 or 0
`,
)

const LIST = `
local function unpacked(text)
  local level, since, til, revision, cause = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%a+)$')
  return tonumber(level), tonumber(since), tonumber(til), tonumber(revision), cause
end
local function packed(...) return string.format('%.0f %.0f %.0f %.0f %s', ...) end
local function drop(ids)
  if #ids == 0 then return end
  redis.call('HDEL', KEYS[1], unpack(ids))
  redis.call('ZREM', KEYS[2], unpack(ids))
  redis.call('ZREM', KEYS[3], unpack(ids))
end
local function sweep(at) drop(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', int(at), 'LIMIT', 0, 100)) end
local function nextRevision(at)
  local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
  return math.max(at, tonumber(last[2] or '0') + 1)
end
local function put(id, text, revision, gone)
  redis.call('HSET', KEYS[1], id, text)
  redis.call('ZADD', KEYS[2], int(revision), id)
  redis.call('ZADD', KEYS[3], int(gone), id)
end
`

/** KEYS ban rev gone; ARGV id firstMs maxMs forgetMs maxBans exactMs. */
export const BAN = script(
  'ban',
  'writes',
  LIST,
  `
local at, exact = now(), tonumber(ARGV[6])
sweep(at)
local held, level = redis.call('HGET', KEYS[1], ARGV[1]), 0
if held then
  local heldLevel, since, til, revision, cause = unpacked(held)
  if til > at and not exact then return {int(at), ARGV[1], held} end
  if cause ~= 'lifted' then level = math.min(heldLevel + 1, ${MAX_LEVEL}) end
else
  local over = redis.call('ZCARD', KEYS[3]) + 1 - tonumber(ARGV[5])
  if over > 0 then drop(redis.call('ZRANGE', KEYS[3], 0, math.min(over, 100) - 1)) end
end
local til = at + (exact or math.min(tonumber(ARGV[3]), tonumber(ARGV[2]) * 2 ^ level))
local revision = nextRevision(at)
local text = packed(level, at, til, revision, exact and 'admin' or 'failures')
put(ARGV[1], text, revision, til + tonumber(ARGV[4]))
return {int(at), ARGV[1], text}
`,
)

/** KEYS ban rev gone; ARGV id. */
export const LIFT = script(
  'lift',
  'writes',
  LIST,
  `
local at = now()
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return 0 end
local level, since, til, revision, cause = unpacked(held)
if til <= at then return 0 end
local after = nextRevision(at)
put(ARGV[1], packed(0, since, at, after, 'lifted'), after, at + ${LIFTED_KEEP_MS})
return 1
`,
)

/** KEYS ban rev gone; ARGV after limit. */
export const READ_BANS = script(
  'read-bans',
  'writes later',
  LIST,
  `
local at, limit = now(), tonumber(ARGV[2])
sweep(at)
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, limit + 1)
local out = {int(at), #ids > limit and 1 or 0}
for i = 1, math.min(#ids, limit) do
  out[#out + 1] = ids[i]
  out[#out + 1] = redis.call('HGET', KEYS[1], ids[i])
end
return out
`,
)

/** KEYS fail; ARGV source, or '' for all. */
export const FORGET_FAILURES = script(
  'forget-failures',
  'writes',
  `
if ARGV[1] == '' then redis.call('DEL', KEYS[1]) return 1 end
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.match(member, '^[^|]*') == ARGV[1] then redis.call('ZREM', KEYS[1], member) end
end
return 1
`,
)
