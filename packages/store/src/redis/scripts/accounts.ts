// SPDX-License-Identifier: MIT
// Scripts over one account: the rules of memory/account.ts in Redis. Amounts come and leave as decimal text; in between they
// are doubles below 2^53, moved by HINCRBY alone, so that each sum is exact. What ends holds begins with a write that
// needs no room, so that settlements go on at maxmemory.
//
// acc: bal, held, cur, tat (µs), blk blr (blocked until, by which rule), cp cn ci (folded sum, count, last id) · holds: ref → "sequence answered amount"
// exp: ref by end of lease · done: ref → "applied lapsed entry" · dexp: ref by when it is forgotten
// spend: m<5 minutes>, h<hour> · keys: key → amount · kexp: key by when it is forgotten · ledger: stream {k c a b}

import { HOUR_BUCKET_MS, HOUR_BUCKETS, LEDGER_SLACK, MINUTES_BUCKET_MS, MINUTES_BUCKETS } from '../../account-rules.ts'
import { CHECK_ARGS, FRAUD } from './fraud.ts'
import { script } from './script.ts'

// KEYS 1 acc 2 holds 3 exp 4 done 5 dexp 6 spend 7 keys 8 kexp 9 ledger. ARGV 1 ledgerMaxLen 2 settledKeepMs 3 settlingKeepMs
const ACCOUNT = `
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
local function fold()
  local max = tonumber(ARGV[1])
  local over = redis.call('XLEN', LEDGER) - max
  if over <= math.ceil(max / ${LEDGER_SLACK}) then return end
  local sum, last = 0, nil
  for _, e in ipairs(redis.call('XRANGE', LEDGER, '-', '+', 'COUNT', over)) do
    for i = 1, #e[2], 2 do if e[2][i] == 'a' then sum = sum + tonumber(e[2][i + 1]) end end
    last = e[1]
  end
  redis.call('HINCRBY', ACC, 'cp', int(sum))
  redis.call('HINCRBY', ACC, 'cn', over)
  redis.call('HSET', ACC, 'ci', last)
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

/** ARGV 4 ref 5 sequence 6 amount 7 answered 8 create 9 leaseMs 10 currency 11 credit 12 calls 13 rate 14 per hour 15 per day. */
const HOLD_STEPS = `
local ref, sequence, amount, answered = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local leaseUntil = at + tonumber(ARGV[9])
local credit, calls, rate, perHour, perDay = bound(11) or MAX, bound(12), bound(13), bound(14), bound(15)
local known = readHold(ref)
local function refuse(why, available)
  return {why, int(math.max(0, available)), known and known.s or -1, known and int(known.a) or '0', int(at)}
end
if redis.call('HEXISTS', DONE, ref) == 1 then return refuse('settled', 0) end
if known and known.s >= sequence then
  if answered == '1' then known.n = '1' end
  writeHold(ref, known, math.max(leaseUntil, tonumber(redis.call('ZSCORE', EXP, ref) or '0')))
  return {'repeated', '0', known.s, int(known.a), int(at)}
end
if not known and ARGV[8] ~= '1' then return refuse('gone', 0) end
local wanted = math.max(amount, known and known.a or 0)
local delta = wanted - (known and known.a or 0)
local balance, held = get('bal'), get('held')
local function available()
  local left = balance + credit - held
  if perHour then left = math.min(left, perHour - spent('m') - held) end
  if perDay then left = math.min(left, perDay - spent('h') - held) end
  return left
end
if sequence == 0 and get('blk') > at then return refuse('blocked', 0) end
if not takes(ARGV[10]) then return refuse('currency', available()) end
if delta > 0 then
  if balance + credit < held + delta then return refuse('credit', available()) end
  if perHour and spent('m') + held + delta > perHour then return refuse('spendHour', available()) end
  if perDay and spent('h') + held + delta > perDay then return refuse('spendDay', available()) end
end
local stopped, found = checkFraud(held + delta)
if stopped == 1 then
  local refused = refuse('fraud', available())
  refused[6] = found
  return refused
end
if sequence == 0 then
  if calls and redis.call('ZCOUNT', EXP, '(' .. int(at), '+inf') >= calls then return refuse('calls', available()) end
  if rate then
    local tat = math.max(get('tat'), at * 1000) + math.floor(1000000 / rate)
    if tat - at * 1000 > 1000000 then return refuse('rate', available()) end
    redis.call('HSET', ACC, 'tat', int(tat))
  end
end
if delta > 0 then redis.call('HINCRBY', ACC, 'held', int(delta)) end
setCurrency(ARGV[10])
writeHold(ref, {s = sequence, n = answered, a = wanted}, leaseUntil)
return {'held', '0', sequence, int(wanted), int(at), found, countFraud(ref, tonumber(ARGV[9]))}
`

export const HOLD = script(
  'hold',
  'writes',
  ACCOUNT,
  `
local function checkFraud() return 0, nil end
local function countFraud() return nil end
`,
  HOLD_STEPS,
)

/** KEYS 10: what rules against fraud have seen, then their counters. ARGV 16: how many, then their checks. */
export const HOLD_CHECKED = script(
  'hold-checked',
  'writes',
  ACCOUNT,
  `
local FK, FA, FW = 10, 16, ${CHECK_ARGS}
`,
  FRAUD,
  `
local checkFraud, countFraud = fcheck, fcount
`,
  HOLD_STEPS,
)

/** ARGV 4 forMs 5 by. The later end of two blocks stays. */
export const BLOCK = script(
  'block',
  'writes',
  ACCOUNT,
  `
