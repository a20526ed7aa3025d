// SPDX-License-Identifier: MIT
// Scripts over one call on record: the rules of memory/call-machine.ts in Redis. The call is one packed map with short
// names (packed-call.ts has their meaning); finishing appends it to the shard's record stream, takes it off the due work
// and leaves a stone, all in the same script.

import { LATE_KEEPS, MARK_KEEPS, MAX_EDGES, MAX_LEGS } from '../../call-record.ts'
import { MAX_CORRECTIONS } from '../../memory/late-facts.ts'
import { script } from './script.ts'

// ARGV 1 ref, 2 recordsMaxLen, 3 finishedKeepMs, 4 partialGraceMs, 5 maxCallMs,
// 6… description: ci ft fu tu ru st sa sp id ac ua ed at setupAgeMs ringAgeMs ('' where unknown); 21… the event's own.
// The last four arguments of all that have a description: facts, JSON, and media, '' for none; why a correction that it makes is made;
// how the call is charged, '' for not at all.
// c.pl: what is planned. A leg: tag, 1 when answered, its end; while it lives and its dialog is known also 4 the dialog without what
// changes, 5 and 6 the CSeqs of caller and callee, 7 and 8 their targets.
// What is over leaves a stone, and in the set over:<n> of its time a mark of 48 bits. k in a stone, or in a call that is being settled: the call,
// packed, whose record lacks facts that may still be told (memory/late-facts.ts); kp: it is to be told once the record has been made.
export const CALL = `
local ref = ARGV[1]
local at = now()
local KEEP = tonumber(ARGV[3])
-- The call whose record lacked a fact that is told now, and the stone or call that keeps it.
local late, keeper
local function eventsOf(c)
  local events = {}
  if c.oc ~= 'answered' and c.fs then events[1] = 'f' end
  for _, l in ipairs(c.lg) do
    if l[2] == 1 then events[#events + 1] = 'a:' .. l[1] end
    if l[3] > 0 then events[#events + 1] = 'e:' .. l[1] end
  end
  return events
end
local function loadRaw()
  local packed = redis.call('GET', KEYS[1])
  return packed and cmsgpack.unpack(packed) or nil
end
local function lacks(c) return c.cp ~= 'complete' and (c.oc == 'answered' or not c.fs) end
local function mark() return int(tonumber(string.sub(redis.sha1hex(ref), 1, 12), 16)) end
local function overKey(n) return string.match(KEYS[1], '^{.-}') .. ':over:' .. int(n) end
local function isMarked()
  local m, last = mark(), math.floor(at / KEEP)
  for n = last, last - ${MARK_KEEPS}, -1 do
    if redis.call('SISMEMBER', overKey(n), m) == 1 then return true end
  end
  return false
end
-- What is over and not yet settled looks to all but scripts/charges.ts as what is finished.
local function loadCall()
  local c = loadRaw()
  if c and (c.s == 'ended' or c.s == 'settled') then
    local kept = c.k and cmsgpack.unpack(c.k) or c
    return {s = 'finished', tk = c.tk, ev = eventsOf(kept), k = lacks(kept) and (c.k or cmsgpack.pack(c)) or nil, of = c}
  end
  return c
end
local PLANNED = {'hd', 'wd', 'pd', 'xd'}
local function nearest(c)
  local due = c.du
  for _, name in ipairs(PLANNED) do
    local when = c[name]
    if when and (not due or when < due) then due = when end
  end
  return due
end
local function keep(c, dueMs)
  if late then return end
  if dueMs then
    c.du = dueMs
    redis.call('ZADD', KEYS[2], int(nearest(c)), ref)
  end
  redis.call('SET', KEYS[1], cmsgpack.pack(c))
end
local function planHangUp(c, reason, when)
  if (c.ha or 0) > 0 or (c.hd and c.hr ~= reason and c.hd <= when) then return end
  c.hd, c.hr = when, reason
  c.wd = c.wm and c.s == 'answered' and when - c.wm or nil
end
local function forget(l) for i = 4, 8 do l[i] = nil end end
local function record(c)
  local full = redis.call('XLEN', KEYS[3]) >= tonumber(ARGV[2]) and 1 or 0
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 'r', cmsgpack.pack(c), 'k', ref)
  return full
end
local function entomb(c)
  redis.call('ZREM', KEYS[2], ref)
  local kept = c.k and cmsgpack.unpack(c.k) or c
  local packed = lacks(kept) and (c.k or cmsgpack.pack(c)) or nil
  local ms = math.max(packed and ${LATE_KEEPS} * KEEP or KEEP, (c.ku or 0) - at)
  redis.call('SET', KEYS[1], cmsgpack.pack({s = 'finished', tk = c.tk or '', ev = eventsOf(kept), k = packed}), 'PX', int(ms))
  local key = overKey(math.floor(at / KEEP))
  redis.call('SADD', key, mark())
  redis.call('PEXPIRE', key, int(${MARK_KEEPS + 1} * KEEP))
end
local function charged(result, c)
  if c.cg and not late then
    result[5] = result[5] or ''
    result[6], result[7] = int(at), cmsgpack.pack(c)
  end
  return result
end
-- Who answered is told with the end: his trunk, or his address-of-record.
local function byWhom(result, c)
  if late or not c.aw or c.oc ~= 'answered' then return result end
  local trunk, aor = string.match(c.aw, '"trunk":"([^"]+)"'), string.match(c.aw, '"aor":"([^"]+)"')
  if not trunk and not aor then return result end
  for i = 5, 7 do result[i] = result[i] or '' end
  result[8], result[9] = trunk or '', int(math.max(0, (c.en or 0) - (c.an or 0)))
  result[10] = aor
  return result
end
-- Of a charged call the facts are frozen; its record is made when it has been settled.
local function finish(c, outcome, completeness)
  for _, l in ipairs(c.lg) do forget(l) end
  c.oc, c.cp, c.s = outcome, completeness, 'finished'
  if late then return {'finished', 'finished', c.tk or '', 0} end
  if c.cg then
    c.s, c.hd, c.wd, c.pd, c.xd = 'ended', nil, nil, nil, nil
    keep(c, at + tonumber(ARGV[4]))
    return byWhom(charged({'finished', 'ended', c.tk or '', 0}, c), c)
  end
  local full = record(c)
  entomb(c)
  return byWhom({'finished', 'finished', c.tk or '', full}, c)
end
local function afterwards(stone, event, other)
  for _, known in ipairs(stone.ev or {}) do
    if known == event or known == other then return {'repeated', 'finished', stone.tk, 0} end
  end
  return {'ignored', 'finished', stone.tk, 0}
end
-- The call as it was before it was closed.
local function reopen(stone)
  local c = cmsgpack.unpack(stone.k)
  late, keeper = cmsgpack.unpack(stone.k), stone
  c.s, c.en = c.an and 'answered' or 'setup', nil
  if not c.an then c.fs = nil end
  for _, l in ipairs(c.lg) do if l[3] > (c.en or 0) then c.en = l[3] end end
  return c
end
local function fresh() return {s = 'setup', lg = {}} end
-- Gives the call to which the event belongs, or the answer that there is none.
local function begin(event, other)
  local c = loadCall()
  if not c then
    if isMarked() then return nil, {'repeated', 'finished', '', 0} end
    return fresh()
  end
  if c.s ~= 'finished' then return c end
  local again = afterwards(c, event, other)
  if again[1] == 'repeated' or not c.k then return nil, again end
  local kept = reopen(c)
  if lacks(late) and (late.cn or 0) < ${MAX_CORRECTIONS} then return kept end
  return nil, again
end
-- Of a fact that came late: closes the call again, and makes the correction.
local function close(result, c)
  if not late or result[1] == 'repeated' or result[1] == 'ignored' then
    if late then result[2] = 'finished' end
    return result
  end
  local isOver = result[1] == 'finished'
  if not isOver then c.s, c.cp, c.oc = 'finished', 'partial', c.an and 'answered' or late.oc end
  local isTold = isOver or c.oc ~= late.oc
  if isTold then c.cn, c.cw = (late.cn or 0) + 1, ARGV[#ARGV - 1] end
  for _, l in ipairs(c.lg) do forget(l) end
  local of, full = keeper.of, 0
  if isTold and not (of and of.s == 'ended') then full = record(c) end
  if of then
    c.k, c.kp = nil, nil
    of.kp = of.kp or (isTold and 1 or nil)
    of.k = cmsgpack.pack(c)
    redis.call('SET', KEYS[1], cmsgpack.pack(of))
  else
    keeper.ev, keeper.k = eventsOf(c), cmsgpack.pack(c)
    redis.call('SET', KEYS[1], cmsgpack.pack(keeper), 'PX', int(${LATE_KEEPS} * KEEP))
  end
  return {isTold and 'finished' or 'applied', 'finished', c.tk or '', full}
end
local function noteEdge(c, edge)
  if edge == '' then return end
  c.eg = c.eg or {}
  for _, known in ipairs(c.eg) do if known == edge then return end end
  if #c.eg < ${MAX_EDGES} then c.eg[#c.eg + 1] = edge end
end
local NAMES = {'ci', 'ft', 'fu', 'tu', 'ru', 'st', 'sa', 'sp', 'id', 'ac', 'ua', 'ed', 'at'}
local function describe(c, owner)
  for i, name in ipairs(NAMES) do
    local told = ARGV[5 + i]
    local isEdge = name == 'ed'
    if told ~= '' and (owner or (not c[name] and not isEdge)) then c[name] = told end
  end
  local facts, media, how = ARGV[#ARGV - 3], ARGV[#ARGV - 2], ARGV[#ARGV]
  if facts ~= '' and (owner or not c.fa) then c.fa = facts end
  if media ~= '' and (owner or not c.me) then c.me = media end
  noteEdge(c, ARGV[17])
  if how ~= '' and (owner or not c.cg) then c.cg = how end
  if not c.su and ARGV[19] ~= '' then c.su = at - tonumber(ARGV[19]) end
  if not c.ri and ARGV[20] ~= '' then c.ri = at - tonumber(ARGV[20]) end
end
local function foreign(c)
  return (c.ci and ARGV[6] ~= '' and c.ci ~= ARGV[6]) or (c.ft and ARGV[7] ~= '' and c.ft ~= ARGV[7])
end
local function legOf(c, tag)
  for _, l in ipairs(c.lg) do if l[1] == tag then return l end end
  if #c.lg >= ${MAX_LEGS} then return nil end
  local l = {tag, 0, 0}
  c.lg[#c.lg + 1] = l
  return l
end
local function over(c)
  if c.s ~= 'answered' then return false end
  for _, l in ipairs(c.lg) do if l[3] == 0 then return false end end
  return true
end
local function done(result, c) return {result, c.s, c.tk or '', 0} end
`

