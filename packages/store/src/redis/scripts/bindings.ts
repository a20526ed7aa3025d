// SPDX-License-Identifier: MIT
// Scripts over one shard of bindings: a hash, AoR → packed string:
//   { bindings: {uriKey, untilMs, callId, cseq, hash, qMilli, payload, instance?, registration?}…,
//     removed: {uriKey, untilMs, callId, cseq, hash}…, version (a number where that is the id's first half, and the second is 0) }
// in the order of their updates; the last two are hashes, of a binding with an instance only [RFC5627-5.1]. Of `payload` only the
// first field is read here: the URI, or nothing where it is the key (packed-binding.ts). The version is the id of the AoR's last entry in the shard's
// change stream: Redis never gives a smaller one, whatever its clock does.
// A change of an AoR that is watched (watches.ts) moves the watch's revision and makes it due, in the same step.
// While a Cluster moves the shard's slot, a watch that is not here (or never was) can't be told from one that has gone ahead: who is watched
// is then read from the list of when each is due, where that is still here; a watcher whose keys have both gone ahead of the bindings is
// told with the next change.
// At maxmemory Redis refuses what needs room at the first write of a script, and nothing after one that needs none. An update that adds no
// binding (`needsNoRoom`: a refresh, a removal, an expiry) begins with such a write then, so that only newcomers are refused.
// One hash per shard, and not one key per AoR, because a key of its own costs 60 bytes more.
// AoRs with bindings behind connections of an edge stand in an index of the shard, on:<edge>:<bucket>: 16 small hashes, which Redis packs
// while they are below hash-max-listpack-entries (512). A field is an AoR without its "sip:", or another one after a colon. While a slot moves
// the index may be out of reach: an entry too many does no harm, and a binding without one runs out by itself.

import { MAX_TOMBSTONES } from '../../binding-content.ts'
import { script } from './script.ts'

/** The seventh field of a payload, if it is not empty. */
const EDGE = `^${'[^%z]*%z'.repeat(6)}([^%z]+)`

const ANNOUNCE = `
local function contactOf(b)
  local uri = string.match(b[7], '^[^%z]+')
  return uri or b[1]
end
local needsNoRoom = nil
local function write(aor, ...)
  local done = redis.pcall(...)
  if type(done) ~= 'table' or not done.err then return done end
  if needsNoRoom and string.find(done.err, 'OOM', 1, true) then redis.call('ZREM', needsNoRoom, aor) end
  return redis.call(...)
end
local watched = 0
local function isWatched(watch, due, aor)
  local there = redis.pcall('EXISTS', watch)
  if type(there) == 'number' then return there == 1 end
  return type(redis.pcall('ZSCORE', due, aor)) == 'string'
end
local function append(changes, maxLen, kind, aor, contact, cause)
  return write(aor, 'XADD', changes, 'MAXLEN', '~', maxLen, '*',
    'kind', kind, 'aor', aor, 'contact', contact, 'cause', cause)
end
local function announce(changes, maxLen, kind, aor, contact, cause)
  local id = append(changes, maxLen, kind, aor, contact, cause)
  local shard = string.sub(changes, 1, -8)
  local watch, due = shard .. 'watch:' .. aor, shard .. 'due'
  if isWatched(watch, due, aor) then
    watched = 1
    redis.pcall('HINCRBY', watch, 'r', 1)
    redis.pcall('ZADD', due, 'LT', int(now()), aor)
  end
  local ms = string.match(id, '^(%d+)%-0$')
  return ms and tonumber(ms) or id
end
`