local untilMs = at + tonumber(ARGV[4])
if get('blk') >= untilMs then return int(get('blk')) end
redis.call('HSET', ACC, 'blk', int(untilMs), 'blr', ARGV[5])
return int(untilMs)
`,
)

export const UNBLOCK = script(
  'unblock',
  'writes',
  ACCOUNT,
  `
local was = get('blk') > at and 1 or 0
redis.call('HDEL', ACC, 'blk', 'blr')
return was
`,
)

/** ARGV 4 ref 5 price. */
export const SETTLE = script(
  'settle',
  'writes',
  ACCOUNT,
  `
redis.call('HDEL', HOLDS, '')
forget(DEXP, DONE, 8)
forget(KEXP, TOPUPS, 8)
local ref, price = ARGV[4], tonumber(ARGV[5])
local d = readDone(ref)
if not d then
  local applied = math.min(price, release(ref))
  return {0, int(applied), apply(ref, applied, false)}
end
if d.l == '1' and price < d.a then
  local back = d.a - price
  append(ref .. '/2', 'correction', back)
  addSpend(-back)
  d.a, d.l = price, '0'
  writeDone(ref, d)
end
return {1, int(d.a), d.e}
`,
)

/** ARGV 4 ref 5 applied 6 entry. */
export const VERIFY = script(
  'verify',
  'writes',
  ACCOUNT,
  `
redis.call('HDEL', HOLDS, '')
local ref, applied, entry = ARGV[4], tonumber(ARGV[5]), ARGV[6]
local function order(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end
local function isFolded()
  local folded = redis.call('HGET', ACC, 'ci')
  if not folded then return false end
  local ms, n = order(entry)
  local fms, fn = order(folded)
  return ms < fms or (ms == fms and n <= fn)
end
local function isEntry()
  if entry == '' then return false end
  if isFolded() then return true end
  local found = redis.call('XRANGE', LEDGER, entry, entry)[1]
  if not found then return false end
  for i = 1, #found[2], 2 do
    if found[2][i] == 'k' then return found[2][i + 1] == ref .. '/1' end
  end
  return false
end
local isThere = redis.call('HEXISTS', DONE, ref) == 1 or isEntry()
if not isThere then
  release(ref)
  apply(ref, applied, false)
end
if redis.call('HEXISTS', DONE, ref) == 1 then redis.call('ZADD', DEXP, int(at + tonumber(ARGV[2])), ref) end
return isThere and 0 or 1
`,
)

/** ARGV 4 key 5 amount 6 currency 7 cause 8 keepMs. */
export const TOP_UP = script(
  'top-up',
  'writes',
  ACCOUNT,
  `
local key, amount = ARGV[4], tonumber(ARGV[5])
local known = redis.call('HGET', TOPUPS, key)
if known then return {tonumber(known) == amount and 'repeated' or 'conflict', int(get('bal'))} end
if not takes(ARGV[6]) then return {'currency', int(get('bal'))} end
local balance = get('bal') + amount
if balance > MAX or balance < -MAX then return {'overflow', int(get('bal'))} end
setCurrency(ARGV[6])
append(key, ARGV[7], amount)
redis.call('HSET', TOPUPS, key, int(amount))
redis.call('ZADD', KEXP, int(at + tonumber(ARGV[8])), key)
return {'applied', int(balance)}
`,
)

/** ARGV 4 limit. */
export const SWEEP = script(
  'sweep',
  'writes',
  ACCOUNT,
  `
redis.call('HDEL', HOLDS, '')
local settled, released = 0, 0
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', EXP, '-inf', int(at), 'LIMIT', 0, ARGV[4])) do
  local h = readHold(ref)
  local granted = release(ref)
  redis.call('ZREM', EXP, ref)
  if h and h.n == '1' then
    apply(ref, granted, true)
    settled = settled + 1
  else released = released + 1 end
end
return {settled, released, redis.call('HLEN', HOLDS)}
`,
)

/** ARGV 4 entries of the ledger. */
export const READ_ACCOUNT = script(
  'read-account',
  'reads',
  ACCOUNT,
  `
local out = {redis.call('HGET', ACC, 'cur') or '', int(get('bal')), int(get('held')), redis.call('HLEN', HOLDS),
  redis.call('ZCOUNT', EXP, '(' .. int(at), '+inf'), int(spent('m')), int(spent('h')),
  int(get('blk')), redis.call('HGET', ACC, 'blr') or '', int(at)}
if tonumber(ARGV[4]) > 0 then
  for _, e in ipairs(redis.call('XREVRANGE', LEDGER, '+', '-', 'COUNT', ARGV[4])) do
    out[#out + 1] = e[1]
    out[#out + 1] = e[2]
  end
end
return out
`,
)

export const AUDIT_ACCOUNT = script(
  'audit-account',
  'reads',
  ACCOUNT,
  `
local sum, holds, count = get('cp'), 0, 0
for _, e in ipairs(redis.call('XRANGE', LEDGER, '-', '+')) do
  for i = 1, #e[2], 2 do if e[2][i] == 'a' then sum = sum + tonumber(e[2][i + 1]) end end
  count = count + 1
end
for _, text in ipairs(redis.call('HVALS', HOLDS)) do holds = holds + tonumber(string.match(text, '(%d+)$')) end
return {int(get('bal')), int(sum), int(get('held')), int(holds), count, int(get('cn'))}
`,
)

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
