// SPDX-License-Identifier: MIT
//
// Fails when a clause of the register has no test, when code or a test names a clause that its chapter of the register
// does not have, or when the register itself is wrong. That CONFORMANCE.md has not drifted is checked by generate.mjs.
import { STRICT } from './conformance/join.mjs'
import { conformance } from './conformance/page.mjs'

const { gaps } = conformance()
for (const gap of gaps) console.error(gap)
if (gaps.length > 0) console.error(`${gaps.length} gaps: CONTRIBUTING.md says how the register is kept`)
process.exitCode = STRICT && gaps.length > 0 ? 1 : 0
