// SPDX-License-Identifier: MIT
//
// Sentences of an RFC's text that require or recommend something, by section. Page heads and feet and the table of
// contents are left out. A count, not a grammar: one sentence may ask for two things, and some only repeat another.

const HEADING = /^(\d+(?:\.\d+)*)\.? {1,3}[A-Z]/
const PAGE_FOOT = /\[Page \d+\]\s*$/
const PAGE_HEAD = /^RFC \d+ .*\d{4}\s*$/
const NORMATIVE = /\b(?:MUST|SHOULD|REQUIRED|SHALL|RECOMMENDED)\b/

function sentencesOf(lines) {
  const text = lines
    .join('\n')
    .replace(/\n\s*\n/g, '¶')
    .replace(/\s+/g, ' ')
  return text
    .split(/¶|(?<=[.:;])\s+(?=[A-Z(])/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => NORMATIVE.test(sentence))
}

/** @returns {Map<string, string[]>} section number → its normative sentences, sections without any left out. */
export function sentencesBySection(text) {
  const found = new Map()
  let section = ''
  let lines = []
  const close = () => {
    const sentences = sentencesOf(lines)
    if (section !== '' && sentences.length > 0) found.set(section, [...(found.get(section) ?? []), ...sentences])
    lines = []
  }
  for (const line of text.split(/\r?\n/)) {
    if (PAGE_FOOT.test(line) || PAGE_HEAD.test(line)) continue
    const heading = HEADING.exec(line)
    if (heading === null) lines.push(line)
    else {
      close()
      section = heading[1]
    }
  }
  close()
  return found
}
