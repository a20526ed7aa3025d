// SPDX-License-Identifier: MIT
//
// package-lock.json names no registry, and has an entry for every optional package of every platform. npm leaves out those
// that its registry does not have at that moment (mirrors often have only some), and `npm ci` then refuses the whole
// lock elsewhere. `--fix` adds what is missing; such entries have no integrity until npm sees the package itself.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './bootstrap.mjs'

const FILE = join(ROOT, 'package-lock.json')
const SYSTEMS = ['android', 'darwin', 'freebsd', 'openharmony', 'win32', 'sunos', 'linux']
const CPUS = {
  arm64: 'arm64',
  arm: 'arm',
  x64: 'x64',
  ia32: 'ia32',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
}

const lock = JSON.parse(readFileSync(FILE, 'utf8'))
const packages = lock.packages

const isPresent = (parent, name) => `node_modules/${name}` in packages || `${parent}/node_modules/${name}` in packages

/** [parent, name, version] of every optional dependency without an entry. */
function missing() {
  return Object.entries(packages).flatMap(([parent, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !isPresent(parent, name))
      .map(([name, version]) => [parent, name, version]),
  )
}

function platformOf(name) {
  const last = name.split('/').at(-1)
  const os = SYSTEMS.find((system) => last.includes(system))
  const cpu = Object.keys(CPUS).find((key) => last.includes(key))
  const libc = os === 'linux' && /(musl|gnu)/.exec(last)?.[1]
  return { os, cpu: cpu && CPUS[cpu], libc: libc && (libc === 'musl' ? 'musl' : 'glibc') }
}

function entryOf(parent, name, version) {
  const { os, cpu, libc } = platformOf(name)
  if (!os || !/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name}@${version}: add it to the lock by hand`)
  return {
    version,
    ...(cpu && { cpu: [cpu] }),
    ...(packages[parent].dev && { dev: true }),
    ...(libc && { libc: [libc] }),
    optional: true,
    os: [os],
  }
}

function fix() {
  for (const [parent, name, version] of missing()) packages[`node_modules/${name}`] = entryOf(parent, name, version)
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'))
  writeFileSync(FILE, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`)
}

function problems() {
  const hosts = Object.entries(packages).filter(([, { resolved }]) => /^[a-z+]+:\/\//.test(resolved ?? ''))
  return [
    ...hosts.map(([path]) => `${path}: names a registry (npm's omit-lockfile-registry-resolved is in .npmrc)`),
    ...missing().map(
      ([parent, name]) => `${name}, optional for ${parent}: has no entry; run node scripts/check-lockfile.mjs --fix`,
    ),
  ]
}

if (process.argv.includes('--fix')) fix()
const found = problems()
for (const problem of found) console.error(problem)
process.exitCode = found.length === 0 ? 0 : 1
