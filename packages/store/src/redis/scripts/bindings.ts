// SPDX-License-Identifier: MIT
// Scripts over one shard of bindings. One packed string per AoR:
//   { bindings: {uriKey, untilMs, callId, cseq, hash, qMilli, payload, instance?, registration?}…,
//     removed: {uriKey, untilMs, callId, cseq, hash}…, version }
// in the order of their updates; the last two are hashes, of a binding with an instance only [RFC5627-5.1]; `payload` is opaque here. The version is the id of the AoR's last entry in the shard's
// change stream: Redis never gives a smaller one, whatever its clock does.
// A change of an AoR that is watched (watches.ts) moves the watch's revision and makes it due, in the same step.

import { MAX_TOMBSTONES } from '../../binding-content.ts'
import { script } from './script.ts'

const AOR = `
local function load(key)
  local packed = redis.call('GET', key)
  if not packed then return {}, {}, '' end
  local aor = cmsgpack.unpack(packed)
  return aor[1], aor[2], aor[3]
end
local function latest(changes)
  local last = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)
  return last[1] and last[1][1] or '0-0'
end
local watched = 0
local function announce(changes, maxLen, kind, aor)
  local shard = string.sub(changes, 1, -8)
  local watch = shard .. 'watch:' .. aor
  if redis.call('EXISTS', watch) == 1 then
    watched = 1
    redis.call('HINCRBY', watch, 'r', 1)
    redis.call('ZADD', shard .. 'due', 'LT', int(now()), aor)
  end
  return redis.call('XADD', changes, 'MAXLEN', '~', maxLen, '*', kind, aor)
end
local function save(key, exp, aor, live, tombs, version, at)
  local kept, nearest = {}, nil
  for _, t in ipairs(tombs) do if t[2] > at then kept[#kept + 1] = t end end
  while #kept > ${MAX_TOMBSTONES} do table.remove(kept, 1) end
  for _, b in ipairs(live) do if not nearest or b[2] < nearest then nearest = b[2] end end
  for _, t in ipairs(kept) do if not nearest or t[2] < nearest then nearest = t[2] end end
  if not nearest then
    redis.call('DEL', key)
    redis.call('ZREM', exp, aor)
    return
  end
  redis.call('SET', key, cmsgpack.pack({live, kept, version}))
  redis.call('ZADD', exp, int(nearest), aor)
end
local function answer(status, key, changes, at)
  local packed = redis.call('GET', key)
  if packed then return {status, int(at), '', packed, watched} end
  return {status, int(at), latest(changes), '', watched}
end
`

/**
 * KEYS loc changes exp; ARGV aor callId cseq removeAll bound hash tombstoneMs maxLen replaceOldest registration, then
 * uriKey expiresS q payload instance regId each. What it decides is written out in memory/binding-update.ts.
 */
