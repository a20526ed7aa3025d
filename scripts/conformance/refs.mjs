// SPDX-License-Identifier: MIT
//
// Which code and which tests name a clause. Code: any id in the sources of packages, services and cli; `DEVIATION[…]` is
// kept apart. Tests: ids in titles of test, it, describe and suite (their `.each` too), and in what tables put into
// titles: the values of `cite`, `name` and `title`, and the first cell of a row. Comments and skipped tests do not count.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { CLAUSE_ID, idsIn } from './register.mjs'

const SOURCES = ['packages/*/src/**/*.ts', 'services/*/src/**/*.ts', 'cli/src/**/*.ts']
/** Suites that several test files run stand in files `*-contract.ts`. */
const TESTS = ['{packages,services}/*/src/**/*{.test,-contract}.ts', 'cli/src/**/*.test.ts', 'test/**/*.test.ts']
const SCENARIOS = ['test/e2e/sipp/*.xml']
const TITLED = new Set(['test', 'it', 'describe', 'suite'])
const LABELS = ['cite', 'name', 'title']

/** A title as the page shows it: without its ids and the brackets that they leave. */
export const withoutIds = (title) =>
  title
    .replace(/\(?\[(?:RFC\d{3,4}-[\d.]+[a-z]*[,; ]*)+\]\)?/g, ' ')
    .replace(CLAUSE_ID, ' ')
    .replace(/\[?\$cite\]?/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[\s:,–-]+|[\s:,–-]+$/g, '')

/** A comment's words without its signs, up to the end of the first sentence. */
function firstSentence(comment) {
  const words = comment
    .split('\n')
    .map((line) => line.replace(/^\s*(\/\/|\*\/?)\s?|\*\/\s*$/g, ''))
    .join(' ')
  return /^.*?(?=\.(\s|$)|$)/.exec(words)[0].replace(/\s+/g, ' ').trim()
}

/** Ids in a source, each once: `{ id, deviation }`, with the reason where it is a deviation, else undefined. */
export function codeRefs(text) {
  const reasons = new Map()
  for (const [, ids, comment] of text.matchAll(/DEVIATION\[([^\]]+)\]:?((?:.*\n(?=\s*(?:\/\/|\*)))*.*)/g)) {
    for (const id of idsIn(ids)) reasons.set(id, firstSentence(comment))
  }
  return [...new Set(idsIn(text))].map((id) => ({ id, deviation: reasons.get(id) }))
}

/** The names in `describe.skip`, `test.each(rows)`, `it.skipIf(x)`: outermost call first. */
function wordsOf(callee) {
  if (ts.isIdentifier(callee)) return [callee.text]
  if (ts.isPropertyAccessExpression(callee)) return [...wordsOf(callee.expression), callee.name.text]
  if (ts.isCallExpression(callee)) return wordsOf(callee.expression)
  if (ts.isTaggedTemplateExpression(callee)) return wordsOf(callee.tag)
  return []
}

const isText = (node) => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)
const textOf = (node) =>
  ts.isStringLiteralLike(node)
    ? node.text
    : [node.head.text, ...node.templateSpans.flatMap((span) => ['…', span.literal.text])].join('')

/** What a row of a table calls itself: its label without ids, else its `name`, `title` or `text`, else the title over the table. */
function labelOf(literal, object) {
  const own = withoutIds(textOf(literal))
  if (own !== '') return own
  for (const key of ['name', 'title', 'must', 'text']) {
    const found = object.properties.find((property) => property.name?.getText() === key)
    if (found?.initializer && isText(found.initializer)) return withoutIds(textOf(found.initializer))
  }
  return titleOverTable(object)
}

/** The title of the `test.each(TABLE)` that a row is in, whether the table has a name or stands there itself. */
function titleOverTable(row) {
  let table = row
  while (table.parent && !ts.isCallExpression(table.parent) && !ts.isVariableDeclaration(table.parent))
    table = table.parent
  const { parent } = table
  const isTable = (argument) =>
    argument === table || (ts.isIdentifier(argument) && argument.text === parent?.name?.text)
  let found = ''
  const visit = (node) => {
    const each = ts.isCallExpression(node) && ts.isCallExpression(node.expression) ? node.expression : undefined
    if (each?.arguments.some(isTable) && isText(node.arguments[0])) found ||= withoutIds(textOf(node.arguments[0]))
    ts.forEachChild(node, visit)
  }
  visit(row.getSourceFile())
  return found
}

function titleAt(node) {
  const { parent } = node
  if (ts.isCallExpression(parent) && parent.arguments[0] === node) {
    const words = wordsOf(parent.expression)
    return TITLED.has(words[0]) ? withoutIds(textOf(node)) : undefined
  }
  if (ts.isPropertyAssignment(parent) && parent.initializer === node && LABELS.includes(parent.name.getText())) {
    return labelOf(node, parent.parent)
  }
  if (ts.isArrayLiteralExpression(parent) && parent.elements[0] === node) return withoutIds(textOf(node))
  return undefined
}

const isSkipped = (node) =>
  ts.isCallExpression(node) &&
  TITLED.has(wordsOf(node.expression)[0]) &&
  wordsOf(node.expression).some((word) => word === 'skip' || word === 'todo')

/** Ids in the titles of a test file: `[{ id, title }]`. */
export function testRefs(text, name = 'x.test.ts') {
  const found = []
  const visit = (node) => {
    if (isSkipped(node)) return
    if (isText(node)) {
      const ids = idsIn(textOf(node))
      const title = ids.length > 0 ? titleAt(node) : undefined
      if (title !== undefined) found.push(...ids.map((id) => ({ id, title })))
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true))
  return found
}

const scenarioRefs = (text) =>
  [...text.matchAll(/<scenario name="([^"]*)"/g)].flatMap(([, title]) =>
    idsIn(title).map((id) => ({ id, title: withoutIds(title) })),
  )

function collect(root, patterns, refsOf, leaveOut = () => false) {
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).filter((file) => !leaveOut(file))
  return files
    .sort()
    .flatMap((file) => refsOf(readFileSync(join(root, file), 'utf8'), file).map((ref) => ({ file, ...ref })))
}

/** @returns {{ code: { file: string, id: string, deviation: string | undefined }[], tests: { file: string, id: string, title: string }[] }} */
export const readRefs = (root) => ({
  code: collect(root, SOURCES, codeRefs, (file) => /(\.test|-contract)\.ts$|\/gen\//.test(file)),
  tests: [...collect(root, TESTS, testRefs), ...collect(root, SCENARIOS, scenarioRefs)],
})
