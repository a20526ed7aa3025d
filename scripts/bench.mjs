// SPDX-License-Identifier: MIT
//
// `npm run bench`: CPU time per call, side by side with Kamailio where it is installed. Writes bench/results/<time>.json and
// the table between the markers of docs/performance.md. Flags (--rate, --calls, --rounds) go to the measuring script,
// which lies outside this repository, in ../shared/bench; `--cpu-per-call FILE` names another place.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { dirname, join } from 'node:path'
import { replaceBetween, resultTable } from './bench-table.mjs'
import { ensureBuilt, ensureInstalled, ensureNode, fail, isOnPath, ROOT, say } from './bootstrap.mjs'

const DEFAULTS = ['--rate', '1000', '--calls', '10000', '--rounds', '3']

/** Takes `name VALUE` out of the arguments. */
function takeFlag(args, name, otherwise) {
  const at = args.indexOf(name)
  return at < 0 ? otherwise : args.splice(at, 2)[1]
}

function kamailioCommand(folder) {
  const config = join(folder, 'kamailio-memory.cfg')
  if (!isOnPath('kamailio') || !existsSync(config)) return []
  return ['--vs', 'kamailio', '-f', config, '-DD', '-E', '-m', '256', '-M', '16', '-x', 'fm', '-X', 'fm']
}

/** Runs the measuring script; resolves with its exit status and the JSON lines that it printed. */
function measure(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk)
      text += chunk
    })
    child.on('close', (status) =>
      resolve({
        status,
        lines: text
          .split('\n')
          .filter((line) => line.startsWith('{'))
          .map((line) => JSON.parse(line)),
      }),
    )
  })
}

const firstLine = (command, ...args) =>
  (spawnSync(command, args, { encoding: 'utf8', cwd: ROOT }).stdout ?? '').split('\n')[0].trim()

/** Which of the two ran; the paths of a machine stay on it. */
const nameOf = (command) => (command.startsWith('kamailio') ? 'kamailio' : 'node cli/dist/main.js up')

function describeRun(flags, lines) {
  const summary = lines.at(-1)
  return {
    when: new Date().toISOString(),
    commit: firstLine('git', 'rev-parse', '--short', 'HEAD'),
    node: process.version,
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Linux ${release()}`,
    kamailio: isOnPath('kamailio') ? firstLine('kamailio', '-v') : 'not installed',
    flags: flags.join(' '),
    rounds: lines.slice(0, -1).map((round) => ({ ...round, command: nameOf(round.command) })),
    ...summary,
  }
}

function writeResult(result) {
  const folder = join(ROOT, 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${result.when.slice(0, 19).replaceAll(':', '')}.json`)
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
  return file
}

function updatePage(result) {
  const page = join(ROOT, 'docs', 'performance.md')
  const text = existsSync(page) ? readFileSync(page, 'utf8') : '# Performance\n'
  writeFileSync(page, replaceBetween(text, resultTable(result)))
}

await ensureNode(join(ROOT, 'scripts', 'bench.mjs'))
const given = process.argv.slice(2)
const script = takeFlag(given, '--cpu-per-call', join(ROOT, '..', 'shared', 'bench', 'cpu-per-call.mjs'))
if (!existsSync(script)) fail(`bench: ${script} is not there; name the measuring script with --cpu-per-call FILE.`)
if (!isOnPath('sipp')) fail('bench: SIPp is not installed: apt-get install sip-tester')
ensureInstalled()
ensureBuilt()
const flags = [...DEFAULTS, ...given]
const versus = kamailioCommand(dirname(script))
if (versus.length === 0)
  say('bench: kamailio is not installed (apt-get install kamailio): measuring this project alone')
const tandem = [
  process.execPath,
  join(ROOT, 'cli', 'dist', 'main.js'),
  'up',
  '--config',
  join(ROOT, 'bench', 'configs', 'open.yaml'),
]
const { status, lines } = await measure([script, ...flags, '--', ...tandem, ...versus])
if (lines.length < 2) fail('bench: no figures came back (see above).')
const result = describeRun(flags, lines)
say(`bench: wrote ${writeResult(result)}`)
updatePage(result)
process.exitCode = status ?? 1
