// SPDX-License-Identifier: MIT
//
// A benchmark's result as Markdown, and its place in docs/performance.md.

const BEGIN = '<!-- bench:cpu-per-call begin (written by npm run bench) -->'
const END = '<!-- bench:cpu-per-call end -->'

const nameOf = (command) => (command.includes('kamailio') ? 'Kamailio (tuned allocator)' : 'Tandem (open profile)')

function row(round) {
  const { command, usPerCall, userUs, sysUs, cps, ok, failed, retransmissions, rssMiB } = round
  return `| ${nameOf(command)} | ${usPerCall} | ${userUs} | ${sysUs} | ${cps} | ${ok} | ${failed} | ${retransmissions} | ${rssMiB} |`
}

/** Every round of the run, then the medians and their ratio. */
export function resultTable(result) {
  const { when, commit, node, machine, kamailio, rounds, medianUsPerCall, ratio, allCallsSucceeded } = result
  const [ours, theirs] = medianUsPerCall
  const verdict = theirs === undefined ? `Median ${ours} µs.` : `Medians ${ours} and ${theirs} µs: ratio **${ratio}**.`
  return [
    `Run of ${when.slice(0, 10)} at ${commit}: Node ${node}, ${kamailio}, on ${machine}.`,
    '',
    '| proxy | µs per call | user | system | calls/s | ok | failed | retransmissions | RSS MiB |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rounds.map(row),
    '',
    `${verdict} ${allCallsSucceeded ? 'Every call succeeded.' : 'Some calls failed.'}`,
  ].join('\n')
}

/** The page with the part between the markers replaced; markers are added at the end where there are none. */
export function replaceBetween(page, text) {
  const block = `${BEGIN}\n${text}\n${END}`
  const from = page.indexOf(BEGIN)
  const to = page.indexOf(END)
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n## CPU time per call\n\n${block}\n`
  return page.slice(0, from) + block + page.slice(to + END.length)
}
