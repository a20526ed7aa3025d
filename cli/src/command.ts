// SPDX-License-Identifier: MIT
//
// What the `tandem` command does with its arguments. Exit status: 0 done, 1 failed, 2 usage, 78 bad configuration.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ConfigError, KitError } from '@tandem/service-kit'
import { CommanderError } from 'commander'
import { balance, topUp, unblock } from './admin/balance.ts'
import { addBan, liftBan, listBans } from './admin/bans.ts'
import { exportBindings, importBindings } from './admin/bindings.ts'
import { calls } from './admin/calls.ts'
import { cdr } from './admin/cdr.ts'
import { doctor } from './admin/doctor.ts'
import { fraudEvents, fraudTest } from './admin/fraud.ts'
import { hangUp } from './admin/hang-up.ts'
import { importSubscribers } from './admin/import-subscribers.ts'
import { kick } from './admin/kick.ts'
import { restoreLedgers } from './admin/ledger.ts'
import { locate } from './admin/locate.ts'
import { registrations } from './admin/registrations.ts'
import { routeTest } from './admin/route-test.ts'
import { CommandFailed } from './admin/targets.ts'
import { listTrunks } from './admin/trunks.ts'
import { apiActions } from './api/actions.ts'
import { runKamailio, runRoutr } from './import/run.ts'
import { type Actions, createProgram } from './program.ts'
import { loadSettings } from './settings.ts'
import { run, up } from './up/up.ts'

/** The entry beside this file, from sources or built. */
const MAIN = import.meta.url.endsWith('.ts') ? './main.ts' : './main.js'

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}
/** Waits where the reader is slower. */
const writeLine = async (line: string): Promise<void> => {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
}
const complain = (text: string): void => {
  process.stderr.write(`tandem: ${text}\n`)
}
const settings = (flags: { config?: string }) => loadSettings(flags, { makeKeys: true })

const setStatus = (status: number): void => {
  process.exitCode = status
}

const actions: Actions = {
  ...apiActions({ print, writeLine, setStatus }),
  async up(flags) {
    process.exitCode = await up(flags, { print, main: fileURLToPath(new URL(MAIN, import.meta.url)) })
  },
  async run(service, flags) {
    process.exitCode = await run(service, flags)
  },
  async doctor(flags) {
    const { text, healthy } = await doctor(loadSettings(flags, { makeKeys: true }), flags.output)
    print(text)
    process.exitCode = healthy ? 0 : 1
  },
  async locate(aor, flags) {
    print(await locate(settings(flags), aor, flags.output))
  },
  async kick(aor, flags) {
    print(await kick(settings(flags), aor, flags.contact, flags.output))
  },
  async registrations(flags) {
    print(await registrations(settings(flags), flags))
  },
  async exportBindings(flags) {
    complain(await exportBindings(settings(flags), writeLine))
  },
  async importBindings(flags) {
    complain(await importBindings(settings(flags), createInterface({ input: process.stdin })))
  },
  async importSubscribers(file, flags) {
    complain(await importSubscribers(file, flags, print))
  },
  importKamailio: (flags) => runKamailio(flags, { print, complain }),
  importRoutr: (files, flags) => runRoutr(files, flags, { print, complain }),
  async calls(flags) {
    print(await calls(settings(flags), flags.limit, flags.output))
  },
  async balance(account, flags) {
    print(await balance(settings(flags), account, flags, flags.output))
  },
  async unblock(account, flags) {
    print(await unblock(settings(flags), account, flags.output))
  },
  async restoreLedgers(account, flags) {
    print(await restoreLedgers(settings(flags), account, flags, flags.output))
  },
  async topUp(account, amount, flags) {
    print(await topUp(settings(flags), account, amount, flags.key, flags.output))
  },
  async hangUp(ref, flags) {
    print(await hangUp(settings(flags), ref, flags.reason, flags.output))
  },
  async trunks(trunk, flags) {
    print(await listTrunks(settings(flags), trunk ?? '', flags.output))
  },
  async bans(flags) {
    print(await listBans(settings(flags), flags.limit, flags.output))
  },
  async addBan(address, flags) {
    print(await addBan(settings(flags), address, flags.for, flags.output))
  },
  async liftBan(target, flags) {
    print(await liftBan(settings(flags), target, flags.output))
  },
  async fraudEvents(flags) {
    const ending = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ending.abort())
    await fraudEvents(settings(flags), flags, flags.output, print, ending.signal)
  },
  async fraudTest(flags) {
    print(await fraudTest(settings(flags), flags, flags.output))
  },
  async routeTest(flags) {
    print(await routeTest(settings(flags), flags, flags.output))
  },
  async cdr(flags) {
    for await (const piece of cdr(settings(flags), flags, flags.output)) await writeLine(piece)
  },
}

/** Says what went wrong and returns the exit status. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof ConfigError) complain(`bad configuration:\n${error.message.replace(/^/gm, '  ')}`)
  else if (error instanceof KitError || error instanceof CommandFailed) complain(error.message)
  else complain(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return error instanceof KitError ? error.exitCode : 1
}

function version(): string {
  const file = new URL('../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** Everything written so far is out. Logs are written synchronously (logger.ts). */
const written = (stream: NodeJS.WriteStream): Promise<void> => new Promise((done) => stream.write('', () => done()))

try {
  await createProgram(actions, version()).parseAsync()
} catch (error) {
  process.exitCode = explain(error)
}
await Promise.all([written(process.stdout), written(process.stderr)])
// What a stop leaves behind, like grpc's connection attempt to an address that is silent, must not hold the process.
process.exit()