/** KEYS call due cdr; event: key deadlineMs keepMs maxDurationMs maxDurationReason warnMs livenessMs, the latter '' for none. */
export const OPEN_CALL = script(
  'open-call',
  'writes',
  CALL,
  `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local c = fresh()
describe(c, true)
c.tk, c.ku = ARGV[21], at + tonumber(ARGV[23])
if not c.su then c.su = at end
c.md, c.wm, c.lv = tonumber(ARGV[24]), tonumber(ARGV[26]), tonumber(ARGV[27])
if c.md then c.mr = ARGV[25] end
keep(c, at + tonumber(ARGV[22]))
return 1
`,
)

/**
 * KEYS call due cdr; event: ageMs toTag status target, the dialog: text callerCseq calleeCseq callerTarget calleeTarget, and who
 * answered, JSON.
 */
export const ANSWERED = script(
  'answered',
  'writes',
  CALL,
  `
local c, other = begin('a:' .. ARGV[22])
if not c then return other end
if foreign(c) then return close(done('ignored', c), c) end
local leg = legOf(c, ARGV[22])
if not leg then return close(done('ignored', c), c) end
if leg[2] == 1 then return charged(done('repeated', c), c) end
describe(c, true)
leg[2] = 1
if ARGV[25] ~= '' then
  leg[4], leg[5], leg[6], leg[7], leg[8] = ARGV[25], tonumber(ARGV[26]), tonumber(ARGV[27]), ARGV[28], ARGV[29]
end
local when = math.max(at - tonumber(ARGV[21]), c.su or 0)
if c.s == 'setup' then
  c.s, c.tg, c.fs = 'answered', ARGV[24], tonumber(ARGV[23])
  if ARGV[30] ~= '' then c.aw = ARGV[30] end
end
if not c.an then
  if c.lv then c.pd, c.li = at + c.lv, at end
  if c.md then planHangUp(c, c.mr, when + c.md) end
end
c.an = math.min(c.an or when, when)
if c.cg and not c.xd then c.xd = at + tonumber(ARGV[4]) end
if over(c) then
  c.en = math.max(c.en or 0, c.an)
  return close(finish(c, 'answered', 'complete'), c)
end
keep(c, c.an + tonumber(ARGV[5]))
local result = done('applied', c)
if late then return close(result, c) end
if c.hd then result[5] = int(math.max(0, math.min(c.hd, c.wd or c.hd) - at)) end
return charged(result, c)
`,
)

