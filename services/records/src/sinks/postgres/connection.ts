// SPDX-License-Identifier: MIT
//
// One connection to PostgreSQL, made when it is needed and dropped when it fails: the next use connects anew, so a caller
// that tries again reconnects. Every statement has a bound. Passwords and URLs never reach an error's text.
import { type ConnectionOptions, checkServerIdentity } from 'node:tls'
import type { RecordsConfig } from '@tandem/service-kit'
import pg from 'pg'
import { readNamedFile, readSecret } from '../../files/read-secret.ts'

export type PostgresConfig = Extract<RecordsConfig['sinks'][number], { type: 'postgres' }>

export interface QueryResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly rowCount: number
}

export interface Session {
  /** `name` prepares the statement once per connection. */
  query(text: string, values?: readonly unknown[], name?: string): Promise<QueryResult>
}

/** Settings of `pg`, with what the named files hold. @throws ConfigError */
export function clientConfig(config: PostgresConfig): pg.ClientConfig {
  const at = `records.sinks.${config.name}`
  const password = readSecret({ file: config.passwordFile, env: config.passwordEnv }, `${at}.passwordFile`)
  const { host, port, user, database, password: inUrl } = partsOf(config.url)
  return {
    host,
    port,
    ...(user === '' ? {} : { user }),
    ...(database === '' ? {} : { database }),
    ...(password === undefined ? (inUrl === '' ? {} : { password: inUrl }) : { password }),
    ssl: sslOf(config, at, host),
    connectionTimeoutMillis: config.timeoutMs,
    statement_timeout: config.timeoutMs,
    // The server is asked to end it first; this is for a server that is silent.
    query_timeout: config.timeoutMs + 1_000,
    keepAlive: true,
    application_name: 'tandem-records',
  }
}

function partsOf(text: string) {
  const url = new URL(text)
  return {
    // A host that begins with / is a folder of a socket: `postgres://user@%2Frun%2Fpostgresql/db`.
    host: decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: url.port === '' ? 5_432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
  }
}

function sslOf({ tls }: PostgresConfig, at: string, host: string): false | ConnectionOptions {
  if (tls.mode === 'off') return false
  const ca = readNamedFile(tls.caFile, `${at}.tls.caFile`)
  const cert = readNamedFile(tls.certFile, `${at}.tls.certFile`)
  const key = readNamedFile(tls.keyFile, `${at}.tls.keyFile`)
  return {
    rejectUnauthorized: tls.mode === 'verify',
    // `pg` asks for the host by its name whatever stands here, but leaves the check to us.
    checkServerIdentity: (_name, certificate) => checkServerIdentity(tls.serverName || host, certificate),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

export class PostgresConnection {
  readonly #config: pg.ClientConfig
  /** Once per connection, before its first use. */
  readonly #prepare: (session: Session) => Promise<void>
  #client: pg.Client | undefined

  constructor(config: pg.ClientConfig, prepare: (session: Session) => Promise<void> = async () => undefined) {
    this.#config = config
    this.#prepare = prepare
  }

  /**
   * Runs `act` on the connection, made if there is none. A failure that is not of one statement's data, and an abort, drop
   * the connection.
   */
  async run<T>(act: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const drop = () => this.close()
    signal?.addEventListener('abort', drop, { once: true })
    try {
      return await act(sessionOf(await this.#connected()))
    } catch (error) {
      if (!isDataError(error)) this.close()
      throw error
    } finally {
      signal?.removeEventListener('abort', drop)
    }
  }

  close(): void {
    const client = this.#client
    this.#client = undefined
    client?.end().catch(() => undefined)
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client
    const client = new pg.Client(this.#config)
    this.#client = client
    // Also between two statements: the server went away, or an administrator ended the session.
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined
    })
    await client.connect()
    await this.#prepare(sessionOf(client))
    return client
  }
}

function sessionOf(client: pg.Client): Session {
  return {
    async query(text, values = [], name) {
      const { rows, rowCount } = await client.query({
        text,
        values: [...values],
        ...(name === undefined ? {} : { name }),
      })
      return { rows: rows as Readonly<Record<string, unknown>>[], rowCount: rowCount ?? 0 }
    },
  }
}

/** No partition for a row is a matter of the table, not of the row. */
const CHECK_VIOLATION = '23514'

/** The data of a statement can't be stored, whoever tries: classes 22 and 23 and the limits of a row (54). */
export function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' && /^(22|23|54)[0-9A-Z]{3}$/.test(code) && code !== CHECK_VIOLATION
}

/** For the log: code and sentence of the server, or the system's code. */
export function describeError(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  return [code, message].filter((part) => part !== undefined && part !== '').join(': ') || 'unknown error'
}
