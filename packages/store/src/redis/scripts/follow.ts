// SPDX-License-Identifier: MIT
// The one script that looks at more than one slot, in a Cluster only: what is new in those change streams that one master serves. It
// reads, nothing depends on the streams of one moment, and a stream that is not here any more ends it with an error. Without it a look
// at 256 streams would be 256 commands, for a command's keys must be of one slot.

import { script } from './script.ts'

/** KEYS one of the streams; ARGV limit, then tag and cursor of each. Answers as XREAD does; nothing new: an empty list. */
export const FOLLOW_CHANGES = script(
  'follow-changes',
  'reads',
  `
local out, limit = {}, ARGV[1]
for i = 2, #ARGV, 2 do
  local found = redis.call('XREAD', 'COUNT', limit, 'STREAMS', '{' .. ARGV[i] .. '}:changes', ARGV[i + 1])
  if found then out[#out + 1] = found[1] end
end
return out
`,
)
