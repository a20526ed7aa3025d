// SPDX-License-Identifier: MIT
// Runs a real PostgreSQL for tests, on a free port of 127.0.0.1, its data in a temporary folder. As root it runs as another
// user: PostgreSQL refuses root. Everything waits with a bound, and the server ends with this process.
// It does not sync (a killed server loses nothing by that, a machine without power would).
import { execFile } from 'node:child_process'
import { accessSync, readdirSync } from 'node:fs'
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { type ManagedProcess, startProcess } from './process.ts'
import { type Availability, findFile, findProgram } from './program.ts'
import type { RedisTlsFiles } from './redis.ts'
import { waitUntil } from './wait.ts'

export interface PostgresOptions {
  /** With it, only connections over TLS are let in. */
  readonly tls?: Pick<RedisTlsFiles, 'certFile' | 'keyFile'>
  /** Of the whole start; 60 s where absent. */
  readonly timeoutMs?: number
}

export interface RunningPostgres {
  /** postgres://tandem@127.0.0.1:port/postgres: without the password. */
  readonly url: string
  readonly port: number
  readonly password: string
  output(): string
  /** Runs SQL; lines of values separated by `|`. Rejects with what the server says. */
  ask(sql: string): Promise<string>
  /** As a crash: SIGKILL. start() brings it back on the same port with its data. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

const run = promisify(execFile)
const USER = 'tandem'
const PASSWORD = 'a-secret-of-tests'
/** Where Debian puts what it keeps off the PATH, one folder a version. */
const DEBIAN = '/usr/lib/postgresql'

/** TANDEM_TEST_POSTGRES names another server than the one that is installed: a file, with `initdb` and `psql` beside it. */
export function postgresAvailable(): Availability {
  const chosen = process.env.TANDEM_TEST_POSTGRES ?? ''
  if (chosen !== '') return findFile(chosen)
  for (const version of debianVersions()) {
    const found = findFile(join(DEBIAN, version, 'bin', 'postgres'))
    if (found.available) return found
  }
  return findProgram(['postgres'], 'postgresql')
}

/** Newest first. */
function debianVersions(): string[] {
  try {
    return readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a))
  } catch {
    return []
  }
}

/** Starts a server and comes back when it answers. */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const program = postgresAvailable()
  if (!program.available) throw new Error(program.reason)
  const folder = await mkdtemp(join(tmpdir(), 'tandem-postgres-'))
  const server = new PostgresServer(dirname(program.path), folder, await freePort(), options)
  try {
    await server.prepare()
    await server.start()
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

class PostgresServer implements RunningPostgres {
  readonly url: string
  readonly port: number
  readonly password = PASSWORD
  readonly #bin: string
  readonly #folder: string
  readonly #options: PostgresOptions
  #process: ManagedProcess | undefined

  constructor(bin: string, folder: string, port: number, options: PostgresOptions) {
    this.#bin = bin
    this.#folder = folder
    this.port = port
    this.#options = options
    this.url = `postgres://${USER}@127.0.0.1:${port}/postgres`
  }

  output(): string {
    return this.#process?.output() ?? ''
  }

  async ask(sql: string): Promise<string> {
    const env = { ...process.env, PGPASSWORD: PASSWORD, PGCONNECT_TIMEOUT: '5' }
    const { stdout } = await run(
      join(this.#bin, 'psql'),
      ['-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', sql, this.url],
      {
        env,
        timeout: 30_000,
        maxBuffer: 1e9,
      },
    )
    return stdout.trimEnd()
  }

  async prepare(): Promise<void> {
    const { tls } = this.#options
    const passwordFile = join(this.#folder, 'password')
    await writeFile(passwordFile, PASSWORD)
    if (tls !== undefined) {
      await copyFile(tls.certFile, join(this.#folder, 'server.crt'))
      await copyFile(tls.keyFile, join(this.#folder, 'server.key'))
      await chmod(join(this.#folder, 'server.key'), 0o600)
    }
    if (process.getuid?.() === 0) await run('chown', ['-R', `${otherUser()}:`, this.#folder])
    const settings = ['-U', USER, '--pwfile', passwordFile, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale', 'C', '-N']
    const [command, args] = asOther(join(this.#bin, 'initdb'), ['-D', join(this.#folder, 'data'), ...settings])
    await run(command, args, { timeout: this.#timeoutMs })
  }

  async start(): Promise<void> {
    if (this.#process !== undefined && this.#process.end === undefined) return
    const set = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', ...this.#tlsSettings()]
    const flags = ['-D', join(this.#folder, 'data'), '-p', String(this.port), ...set.flatMap((one) => ['-c', one])]
    const [command, args] = asOther(join(this.#bin, 'postgres'), flags)
    const begin = async () => {
      this.#process = await startProcess({ command, args, cwd: this.#folder })
    }
    await begin()
    await waitUntil(`postgres on port ${this.port}`, () => this.#isReady(begin), this.#timeoutMs)
  }

  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL')
    await this.#process?.waitForEnd(10_000)
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? 60_000
  }

  #tlsSettings(): string[] {
    if (this.#options.tls === undefined) return []
    const at = (name: string) => join(this.#folder, name)
    return ['ssl=on', `ssl_cert_file=${at('server.crt')}`, `ssl_key_file=${at('server.key')}`]
  }

  async #isReady(begin: () => Promise<void>): Promise<boolean> {
    const end = this.#process?.end
    // Sessions of a killed server live on for a moment, and a new one does not start beside them.
    if (end !== undefined && this.output().includes('shared memory')) await begin()
    else if (end !== undefined) throw new Error(`postgres ended with ${JSON.stringify(end)}\n${this.output()}`)
    return this.ask('SELECT 1').then(
      (reply) => reply === '1',
      () => false,
    )
  }
}

/** The package's own user where there is one. */
function otherUser(): string {
  try {
    accessSync('/var/lib/postgresql')
    return 'postgres'
  } catch {
    return 'nobody'
  }
}

function asOther(command: string, args: string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, args]
  return ['setpriv', [`--reuid=${otherUser()}`, '--clear-groups', '--', command, ...args]]
}