/** Of what edges the bindings are, and the key that they are compared by. */
const INDEX = `
local function edgeOf(payload)
  return string.match(payload, '${EDGE}')
end
local function indexOf(changes, edge, bucket) return string.sub(changes, 1, -8) .. 'on:' .. edge .. ':' .. bucket end
local function note(aor, index, field)
  local done = redis.pcall('HSET', index, field, '')
  if type(done) == 'table' and string.find(done.err, 'OOM', 1, true) then write(aor, 'HSET', index, field, '') end
end
local function reindex(changes, aor, before, after)
  local was, is
  for _, b in ipairs(before) do
    local edge = edgeOf(b[7])
    if edge then was = was or {}; was[edge] = true end
  end
  for _, b in ipairs(after) do
    local edge = edgeOf(b[7])
    if edge then is = is or {}; is[edge] = true end
  end
  if not was and not is then return end
  was, is = was or {}, is or {}
  local bucket, field = string.sub(redis.sha1hex(aor), 1, 1), string.match(aor, '^sip:([^:].*)$') or ':' .. aor
  for edge in pairs(is) do
    if not was[edge] then note(aor, indexOf(changes, edge, bucket), field) end
  end
  for edge in pairs(was) do
    if not is[edge] then redis.pcall('HDEL', indexOf(changes, edge, bucket), field) end
  end
end
local function stem(key)
  if string.byte(key) == 1 then return end
  local cut = string.find(key, '[;?]', string.find(key, '@[^@]*$') or 1)
  return cut and string.sub(key, 1, cut - 1) or key
end
`

const LATEST = `
local function latest(changes)
  local last = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)
  return last[1] and last[1][1] or '0-0'
end
`

/** What most calls have no need of stands after them: every function costs its making, each time. */
const OPEN = `
local function open(packed)
  if not packed then return {}, {}, '' end
  local aor = cmsgpack.unpack(packed)
  return aor[1], aor[2], aor[3]
end
local function save(loc, exp, aor, live, tombs, version, at)
  local kept, nearest = {}, nil
  for _, t in ipairs(tombs) do if t[2] > at then kept[#kept + 1] = t end end
  while #kept > ${MAX_TOMBSTONES} do table.remove(kept, 1) end
  for _, b in ipairs(live) do if not nearest or b[2] < nearest then nearest = b[2] end end
  for _, t in ipairs(kept) do if not nearest or t[2] < nearest then nearest = t[2] end end
  if not nearest then
    redis.call('HDEL', loc, aor)
    redis.call('ZREM', exp, aor)
    return nil
  end
  local packed = cmsgpack.pack({live, kept, version})
  redis.call('HSET', loc, aor, packed)
  redis.call('ZADD', exp, int(nearest), aor)
  return packed
end
local function answer(packed, changes, at, added)
  if packed then return {at, packed, 0, watched, added or 0} end
  return {at, '', latest(changes), watched, added or 0}
end
`

const AOR = [ANNOUNCE, LATEST, OPEN, INDEX].join('')

/**
 * KEYS loc changes exp; ARGV aor callId cseq removeAll bound hash tombstoneMs maxLen replaceOldest registration differ, then
 * uriKey expiresS q payload instance regId each; a payload of '' says that another contact takes its place. Keys of `differ` each
 * have a NUL before and after them, '' is for none asked.
 * What it decides is written out in memory/binding-update.ts. A refresh of the only binding, which is what most REGISTERs are, goes a
 * shorter way to the same end.
 */
