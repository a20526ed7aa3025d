// SPDX-License-Identifier: MIT
//
// What the `tandem` command does with its arguments. Exit status: 0 done, 1 failed, 2 usage, 78 bad configuration.
// Each verb loads what it needs when it runs: the whole of the cluster takes a second to load, and few verbs need it.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { CommanderError } from 'commander'
import type { ApiActions } from './api/verbs.ts'
import { CommandFailed } from './command-failed.ts'
import { type Actions, createProgram } from './program.ts'
import { EXIT_STATUS } from './reference/exit-status.ts'

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
const settings = async (flags: { config?: string }) => (await import('./settings.ts')).readSettings(flags)

const setStatus = (status: number): void => {
  process.exitCode = status
}

const api = async (): Promise<ApiActions> =>
  (await import('./api/actions.ts')).apiActions({ print, writeLine, setStatus })

const actions: Actions = {
  async apply(flags) {
    await (await api()).apply(flags)
  },
  async diff(flags) {
    await (await api()).diff(flags)
  },
  async get(kind, name, flags) {
    await (await api()).get(kind, name, flags)
  },
  async describe(kind, name, flags) {
    await (await api()).describe(kind, name, flags)
  },
  async delete(kind, names, flags) {
    await (await api()).delete(kind, names, flags)
  },
  async exportResources(flags) {
    await (await api()).exportResources(flags)
  },
  async history(flags) {
    await (await api()).history(flags)
  },
  async rollback(revision, flags) {
    await (await api()).rollback(revision, flags)
  },
  async createToken(flags) {
    await (await api()).createToken(flags)
  },
  async up(flags) {
    const { up } = await import('./up/up.ts')
    process.exitCode = await up(flags, { print, main: fileURLToPath(new URL(MAIN, import.meta.url)) })
  },
  async run(service, flags) {
    const { run } = await import('./up/up.ts')
    process.exitCode = await run(service, flags)
  },
  async doctor(flags) {
    const { doctor } = await import('./admin/doctor.ts')
    const { loadSettings } = await import('./up/settings.ts')
    const { text, healthy } = await doctor(loadSettings(flags, { makeKeys: true }), flags.output)
    print(text)
    process.exitCode = healthy ? 0 : 1
  },
  async checkCall(flags) {
    const { checkCall, describeSteps } = await import('./check/check-call.ts')
    print(describeSteps(await checkCall(flags, process.env), flags, flags.output))
  },
  async locate(aor, flags) {
    const { locate } = await import('./admin/locate.ts')
    print(await locate(await settings(flags), aor, flags.output))
  },
  async kick(aor, flags) {
    const { kick } = await import('./admin/kick.ts')
    print(await kick(await settings(flags), aor, flags.contact, flags.output))
  },
  async registrations(flags) {
    const { registrations } = await import('./admin/registrations.ts')
    print(await registrations(await settings(flags), flags))
  },
  async exportBindings(flags) {
    const { exportBindings } = await import('./admin/bindings.ts')
    complain(await exportBindings(await settings(flags), writeLine))
  },
  async importBindings(flags) {
    const { importBindings } = await import('./admin/bindings.ts')
    complain(await importBindings(await settings(flags), createInterface({ input: process.stdin })))
  },
  async importSubscribers(file, flags) {
    const { importSubscribers } = await import('./admin/import-subscribers.ts')
    complain(await importSubscribers(file, flags, print))
  },
  async importKamailio(flags) {
    const { runKamailio } = await import('./import/run.ts')
    await runKamailio(flags, { print, complain })
  },
  async importRoutr(files, flags) {
    const { runRoutr } = await import('./import/run.ts')
    await runRoutr(files, flags, { print, complain })
  },
  async calls(flags) {
    const { calls } = await import('./admin/calls.ts')
    print(await calls(await settings(flags), flags.limit, flags.output))
  },
  async balance(account, flags) {
    const { balance } = await import('./admin/balance.ts')
    print(await balance(await settings(flags), account, flags, flags.output))
  },
  async unblock(account, flags) {
    const { unblock } = await import('./admin/balance.ts')
    print(await unblock(await settings(flags), account, flags.output))
  },
  async restoreLedgers(account, flags) {
    const { restoreLedgers } = await import('./admin/ledger.ts')
    print(await restoreLedgers(await settings(flags), account, flags, flags.output))
  },
  async topUp(account, amount, flags) {
    const { topUp } = await import('./admin/balance.ts')
    print(await topUp(await settings(flags), account, amount, flags.key, flags.output))
  },
  async hangUp(ref, flags) {
    const { hangUp } = await import('./admin/hang-up.ts')
    print(await hangUp(await settings(flags), ref, flags.reason, flags.output))
  },
  async drain(edge, flags) {
    const { drainEdge } = await import('./admin/drain.ts')
    print(await drainEdge(await settings(flags), edge, flags.output))
  },
  async trace(callId, flags) {
    const { trace } = await import('./trace/trace.ts')
    await trace(await settings(flags), callId, flags, flags.output, print)
  },
  async logs(files, flags) {
    const { logs } = await import('./logs/logs.ts')
    const keyRing = flags.user === '' ? [] : (await settings(flags)).cluster.secrets
    for await (const line of logs(files, flags, keyRing)) await writeLine(line)
  },
  async setFilter(flags) {
    const { setFilter } = await import('./trace/filters.ts')
    print(await setFilter(await settings(flags), flags, flags.output))
  },
  async listFilters(flags) {
    const { listFilters } = await import('./trace/filters.ts')
    print(await listFilters(await settings(flags), flags.output))
  },
  async clearFilters(flags) {
    const { clearFilters } = await import('./trace/filters.ts')
    print(await clearFilters(await settings(flags), flags.output))
  },
  async trunks(trunk, flags) {
    const { listTrunks } = await import('./admin/trunks.ts')
    print(await listTrunks(await settings(flags), trunk ?? '', flags.output))
  },
  async listGroup(group, flags) {
    const { listGroup } = await import('./admin/groups.ts')
    print(await listGroup(await settings(flags), group, flags.output))
  },
  async setGroupLogin(member, group, loggedIn, flags) {
    const { setGroupLogin } = await import('./admin/groups.ts')
    print(await setGroupLogin(await settings(flags), { member, group, loggedIn }, flags.output))
  },
  async bans(flags) {
    const { listBans } = await import('./admin/bans.ts')
    print(await listBans(await settings(flags), flags.limit, flags.output))
  },
  async addBan(address, flags) {
    const { addBan } = await import('./admin/bans.ts')
    print(await addBan(await settings(flags), address, flags.for, flags.output))
  },
  async liftBan(target, flags) {
    const { liftBan } = await import('./admin/bans.ts')
    print(await liftBan(await settings(flags), target, flags.output))
  },
  async fraudEvents(flags) {
    const { fraudEvents } = await import('./admin/fraud.ts')
    const ending = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ending.abort())
    await fraudEvents(await settings(flags), flags, flags.output, print, ending.signal)
  },
  async fraudTest(flags) {
    const { fraudTest } = await import('./admin/fraud.ts')
    print(await fraudTest(await settings(flags), flags, flags.output))
  },
  async routeTest(flags) {
    const { routeTest } = await import('./admin/route-test.ts')
    print(await routeTest(await settings(flags), flags, flags.output))
  },
  async cdr(flags) {
    const { cdr } = await import('./admin/cdr.ts')
    for await (const piece of cdr(await settings(flags), flags, flags.output)) await writeLine(piece)
  },
}

/** Says what went wrong and returns the exit status. */
async function explain(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return (error.exitCode === 0 ? EXIT_STATUS.done : EXIT_STATUS.usage).status
  if (error instanceof CommandFailed) {
    complain(error.message)
    return EXIT_STATUS.failed.status
  }
  const { ConfigError, KitError } = await import('@tandem/service-kit')
  if (error instanceof ConfigError) complain(`bad configuration:\n${error.message.replace(/^/gm, '  ')}`)
  else if (error instanceof KitError) complain(error.message)
  else complain(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return error instanceof KitError ? error.exitCode : EXIT_STATUS.failed.status
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
  process.exitCode = await explain(error)
}
await Promise.all([written(process.stdout), written(process.stderr)])
// What a stop leaves behind, like grpc's connection attempt to an address that is silent, must not hold the process.
process.exit()
