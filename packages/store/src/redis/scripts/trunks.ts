// SPDX-License-Identifier: MIT
// Scripts over trunks: the rules of memory/trunks.ts and trunk-rules.ts in Redis. Of one trunk, `{k:<trunk>}`: `p` places, a sorted set of `<ref>/<attempt>`
// by the end of their leases; `r` begins of the last second; `o` what has ended, by when that is forgotten; `h` host to ten numbers;
// `q` sums, name and bucket to number; `n:<nonce>` uses. Of all, `{trunks}`: `news` by revision, `due` work by time, `states`.

import {
  MAX_ATTEMPTS,
  MAX_HOSTS,
  MAX_OVER,
  MAX_STATES,
  NEWS_KEEP_MS,
  OVER_MS,
  QUALITY_BUCKETS,
  TRUNK_KEEP_MS,
  WORK_KEEP_MS,
} from '../../trunk-rules.ts'
import { script } from './script.ts'

const OVER = `
local function isOver(key, member, at) return tonumber(redis.call('ZSCORE', key, member) or '0') > at end
local function noteOver(key, member, at)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(at))
  redis.call('ZADD', key, int(at + ${OVER_MS}), member)
  redis.call('ZREMRANGEBYRANK', key, 0, -${MAX_OVER + 1})
  redis.call('PEXPIRE', key, ${OVER_MS})
end
local function keep(key) redis.call('PEXPIRE', key, ${TRUNK_KEEP_MS}) end
`

/** KEYS p r o; ARGV ref attempt maxCalls callsPerSecond leaseMs, '' for no bound. */
export const BEGIN_ATTEMPT = script(
  'begin-attempt',
  'writes',
  OVER,
  `
local at, member = now(), ARGV[1] .. '/' .. ARGV[2]
local calls = redis.call('ZCARD', KEYS[1])
if redis.call('ZSCORE', KEYS[1], member) then return {'', calls} end
if isOver(KEYS[3], member, at) or isOver(KEYS[3], ARGV[1], at) then return {'over', calls} end
if ARGV[3] ~= '' and calls >= tonumber(ARGV[3]) then return {'calls', calls} end
if ARGV[4] ~= '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(at - 1000))
  if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) then return {'rate', calls} end
  redis.call('ZADD', KEYS[2], int(at), member)
  redis.call('PEXPIRE', KEYS[2], 1000)
end
redis.call('ZADD', KEYS[1], int(at + tonumber(ARGV[5])), member)
keep(KEYS[1])
return {'', calls + 1}
`,
)

const HOST = `
local NAMES = {'failures', 'first', 'til', 'opened', 'trial', 'pf', 'probe', 'good', 'status', 'took'}
local function readHost(key, name)
  local host, i = {}, 1
  for number in string.gmatch(redis.call('HGET', key, name) or '', '%S+') do
    host[NAMES[i]] = tonumber(number)
    i = i + 1
  end
  for _, each in ipairs(NAMES) do host[each] = host[each] or 0 end
  return host
end
local function writeHost(key, name, host)
  if redis.call('HLEN', key) >= ${MAX_HOSTS} and redis.call('HEXISTS', key, name) == 0 then
    redis.call('HDEL', key, redis.call('HKEYS', key)[1])
  end
  local numbers = {}
  for i, each in ipairs(NAMES) do numbers[i] = int(host[each]) end
  redis.call('HSET', key, name, table.concat(numbers, ' '))
end
local function open(host, openMs, at)
  if host.til == 0 then host.opened = host.opened + 1 end
  host.til, host.failures, host.trial = at + openMs, 0, 0
  return 1
end
local function close(host)
  host.til, host.failures, host.trial, host.pf = 0, 0, 0, 0
  return 1
end
`

