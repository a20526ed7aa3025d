// SPDX-License-Identifier: MIT
// An account apart from its holds: blocks, top-ups, reading.

import { ACCOUNT } from './account.ts'
import { script } from './script.ts'

export * from './account-marks.ts'
export * from './holds.ts'
export * from './ledger.ts'

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
  sum, count = sum + amountIn(e[2]), count + 1
end
for _, text in ipairs(redis.call('HVALS', HOLDS)) do holds = holds + tonumber(string.match(text, '(%d+)$')) end
return {int(get('bal')), int(sum), int(get('held')), int(holds), count, int(get('cn')), int(get('cp')),
  redis.call('HGET', ACC, 'ci') or '', redis.call('HGET', ACC, 'lc') or ''}
`,
)