/** KEYS call due cdr; event: ageMs fromTag toTag by reason. */
export const ENDED = script(
  'ended',
  'writes',
  CALL,
  `
local fromTag, toTag, by = ARGV[22], ARGV[23], ARGV[24]
local c, other = begin('e:' .. fromTag, 'e:' .. toTag)
if not c then return other end
if foreign(c) then return close(done('ignored', c), c) end
local caller = c.ft or (ARGV[7] ~= '' and ARGV[7]) or nil
local tag
if not caller then tag = by == 'callee' and fromTag or toTag
elseif fromTag == caller then tag = toTag
elseif toTag == caller then tag = fromTag end
local leg = tag and legOf(c, tag)
if not leg then return close(done('ignored', c), c) end
if leg[3] > 0 then return close(done('repeated', c), c) end
describe(c, false)
leg[3] = math.max(1, at - tonumber(ARGV[21]), c.an or 0)
forget(leg)
if leg[3] >= (c.en or 0) then c.en, c.by, c.rs, c.ee = leg[3], by, ARGV[25], ARGV[17] end
if over(c) then return close(finish(c, 'answered', 'complete'), c) end
if late then return close(done('applied', c), c) end
local grace = at + tonumber(ARGV[4])
if c.s == 'setup' then keep(c, math.min(c.du or grace, grace)) else keep(c) end
return done('applied', c)
`,
)