// KEYS p o h q; ARGV 1 ref 2 attempt 3 host 4 keeps 5 seized 6 answered 7 effective 8 pddMs or '' 9 health 10 failures 11 windowMs 12 openMs 13 bucketMs
export const END_ATTEMPT = script(
  'end-attempt',
  'writes',
  OVER,
  HOST,
  `
local at, member = now(), ARGV[1] .. '/' .. ARGV[2]
if ARGV[4] == '0' then redis.call('ZREM', KEYS[1], member) end
local calls = redis.call('ZCARD', KEYS[1])
if isOver(KEYS[2], member, at) then return {0, 0, calls} end
noteOver(KEYS[2], member, at)
local bucket = int(math.floor(at / tonumber(ARGV[13])))
local function add(name, n) redis.call('HINCRBY', KEYS[4], name .. bucket, n) end
if ARGV[5] == '1' then
  add('s', 1)
  if ARGV[6] == '1' then add('a', 1) end
  if ARGV[7] == '1' then add('e', 1) end
end
if ARGV[8] ~= '' then
  add('r', 1)
  add('p', ARGV[8])
end
redis.call('PEXPIRE', KEYS[4], int(tonumber(ARGV[13]) * ${QUALITY_BUCKETS + 2}))
if redis.call('HLEN', KEYS[4]) > ${7 * (QUALITY_BUCKETS + 2)} then
  for _, field in ipairs(redis.call('HKEYS', KEYS[4])) do
    if tonumber(string.sub(field, 2)) < tonumber(bucket) - ${QUALITY_BUCKETS} then redis.call('HDEL', KEYS[4], field) end
  end
end
if ARGV[9] == 'neutral' then return {1, 0, calls} end
local host, changed = readHost(KEYS[3], ARGV[3]), 0
if host.til > at then return {1, 0, calls} end
if ARGV[9] == 'good' then
  if host.til == 0 and host.failures == 0 then return {1, 0, calls} end
  if host.til > 0 then changed = close(host) end
  host.failures = 0
elseif host.til > 0 then changed = open(host, tonumber(ARGV[12]), at)
else
  if host.failures == 0 or at - host.first > tonumber(ARGV[11]) then host.failures, host.first = 1, at
  else host.failures = host.failures + 1 end
  local most = tonumber(ARGV[10])
  if most > 0 and host.failures >= most then changed = open(host, tonumber(ARGV[12]), at) end
end
writeHost(KEYS[3], ARGV[3], host)
keep(KEYS[3])
return {1, changed, calls}
`,
)

/** KEYS p o q; ARGV ref talkMs, '' for unknown, bucketMs. */
export const END_TRUNK_CALL = script(
  'end-trunk-call',
  'writes',
  OVER,
  `
local at = now()
if redis.call('EXISTS', KEYS[1]) == 1 then
  local members = {}
  for i = 1, ${MAX_ATTEMPTS} do members[i] = ARGV[1] .. '/' .. int(i - 1) end
  redis.call('ZREM', KEYS[1], unpack(members))
end
if isOver(KEYS[2], ARGV[1], at) then return 0 end
noteOver(KEYS[2], ARGV[1], at)
if ARGV[2] ~= '' then
  local bucket = int(math.floor(at / tonumber(ARGV[3])))
  redis.call('HINCRBY', KEYS[3], 'n' .. bucket, 1)
  redis.call('HINCRBY', KEYS[3], 't' .. bucket, ARGV[2])
  redis.call('PEXPIRE', KEYS[3], int(tonumber(ARGV[3]) * ${QUALITY_BUCKETS + 2}))
end
return 1
`,
)

/** KEYS h; ARGV host good status tookMs probeFailures openMs. */
export const NOTE_PROBE = script(
  'note-probe',
  'writes',
  OVER,
  HOST,
  `
local at, host, changed = now(), readHost(KEYS[1], ARGV[1]), 0
local good = ARGV[2] == '1'
host.probe, host.good, host.status, host.took = at, tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
host.pf = good and 0 or host.pf + 1
if host.til > 0 and host.til <= at then changed = good and close(host) or open(host, tonumber(ARGV[6]), at)
elseif host.til == 0 and host.pf >= tonumber(ARGV[5]) then changed = open(host, tonumber(ARGV[6]), at) end
writeHost(KEYS[1], ARGV[1], host)
keep(KEYS[1])
return changed
`,
)

