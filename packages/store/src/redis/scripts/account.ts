// SPDX-License-Identifier: MIT
// What every script over one account begins with: the rules of memory/account.ts in Redis. Amounts come and leave as decimal text; in between they
// are doubles below 2^53, moved by HINCRBY alone, so that each sum is exact. What ends holds begins with a write that
// needs no room, so that settlements go on at maxmemory.
//
// acc: bal, held, cur, tat (µs), blk blr (blocked until, by which rule), cp cn ci (checkpoint: folded sum, count, last id),
//   lc (last id that is copied), fu fn (of what was folded: sum and count of those not copied)
// holds: ref → "sequence answered amount"
// exp: ref by end of lease · done: ref → "applied lapsed entry" · dexp: ref by when it is forgotten
// spend: m<5 minutes>, h<hour> · keys: key → amount · kexp: key by when it is forgotten · ledger: stream {k c a b}

import {
  HOUR_BUCKET_MS,
  HOUR_BUCKETS,
  LEDGER_SLACK,
  LEDGER_UNCOPIED,
  MINUTES_BUCKET_MS,
  MINUTES_BUCKETS,
} from '../../account-rules.ts'

// KEYS 1 acc 2 holds 3 exp 4 done 5 dexp 6 spend 7 keys 8 kexp 9 ledger. ARGV 1 ledgerMaxLen 2 settledKeepMs 3 settlingKeepMs
export const ACCOUNT = `
local ACC, HOLDS, EXP, DONE, DEXP, SPEND = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local TOPUPS, KEXP, LEDGER = KEYS[7], KEYS[8], KEYS[9]
local MAX = 9007199254740991
local at = now()
local minutes, hour = math.floor(at / ${MINUTES_BUCKET_MS}), math.floor(at / ${HOUR_BUCKET_MS})
local function get(field) return tonumber(redis.call('HGET', ACC, field) or '0') end
local function takes(currency)
  local own = redis.call('HGET', ACC, 'cur')
  return not own or own == '' or currency == '' or own == currency
end
local function setCurrency(currency)
  local own = redis.call('HGET', ACC, 'cur')
  if (not own or own == '') and currency ~= '' then redis.call('HSET', ACC, 'cur', currency) end
end
local function readHold(ref)
  local text = redis.call('HGET', HOLDS, ref)
  if not text then return nil end
  local sequence, answered, amount = string.match(text, '^(%d+) (%d) (%d+)$')
  return {s = tonumber(sequence), n = answered, a = tonumber(amount)}
end
local function writeHold(ref, h, untilMs)
  redis.call('HSET', HOLDS, ref, int(h.s) .. ' ' .. h.n .. ' ' .. int(h.a))
  redis.call('ZADD', EXP, int(untilMs), ref)
end
local function readDone(ref)
  local text = redis.call('HGET', DONE, ref)
  if not text then return nil end
  local applied, lapsed, entry = string.match(text, '^(%d+) (%d) (.*)$')
  return {a = tonumber(applied), l = lapsed, e = entry}
end
local function writeDone(ref, d, keepMs)
  redis.call('HSET', DONE, ref, int(d.a) .. ' ' .. d.l .. ' ' .. d.e)
  if keepMs then redis.call('ZADD', DEXP, int(at + keepMs), ref) end
end
local function isOld(bucket)
  local index = tonumber(string.sub(bucket, 2))
  if string.sub(bucket, 1, 1) == 'm' then return index < minutes - ${MINUTES_BUCKETS} end
  return index < hour - ${HOUR_BUCKETS}
end
local function spent(kind)
  local sum, all = 0, redis.call('HGETALL', SPEND)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == kind and not isOld(all[i]) then sum = sum + tonumber(all[i + 1]) end
  end
  return math.max(0, sum)
end
local function addSpend(amount)
  redis.call('HINCRBY', SPEND, 'm' .. int(minutes), int(amount))
  redis.call('HINCRBY', SPEND, 'h' .. int(hour), int(amount))
  if redis.call('HLEN', SPEND) <= ${MINUTES_BUCKETS + HOUR_BUCKETS + 2} then return end
  for _, bucket in ipairs(redis.call('HKEYS', SPEND)) do
    if isOld(bucket) then redis.call('HDEL', SPEND, bucket) end
  end
end
local function order(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end
local function isAfter(a, b)
  local ams, an = order(a)
  local bms, bn = order(b)
  return ams > bms or (ams == bms and an > bn)
end
local function amountIn(fields)
  for i = 1, #fields, 2 do if fields[i] == 'a' then return tonumber(fields[i + 1]) end end
  return 0
end
local function toCheckpoint(sum, count, last)
  redis.call('HINCRBY', ACC, 'cp', int(sum))
  redis.call('HINCRBY', ACC, 'cn', count)
  redis.call('HSET', ACC, 'ci', last)
end
local function fold()
  local max = tonumber(ARGV[1])
  local slack = math.ceil(max / ${LEDGER_SLACK})
  local length = redis.call('XLEN', LEDGER)
  if length <= max + slack then return end
  local copied = redis.call('HGET', ACC, 'lc')
  if copied then max = max * ${LEDGER_UNCOPIED} end
  local over = length - max
  if over <= slack then return end
  local sum, waiting, count, last = 0, 0, 0, nil
  for _, e in ipairs(redis.call('XRANGE', LEDGER, '-', '+', 'COUNT', over)) do
    local amount = amountIn(e[2])
    sum, last = sum + amount, e[1]
    if copied and isAfter(last, copied) then waiting, count = waiting + amount, count + 1 end
  end
  toCheckpoint(sum, over, last)
  if count > 0 then
    redis.call('HINCRBY', ACC, 'fu', int(waiting))
    redis.call('HINCRBY', ACC, 'fn', count)
  end
  redis.call('XTRIM', LEDGER, 'MAXLEN', max)
end
local function append(key, cause, amount)
  local balance = redis.call('HINCRBY', ACC, 'bal', int(amount))
  local id = redis.call('XADD', LEDGER, '*', 'k', key, 'c', cause, 'a', int(amount), 'b', int(balance))
  fold()
  return id
end
local function release(ref)
  local h = readHold(ref)
  if not h then return 0 end
  redis.call('HINCRBY', ACC, 'held', int(0 - h.a))
  redis.call('HDEL', HOLDS, ref)
  redis.call('ZREM', EXP, ref)
  return h.a
end
local function apply(ref, applied, lapsed)
  local entry = ''
  if applied > 0 then
    entry = append(ref .. '/1', lapsed and 'lapsed' or 'call', -applied)
    addSpend(applied)
  end
  writeDone(ref, {a = applied, l = lapsed and '1' or '0', e = entry}, tonumber(ARGV[applied > 0 and 3 or 2]))
  return entry
end
local function forget(index, fields, limit)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', int(at), 'LIMIT', 0, limit)) do
    redis.call('ZREM', index, name)
    redis.call('HDEL', fields, name)
  end
end
local function bound(i) return ARGV[i] ~= '' and tonumber(ARGV[i]) or nil end
`
