// SPDX-License-Identifier: MIT
// Scripts over hunt groups: the rules of memory/groups.ts in Redis. Of one group, `{g:<group>}`: `turn` a counter, `in` and `idle` hashes of member to
// milliseconds.
import { GROUP_KEEP_MS, MAX_GROUP_FIELDS } from '../../group-store.ts'
import { script } from './script.ts'

const KEEP = `
local function keep(key) redis.call('PEXPIRE', key, ${GROUP_KEEP_MS}) end
`

/** KEYS turn in idle. */
export const LOOK_AT_GROUP = script(
  'look-at-group',
  'reads',
  `
return {redis.call('GET', KEYS[1]) or '0', redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
`,
)

/** KEYS turn in idle. A turn is kept with its group's logins, which calls keep alive too. */
export const TAKE_TURN = script(
  'take-turn',
  'writes',
  KEEP,
  `
local turn = redis.call('INCR', KEYS[1]) - 1
for i = 1, 3 do keep(KEYS[i]) end
return {turn, redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
`,
)

/** KEYS in; ARGV member isIn. Replies 1 changed, 0 not, -1 full. */
export const SET_LOGIN = script(
  'set-group-login',
  'writes',
  KEEP,
  `
if ARGV[2] == '0' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  keep(KEYS[1])
  return 0
end
if redis.call('HLEN', KEYS[1]) >= ${MAX_GROUP_FIELDS} then return -1 end
redis.call('HSET', KEYS[1], ARGV[1], int(now()))
keep(KEYS[1])
return 1
`,
)

/** KEYS idle in; ARGV member. */
export const NOTE_CALL_END = script(
  'note-call-end',
  'writes',
  KEEP,
  `
if redis.call('HLEN', KEYS[1]) >= ${MAX_GROUP_FIELDS} and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], ARGV[1], int(now()))
keep(KEYS[1])
keep(KEYS[2])
return 1
`,
)