export const REGISTER = script(
  'register',
  'writes',
  AOR,
  `
local loc, changes, exp = KEYS[1], KEYS[2], KEYS[3]
local aor, callId, cseq, all = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local bound, hash, tombMs, maxLen = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), ARGV[8]
local replace, registration = ARGV[9] == '1', tonumber(ARGV[10])
local at = now()
local held, tombs, version = load(loc)
if not all and #ARGV == 10 then return answer('ok', loc, changes, at) end

local wanted, order = {}, {}
for i = 11, #ARGV, 6 do
  if not wanted[ARGV[i]] then order[#order + 1] = ARGV[i] end
  wanted[ARGV[i]] = {
    tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), ARGV[i + 3], tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])}
end

local late = false
local function judge(list)
  for _, o in ipairs(list) do
    if o[2] > at and o[3] == callId then
      if o[4] == cseq and o[5] == hash then return true end
      if o[4] >= cseq and (all or wanted[o[1]]) then late = true end
    end
  end
  return false
end
local replayed = judge(held)
if judge(tombs) or replayed then return answer('ok', loc, changes, at) end
if late then return {'late'} end

local live, known, expired, before = {}, {}, 0, 0
for _, b in ipairs(held) do
  if b[2] <= at then expired = expired + 1
  else
    before = before + 1
    known[b[1]] = true
    if not all and not wanted[b[1]] then live[#live + 1] = b end
  end
end
local kinds, removed = {}, {}
if all then
  for _, b in ipairs(held) do if b[2] > at then removed[#removed + 1] = {b[1], callId, cseq, hash} end end
end
local function registrationOf(key, w)
  local last, any
  for _, b in ipairs(held) do
    if b[2] > at and b[8] == w[4] then
      any = b[9]
      if w[5] == 0 or b[1] == key then last = b end
    end
  end
  if last and last[3] ~= callId then return registration end
  return any or registration
end
for _, key in ipairs(order) do
  local w = wanted[key]
  if w[1] > 0 then
    local b = {key, at + w[1] * 1000, callId, cseq, hash, w[2], w[3]}
    if w[4] > 0 then
      b[8], b[9] = w[4], registrationOf(key, w)
      for _, o in ipairs(live) do if o[8] == b[8] then o[9] = b[9] end end
    end
    live[#live + 1] = b
    kinds[#kinds + 1] = known[key] and 'refresh' or 'add'
  elseif known[key] then removed[#removed + 1] = {key, callId, cseq, hash} end
end
local over = #live - bound
if over > 0 and #live > before then
  if not replace or over > #live - #kinds then return {'many'} end
  for _ = 1, over do
    local b = table.remove(live, 1)
    removed[#removed + 1] = {b[1], b[3], b[4], b[5]}
  end
end
if #kinds == 0 and #removed == 0 then return answer('ok', loc, changes, at) end

for _ = 1, expired do version = announce(changes, maxLen, 'expire', aor) end
for _, kind in ipairs(kinds) do version = announce(changes, maxLen, kind, aor) end
for _ = 1, #removed do version = announce(changes, maxLen, 'remove', aor) end
local kept = {}
for _, t in ipairs(tombs) do
  local back = wanted[t[1]]
  if not (back and back[1] > 0) then kept[#kept + 1] = t end
end
for _, r in ipairs(removed) do kept[#kept + 1] = {r[1], at + tombMs, r[2], r[3], r[4]} end
save(loc, exp, aor, live, kept, version, at)
return answer('ok', loc, changes, at)
`,
)

/** KEYS loc changes. */
export const LOCATE = script('locate', 'reads', AOR, `return answer('ok', KEYS[1], KEYS[2], now())`)

/** KEYS loc changes exp; ARGV aor maxLen. */
export const REMOVE_BINDINGS = script(
  'remove-bindings',
  'writes',
  AOR,
  `
local at = now()
local held, tombs, version = load(KEYS[1])
local live, removed = {}, 0
for _, b in ipairs(held) do
  if b[2] <= at then live[#live + 1] = b
  else
    removed = removed + 1
    version = announce(KEYS[2], ARGV[2], 'remove', ARGV[1])
  end
end
if removed > 0 then save(KEYS[1], KEYS[3], ARGV[1], live, tombs, version, at) end
return removed
`,
)

/** KEYS exp changes; ARGV prefix of the shard's loc keys, limit, maxLen. The loc keys are of the same slot. */
export const EXPIRE = script(
  'expire',
  'writes',
  AOR,
  `
local at, limit = now(), tonumber(ARGV[2])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(at), 'LIMIT', 0, limit + 1)
local expired = 0
for i = 1, math.min(#due, limit) do
  local key = ARGV[1] .. due[i]
  local held, tombs, version = load(key)
  local live = {}
  for _, b in ipairs(held) do
    if b[2] > at then live[#live + 1] = b
    else
      expired = expired + 1
      version = announce(KEYS[2], ARGV[3], 'expire', due[i])
    end
  end
  save(key, KEYS[1], due[i], live, tombs, version, at)
end
return {expired, #due > limit and 1 or 0}
`,
)

/** KEYS changes; ARGV cursor ('' for now) limit maxLen. */
export const READ_CHANGES = script(
  'read-changes',
  'reads',
  AOR,
  `
local cursor = ARGV[1]
if cursor == '' then return {latest(KEYS[1]), 0, {}} end
local entries = redis.call('XRANGE', KEYS[1], cursor, '+', 'COUNT', tonumber(ARGV[2]) + 1)
local out, gap = {}, 0
if cursor == '0-0' then
  if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then gap = 1 end
elseif not entries[1] or entries[1][1] ~= cursor then gap = 1 end
for _, e in ipairs(entries) do
  if e[1] ~= cursor and #out < tonumber(ARGV[2]) then
    out[#out + 1] = {e[1], e[2][1], e[2][2]}
  end
end
return {#out > 0 and out[#out][1] or cursor, gap, out}
`,
)