/** KEYS h; ARGV host leaseMs. */
export const CLAIM_TRIAL = script(
  'claim-trial',
  'writes',
  HOST,
  `
local at, host = now(), readHost(KEYS[1], ARGV[1])
if host.til == 0 or host.til > at or host.trial > at then return 0 end
host.trial = at + tonumber(ARGV[2])
writeHost(KEYS[1], ARGV[1], host)
return 1
`,
)

/** KEYS p h q; ARGV bucketMs leaseMs limit. */
export const LOOK_AT_TRUNK = script(
  'look-at-trunk',
  'writes later',
  `
local at, seen = now(), {}
local out = {int(at), redis.call('ZCARD', KEYS[1]), redis.call('HGETALL', KEYS[2]), {}, {}}
local first = math.floor(at / tonumber(ARGV[1])) - ${QUALITY_BUCKETS}
local all, sums = redis.call('HGETALL', KEYS[3]), {}
for i = 1, #all, 2 do
  local name = string.sub(all[i], 1, 1)
  if tonumber(string.sub(all[i], 2)) >= first then sums[name] = (sums[name] or 0) + tonumber(all[i + 1]) end
end
for i, name in ipairs({'s', 'a', 'e', 'n', 't', 'r', 'p'}) do out[4][i] = int(sums[name] or 0) end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(at), 'LIMIT', 0, ARGV[3])) do
  redis.call('ZADD', KEYS[1], int(at + tonumber(ARGV[2])), member)
  local ref = string.match(member, '^[^/]*')
  if not seen[ref] then
    seen[ref] = true
    out[5][#out[5] + 1] = ref
  end
end
if out[2] > 0 then redis.call('PEXPIRE', KEYS[1], ${TRUNK_KEEP_MS}) end
return out
`,
)

/** KEYS news; ARGV trunk. */
export const TELL_TRUNK = script(
  'tell-trunk',
  'writes',
  `
local at = now()
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('ZADD', KEYS[1], int(math.max(at, tonumber(last[2] or '0') + 1)), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(at - ${NEWS_KEEP_MS}))
redis.call('PEXPIRE', KEYS[1], ${2 * NEWS_KEEP_MS})
return 1
`,
)

/** KEYS news; ARGV after. */
export const READ_TRUNK_NEWS = script(
  'read-trunk-news',
  'reads',
  `
local after = math.max(tonumber(ARGV[1]), now() - ${NEWS_KEEP_MS})
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. int(after), '+inf', 'WITHSCORES')
`,
)

/** KEYS due; ARGV leaseMs, keys. */
export const CLAIM_TRUNK_WORK = script(
  'claim-trunk-work',
  'writes later',
  `
local at, out = now(), {}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(at - ${WORK_KEEP_MS}))
for i = 2, #ARGV do
  local due = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or '0')
  if due <= at then
    redis.call('ZADD', KEYS[1], int(at + tonumber(ARGV[1])), ARGV[i])
    out[#out + 1] = ARGV[i]
  end
end
return out
`,
)

/** KEYS due; ARGV key inMs. */
export const PLAN_TRUNK_WORK = script(
  'plan-trunk-work',
  'writes',
  `
redis.call('ZADD', KEYS[1], int(now() + tonumber(ARGV[2])), ARGV[1])
return 1
`,
)

/** KEYS states; ARGV trunk. */
export const READ_TRUNK_STATE = script('read-trunk-state', 'reads', `return redis.call('HGET', KEYS[1], ARGV[1]) or ''`)

/** KEYS states; ARGV trunk version text. "full" where there is no room. */
export const WRITE_TRUNK_STATE = script(
  'write-trunk-state',
  'writes',
  `
local version = tonumber(string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '0', '^%d+'))
if version ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return 1
end
if version == 0 and redis.call('HLEN', KEYS[1]) >= ${MAX_STATES} then return 2 end
redis.call('HSET', KEYS[1], ARGV[1], int(version + 1) .. ' ' .. ARGV[3])
return 1
`,
)

/** KEYS n; ARGV keepMs. */
export const COUNT_TRUNK_NONCE = script(
  'count-trunk-nonce',
  'writes',
  `
local count = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return count
`,
)