/** KEYS call due cdr; event: ageMs status cause reason by. */
export const FAILED = script(
  'failed',
  'writes',
  CALL,
  `
local c, other = begin('f')
if not c then return other end
if foreign(c) or c.s == 'answered' then return close(done('ignored', c), c) end
local isKnown = c.su or ARGV[19] ~= ''
describe(c, true)
c.fs, c.rs, c.by, c.ee = tonumber(ARGV[22]), ARGV[24], ARGV[25], ARGV[17]
if (c.ha or 0) > 0 then
  c.by = 'system'
  if c.rs == '' then c.rs = c.hr end
end
c.en = math.max(at - tonumber(ARGV[21]), c.su or 0)
return close(finish(c, ARGV[23], isKnown and 'complete' or 'partial'), c)
`,
)

/** KEYS call due cdr; no description. */
export const SETTLE_DUE = script(
  'settle-due',
  'writes',
  CALL,
  `
local c = loadCall()
if not c then
  redis.call('ZREM', KEYS[2], ref)
  return {'ignored', '', '', 0}
end
if c.s == 'finished' then return done('ignored', c) end
if (c.du or 0) > at then
  redis.call('ZADD', KEYS[2], int(nearest(c)), ref)
  return done('ignored', c)
end
if c.s == 'answered' then
  c.en, c.by = at, 'system'
  return finish(c, 'answered', 'recovered')
end
if #c.lg > 0 then return finish(c, 'answered', 'partial') end
c.en = at
return finish(c, 'error', 'partial')
`,
)

/** KEYS due beat; ARGV leaseMs limit, prefix of the shard's call keys (of the same slot). beat: t last claim, h hold. */
export const CLAIM_DUE = script(
  'claim-due',
  'writes',
  `
local at, leaseMs = now(), tonumber(ARGV[1])
local beat = redis.call('HMGET', KEYS[2], 't', 'h')
local hold = tonumber(beat[2] or '0')
if not beat[1] or at - tonumber(beat[1]) > 2 * leaseMs then hold = at + leaseMs end
redis.call('HSET', KEYS[2], 't', int(at), 'h', int(hold))
local out = {int(at)}
if at < hold then return out end
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(at), 'LIMIT', 0, ARGV[2])) do
  local packed = redis.call('GET', ARGV[3] .. ref)
  if packed then
    redis.call('ZADD', KEYS[1], int(at + leaseMs), ref)
    local c = cmsgpack.unpack(packed)
    out[#out + 1] = ref
    out[#out + 1] = c.s
    out[#out + 1] = c.cg and packed or ''
  else redis.call('ZREM', KEYS[1], ref) end
end
return out
`,
)

/** KEYS due; ARGV limit, prefix of the shard's call keys. The latest deadline first. */
export const LIST_LIVE = script(
  'list-live',
  'reads',
  `
local out = {int(now()), int(redis.call('ZCARD', KEYS[1]))}
for _, ref in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1)) do
  local packed = redis.call('GET', ARGV[2] .. ref)
  if packed then
    out[#out + 1] = ref
    out[#out + 1] = packed
  end
end
return out
`,
)

/** KEYS call. */
export const READ_LIVE = script('read-live', 'reads', `return {int(now()), redis.call('GET', KEYS[1]) or ''}`)