export const REGISTER = script(
  'register',
  'writes',
  ANNOUNCE,
  `
local loc, changes, exp = KEYS[1], KEYS[2], KEYS[3]
local aor, callId, cseq, all = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local hash, maxLen = ARGV[6], ARGV[8]
local at = now()
local packed = redis.call('HGET', loc, aor)

if packed and #ARGV == 17 and not all and ARGV[13] ~= '0' then
  local whole = cmsgpack.unpack(packed)
  local only = whole[1][1]
  if #whole[1] == 1 and #whole[2] == 0 and only[1] == ARGV[12] and only[2] > at and only[3] == callId
    and only[4] < cseq and (only[8] or 0) == tonumber(ARGV[16])
    and (only[7] == ARGV[15] or string.match(only[7], '${EDGE}') == string.match(ARGV[15], '${EDGE}')) then
    needsNoRoom = exp
    local untilMs = at + tonumber(ARGV[13]) * 1000
    only[2], only[4], only[5], only[6], only[7] = untilMs, cseq, hash, tonumber(ARGV[14]), ARGV[15]
    whole[3] = announce(changes, maxLen, 'refresh', aor, contactOf(only), 'register')
    packed = cmsgpack.pack(whole)
    redis.call('HSET', loc, aor, packed)
    redis.call('ZADD', exp, int(untilMs), aor)
    return {at, packed, 0, watched, 0}
  end
end
`,
  LATEST,
  OPEN,
  INDEX,
  `
local bound, tombMs = tonumber(ARGV[5]), tonumber(ARGV[7])
local replace, registration, differ = ARGV[9] == '1', tonumber(ARGV[10]), ARGV[11]
local held, tombs, version = open(packed)
if not all and #ARGV == 11 then return answer(packed, changes, at) end

local wanted, order = {}, {}
for i = 12, #ARGV, 6 do
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
if judge(tombs) or replayed then return answer(packed, changes, at) end
if late then return {'late'} end

local live, known, expired, before = {}, {}, {}, 0
for _, b in ipairs(held) do
  if b[2] <= at then expired[#expired + 1] = b
  else
    before = before + 1
    known[b[1]] = b
    if not all and not wanted[b[1]] then live[#live + 1] = b end
  end
end
local function isSimilar(key)
  local own = stem(key)
  for _, b in ipairs(live) do
    if own and stem(b[1]) == own and not string.find(differ, '\0' .. b[1] .. '\0', 1, true) then return true end
  end
  return false
end
if differ ~= '' and #live > 0 then
  for _, key in ipairs(order) do
    if not known[key] and wanted[key][3] ~= '' and isSimilar(key) then return {'compare', at, packed} end
  end
end
local news, removed = {}, {}
local function remove(b, cause, ofCall, ofCseq, ofHash)
  removed[#removed + 1] = {b[1], ofCall, ofCseq, ofHash, contactOf(b), cause}
end
if all then
  for _, b in ipairs(held) do if b[2] > at then remove(b, 'unregister', callId, cseq, hash) end end
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
  for _, o in ipairs(live) do if o[8] == w[4] then any = o[9] end end
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
    news[#news + 1] = {known[key] and 'refresh' or 'add', contactOf(b)}
  elseif known[key] then remove(known[key], w[3] == '' and 'replace' or 'unregister', callId, cseq, hash) end
end
local over = #live - bound
if over > 0 and #live > before then
  if not replace or over > #live - #news then return {'many'} end
  for _ = 1, over do
    local b = table.remove(live, 1)
    remove(b, 'replace', b[3], b[4], b[5])
  end
end
if #news == 0 and #removed == 0 then return answer(packed, changes, at) end

local added = 0
for _, n in ipairs(news) do if n[1] == 'add' then added = added + 1 end end
if added == 0 then needsNoRoom = exp end
reindex(changes, aor, held, live)
for _, b in ipairs(expired) do version = announce(changes, maxLen, 'expire', aor, contactOf(b), 'expiry') end
for _, n in ipairs(news) do version = announce(changes, maxLen, n[1], aor, n[2], 'register') end
for _, r in ipairs(removed) do version = announce(changes, maxLen, 'remove', aor, r[5], r[6]) end
local kept = {}
for _, t in ipairs(tombs) do
  local back = wanted[t[1]]
  if not (back and back[1] > 0) then kept[#kept + 1] = t end
end
for _, r in ipairs(removed) do kept[#kept + 1] = {r[1], at + tombMs, r[2], r[3], r[4]} end
return answer(save(loc, exp, aor, live, kept, version, at), changes, at, added)
`,
)

/** KEYS loc changes; ARGV aor. */
export const LOCATE = script(
  'locate',
  'reads',
  `
local packed = redis.call('HGET', KEYS[1], ARGV[1])
if packed then return {now(), packed} end
`,
  LATEST,
  `return {now(), '', latest(KEYS[2])}`,
)

