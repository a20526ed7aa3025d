// SPDX-License-Identifier: MIT
// The copy of a ledger elsewhere: read what is not copied, confirm what is, restore what was lost. The rules of
// memory/ledger.ts. Marks of accounts whose ledger is to be copied lie in 16 shards.

import { LEDGER_FOLD } from '../../account-rules.ts'
import { ACCOUNT } from './account.ts'
import { script } from './script.ts'

/** ARGV 4 limit. Returns {currency, from, folded id or '', its sum, its count, balance after it, id and fields each}. */
export const READ_UNCOPIED = script(
  'read-uncopied',
  'writes',
  ACCOUNT,
  `
local from = redis.call('HGET', ACC, 'lc')
if not from then
  -- What was folded before anybody copied is copied as one sum.
  from = '0-0'
  local folded = get('cn')
  if folded > 0 or redis.call('EXISTS', LEDGER) == 1 then redis.call('HSET', ACC, 'lc', from) end
  if folded > 0 then redis.call('HSET', ACC, 'fu', int(get('cp')), 'fn', int(folded)) end
end
local out = {redis.call('HGET', ACC, 'cur') or '', from, '', '0', '0', '0'}
local start = from
if get('fn') > 0 then
  start = redis.call('HGET', ACC, 'ci')
  out[3], out[4], out[5], out[6] = start, int(get('fu')), int(get('fn')), int(get('cp'))
end
for _, e in ipairs(redis.call('XRANGE', LEDGER, '(' .. start, '+', 'COUNT', ARGV[4])) do
  out[#out + 1] = e[1]
  out[#out + 1] = e[2]
end
return out
`,
)

/** ARGV 4 from 5 to 6 folded id or '' 7 count 8 keepEntries 9 keepMs. */
export const COPIED = script(
  'copied',
  'writes',
  ACCOUNT,
  `
local from, to, folded, count = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
if redis.call('HGET', ACC, 'lc') ~= from then return 0 end
local now_ = get('fn') > 0 and redis.call('HGET', ACC, 'ci') or ''
if now_ ~= folded then return 0 end
local start = folded ~= '' and folded or from
if count == 0 then
  if to ~= start then return 0 end
else
  local there = redis.call('XRANGE', LEDGER, '(' .. start, to)
  if #there ~= count or there[count][1] ~= to then return 0 end
end
redis.call('HSET', ACC, 'lc', to)
redis.call('HDEL', ACC, 'fu', 'fn')
local over = math.min(redis.call('XLEN', LEDGER) - tonumber(ARGV[8]), ${LEDGER_FOLD})
if over <= 0 then return 1 end
local sum, gone, last, young = 0, 0, nil, at - tonumber(ARGV[9])
for _, e in ipairs(redis.call('XRANGE', LEDGER, '-', to, 'COUNT', over)) do
  if order(e[1]) > young then break end
  sum, gone, last = sum + amountIn(e[2]), gone + 1, e[1]
end
if gone > 0 then
  toCheckpoint(sum, gone, last)
  redis.call('XTRIM', LEDGER, 'MAXLEN', redis.call('XLEN', LEDGER) - gone)
end
return 1
`,
)

/** ARGV 4 currency 5 keepMs of keys 6 checkpoint id or '' 7 its sum 8 its count 9 how many entries; id, key, cause, amount each; then keys and amounts. */
export const RESTORE = script(
  'restore',
  'writes',
  ACCOUNT,
  `
local function done(how, added) return {how, added, int(get('bal'))} end
local function know(key, amount)
  if redis.call('HSETNX', TOPUPS, key, amount) == 1 then
    redis.call('ZADD', KEXP, int(at + tonumber(ARGV[5])), key)
  end
end
if not takes(ARGV[4]) then return done('currency', 0) end
local copied = redis.call('HGET', ACC, 'lc') or '0-0'
if ARGV[6] ~= '' then
  if redis.call('EXISTS', LEDGER) == 1 or get('cn') > 0 then return done('notEmpty', 0) end
  if math.abs(tonumber(ARGV[7])) > MAX then return done('overflow', 0) end
  redis.call('HINCRBY', ACC, 'bal', ARGV[7])
  toCheckpoint(tonumber(ARGV[7]), ARGV[8], ARGV[6])
  copied = ARGV[6]
end
setCurrency(ARGV[4])
redis.call('HSET', ACC, 'lc', copied)
local known = {}
for _, e in ipairs(redis.call('XRANGE', LEDGER, '-', '+')) do
  known[e[1]] = true
  for i = 1, #e[2], 2 do if e[2][i] == 'k' then known[e[2][i + 1]] = true end end
end
local newest = redis.call('XREVRANGE', LEDGER, '+', '-', 'COUNT', 1)[1]
newest = newest and newest[1] or redis.call('HGET', ACC, 'ci') or '0-0'
local isInOrder = newest == copied and get('fn') == 0
local count, added, i = tonumber(ARGV[9]), 0, 10
for _ = 1, count do
  local id, key, cause, amount = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  i = i + 4
  if not known[key] and not known[id] and redis.call('HEXISTS', TOPUPS, key) == 0 then
    local balance = get('bal') + tonumber(amount)
    if math.abs(balance) > MAX then return done('overflow', added) end
    if isAfter(id, newest) then newest = id else id = '*' end
    redis.call('HINCRBY', ACC, 'bal', amount)
    newest = redis.call('XADD', LEDGER, id, 'k', key, 'c', cause, 'a', amount, 'b', int(balance))
    if isInOrder and id ~= '*' then redis.call('HSET', ACC, 'lc', newest) else isInOrder = false end
    local ref = string.match(key, '^(.+)/1$')
    if cause == 'topup' then know(key, amount)
    elseif ref and (cause == 'call' or cause == 'lapsed') then
      writeDone(ref, {a = -tonumber(amount), l = cause == 'lapsed' and '1' or '0', e = newest}, tonumber(ARGV[3]))
    end
    known[key] = true
    added = added + 1
    fold()
  end
end
while ARGV[i] do
  know(ARGV[i], ARGV[i + 1])
  i = i + 2
end
return done('restored', added)
`,
)

/** KEYS marks; ARGV account. */
export const MARK_LEDGER = script(
  'mark-ledger',
  'writes later',
  `
redis.call('ZADD', KEYS[1], 'NX', int(now()), ARGV[1])
return 1
`,
)

/** KEYS marks; ARGV leaseMs limit. */
export const CLAIM_LEDGERS = script(
  'claim-ledgers',
  'writes',
  `
local out, until_ = {}, int(now() + tonumber(ARGV[1]))
for _, account in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(now()), 'LIMIT', 0, ARGV[2])) do
  redis.call('ZADD', KEYS[1], until_, account)
  out[#out + 1] = account
  out[#out + 1] = until_
end
return out
`,
)

/** KEYS marks; ARGV account mark. */
export const LOOKED_AT_LEDGER = script(
  'looked-at-ledger',
  'writes',
  `
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 1
`,
)
