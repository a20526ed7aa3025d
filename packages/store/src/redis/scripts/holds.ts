// SPDX-License-Identifier: MIT
// Holds of an account: made and renewed in one step with its bounds and the counters of rules against fraud, settled once by
// reference, looked at a second time, ended where their lease has lapsed.

import { ACCOUNT } from './account.ts'
import { FRAUD } from './fraud.ts'
import { script } from './script.ts'

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
local state = redis.call('HMGET', ACC, 'bal', 'held', 'blk', 'cur', 'tat')
local function number(i) return tonumber(state[i] or '0') end
local balance, held, own = number(1), number(2), state[4] or ''
local function available()
  local left = balance + credit - held
  if perHour then left = math.min(left, perHour - spent('m') - held) end
  if perDay then left = math.min(left, perDay - spent('h') - held) end
  return left
end
if sequence == 0 and number(3) > at then return refuse('blocked', 0) end
if own ~= '' and ARGV[10] ~= '' and own ~= ARGV[10] then return refuse('currency', available()) end
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
    local tat = math.max(number(5), at * 1000) + math.floor(1000000 / rate)
    if tat - at * 1000 > 1000000 then return refuse('rate', available()) end
    redis.call('HSET', ACC, 'tat', int(tat))
  end
end
if delta > 0 then redis.call('HINCRBY', ACC, 'held', int(delta)) end
if own == '' and ARGV[10] ~= '' then redis.call('HSET', ACC, 'cur', ARGV[10]) end
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

/** KEYS 10: what rules against fraud have seen, then their counters. ARGV 16: their checks. */
export const HOLD_CHECKED = script(
  'hold-checked',
  'writes',
  ACCOUNT,
  `
local FK, FA = 10, 16
`,
  FRAUD,
  `
local checkFraud, countFraud = fcheck, fcount
`,
  HOLD_STEPS,
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
local function isFolded()
  local folded = redis.call('HGET', ACC, 'ci')
  return folded and not isAfter(entry, folded)
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