/** KEYS loc changes exp; ARGV aor maxLen, then the keys of those to remove; none: all. */
export const REMOVE_BINDINGS = script(
  'remove-bindings',
  'writes',
  AOR,
  `
local at, aor = now(), ARGV[1]
needsNoRoom = KEYS[3]
local held, tombs, version = open(redis.call('HGET', KEYS[1], aor))
local named, live, removed = {}, {}, {}
for i = 3, #ARGV do named[ARGV[i]] = true end
for _, b in ipairs(held) do
  if b[2] <= at or (#ARGV > 2 and not named[b[1]]) then live[#live + 1] = b else removed[#removed + 1] = b end
end
if #removed > 0 then
  reindex(KEYS[2], aor, held, live)
  for _, b in ipairs(removed) do version = announce(KEYS[2], ARGV[2], 'remove', aor, contactOf(b), 'kick') end
  save(KEYS[1], KEYS[3], aor, live, tombs, version, at)
end
return #removed
`,
)

/** KEYS loc changes exp; ARGV limit, maxLen. */
export const EXPIRE = script(
  'expire',
  'writes',
  AOR,
  `
local at, limit = now(), tonumber(ARGV[1])
needsNoRoom = KEYS[3]
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', int(at), 'LIMIT', 0, limit + 1)
local expired = 0
for i = 1, math.min(#due, limit) do
  local held, tombs, version = open(redis.call('HGET', KEYS[1], due[i]))
  local live, over = {}, {}
  for _, b in ipairs(held) do
    if b[2] > at then live[#live + 1] = b else over[#over + 1] = b end
  end
  if #over > 0 then reindex(KEYS[2], due[i], held, live) end
  for _, b in ipairs(over) do version = announce(KEYS[2], ARGV[2], 'expire', due[i], contactOf(b), 'expiry') end
  expired = expired + #over
  save(KEYS[1], KEYS[3], due[i], live, tombs, version, at)
end
return {expired, #due > limit and 1 or 0}
`,
)

/** KEYS loc changes exp; ARGV edge, limit, maxLen. An entry of the index without a binding, which none should be, goes too. */
export const REMOVE_EDGE = script(
  'remove-edge',
  'writes',
  AOR,
  `
local at, edge, limit = now(), ARGV[1], tonumber(ARGV[2])
local removed, left = 0, limit
for bucket = 0, 15 do
  local index = indexOf(KEYS[2], edge, string.format('%x', bucket))
  local fields = left > 0 and redis.call('HRANDFIELD', index, left) or {}
  left = left - #fields
  for _, field in ipairs(fields) do
    local aor = string.match(field, '^:(.*)$') or 'sip:' .. field
    local held, tombs, version = open(redis.call('HGET', KEYS[1], aor))
    local live, lost = {}, {}
    for _, b in ipairs(held) do
      if edgeOf(b[7]) == edge then lost[#lost + 1] = b else live[#live + 1] = b end
    end
    redis.call('HDEL', index, field)
    for _, b in ipairs(lost) do
      local kind, cause = 'remove', 'disconnect'
      if b[2] <= at then kind, cause = 'expire', 'expiry' end
      version = announce(KEYS[2], ARGV[3], kind, aor, contactOf(b), cause)
    end
    removed = removed + #lost
    if #lost > 0 then save(KEYS[1], KEYS[3], aor, live, tombs, version, at) end
  end
end
return {removed, left == 0 and 1 or 0, watched}
`,
)

/** KEYS loc exp; ARGV domain tombstoneMs. What ends later than any memory of a removed binding is a binding. */
export const COUNT_AORS = script(
  'count-aors',
  'reads',
  AOR,
  `
local at, suffix = now(), '@' .. ARGV[1]
local border = int(at + tonumber(ARGV[2]))
local function isIn(aor) return suffix == '@' or string.sub(aor, -#suffix) == suffix end
local count = 0
if suffix == '@' then count = redis.call('ZCOUNT', KEYS[2], '(' .. border, '+inf')
else
  for _, aor in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. border, '+inf')) do
    if isIn(aor) then count = count + 1 end
  end
end
for _, aor in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', border)) do
  if isIn(aor) then
    for _, b in ipairs((open(redis.call('HGET', KEYS[1], aor)))) do
      if b[2] > at then
        count = count + 1
        break
      end
    end
  end
end
return count
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
    out[#out + 1] = e
  end
end
return {#out > 0 and out[#out][1] or cursor, gap, out}
`,
)
