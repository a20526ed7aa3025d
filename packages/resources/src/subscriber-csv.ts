// SPDX-License-Identifier: MIT
//
// Subscribers of another system, with the hashes of their passwords: CSV with a line of column names (Kamailio's and OpenSIPS'
// table `subscriber` as their tools export it among them), or an htdigest file (`username:realm:hash`). One broken line refuses
// the whole file; each is named by its number. A password in clear is turned into hashes here and goes no further.
import { BadLine, badLine, splitLine } from './csv-line.ts'
import { hostName, resourceName, userName } from './envelope.ts'
import { ha1Of } from './ha1.ts'
import { HA1_DIGITS } from './subscriber.ts'

/** Stops a file that would not fit into memory as resources. */
export const MAX_IMPORTED = 500_000
const MAX_LINE = 2_048
/** Broken lines that are listed. */
const MAX_PROBLEMS = 20

/** A subscriber as an import gives it; '' for what is not there. */
export interface ImportedSubscriber {
  readonly name: string
  readonly username: string
  readonly domain: string
  /** Digest username. */
  readonly login: string
  readonly md5: string
  readonly sha256: string
  readonly account: string
}

export interface ImportedLine {
  /** From 1. */
  readonly line: number
  readonly expected: string
}

export type SubscriberImport =
  | { readonly ok: true; readonly subscribers: readonly ImportedSubscriber[] }
  | { readonly ok: false; readonly problems: readonly ImportedLine[] }

export interface ImportOptions {
  /** Goes on behind a line that is not understood, and passes over columns that nobody knows; both are reported. */
  readonly lenient?: boolean
  /** Of lines that name none; for an htdigest file unset: the realm. */
  readonly domain?: string
  /** With which passwords in clear are hashed; the domain unless set. */
  readonly realm?: string
}

/** What each column is called where it comes from. */
const COLUMNS = {
  username: ['username', 'user'],
  domain: ['domain', 'realm'],
  md5: ['ha1_md5', 'md5', 'ha1'],
  sha256: ['ha1_sha256', 'sha256', 'ha1_sha256_hex'],
  md5b: ['ha1b'],
  password: ['password'],
  account: ['account'],
} as const
type Column = keyof typeof COLUMNS
const KNOWN = Object.values(COLUMNS).flat()

/** Columns of those tables that say nothing that we need. */
const PASSED_OVER = new Set(['id', 'ha1_sha512t256', 'ha1_sha512256', 'email_address', 'rpid', 'cli', 'created_at'])

type Columns = ReadonlyMap<Column, number>

function columnNamed(name: string): Column | undefined {
  const lower = name.toLowerCase()
  return (Object.keys(COLUMNS) as Column[]).find((column) => (COLUMNS[column] as readonly string[]).includes(lower))
}

/** What the names of columns are separated by. */
const delimiterOf = (line: string): string => [',', '\t', ';', '|'].find((one) => line.includes(one)) ?? ','

/** @param onUnknown told of a column that nobody knows, where it is passed over */
function readColumns(line: string, delimiter: string, onUnknown?: (name: string) => void): Columns {
  const columns = new Map<Column, number>()
  for (const [index, name] of splitLine(line.replace(/^\uFEFF/, ''), delimiter).entries()) {
    const column = columnNamed(name)
    if (column !== undefined && columns.has(column)) badLine(`expected one column for ${column}`)
    if (column !== undefined) columns.set(column, index)
    else if (PASSED_OVER.has(name.toLowerCase())) continue
    else if (onUnknown !== undefined) onUnknown(name)
    else badLine(`expected columns among ${KNOWN.join(', ')}`)
  }
  if (!columns.has('username')) badLine('expected a column username')
  if (!(['md5', 'sha256', 'md5b', 'password'] as const).some((column) => columns.has(column)))
    badLine('expected a column ha1_md5, ha1_sha256, ha1b or password')
  return columns
}

/** Never says what stood there: it may be a password. */
function readHash(text: string, what: string, digits: number): string {
  if (text !== '' && !new RegExp(`^[0-9a-f]{${digits}}$`, 'i').test(text))
    badLine(`expected ${digits} hexadecimal digits in ${what}`)
  return text.toLowerCase()
}

/** Names of resources have fewer characters than users. */
const nameOf = (username: string): string => {
  const plain = username.replace(/^\+/, '').replaceAll(/[^A-Za-z0-9._-]/g, '-')
  return resourceName.safeParse(plain).success
    ? plain
    : badLine('expected a username with a letter or digit at its beginning')
}

interface Fields {
  readonly username: string
  readonly domain: string
  readonly md5: string
  readonly sha256: string
  /** Of `username@domain` as digest username. */
  readonly md5b: string
  readonly password: string
  readonly account: string
}

function subscriberOf(fields: Fields, options: ImportOptions): ImportedSubscriber {
  const username = userName.safeParse(fields.username)
  if (!username.success) return badLine('expected a SIP user in username')
  const domain = hostName.safeParse(fields.domain || options.domain || '')
  if (!domain.success) return badLine('expected a domain, in its column or by --domain')
  const md5 = readHash(fields.md5, 'ha1_md5', HA1_DIGITS.md5)
  const sha256 = readHash(fields.sha256, 'ha1_sha256', HA1_DIGITS.sha256)
  const md5b = readHash(fields.md5b, 'ha1b', HA1_DIGITS.md5)
  const name = nameOf(username.data)
  const common = { name, username: username.data, domain: domain.data, account: fields.account }
  if (md5 !== '' || sha256 !== '') return { ...common, login: username.data, md5, sha256 }
  if (md5b !== '') return { ...common, login: `${username.data}@${domain.data}`, md5: md5b, sha256: '' }
  if (fields.password === '') return badLine('expected a hash or a password')
  return { ...common, login: username.data, ...ha1Of(username.data, options.realm ?? domain.data, fields.password) }
}

/** As tables are written where there is nothing. */
const NOTHING = new Set(['NULL', '\\N'])

function readCsvLine(line: string, columns: Columns, delimiter: string, options: ImportOptions): ImportedSubscriber {
  const fields = splitLine(line, delimiter)
  const at = (column: Column): string => {
    const field = fields[columns.get(column) ?? -1] ?? ''
    return NOTHING.has(field) ? '' : field
  }
  const names = Object.keys(COLUMNS) as Column[]
  return subscriberOf(Object.fromEntries(names.map((column) => [column, at(column)])) as unknown as Fields, options)
}

/** The realm may have colons, the other two may not. */
function readHtdigestLine(line: string, options: ImportOptions): ImportedSubscriber {
  const match = /^([^:]+):(.+):([^:]+)$/.exec(line)
  if (match === null) return badLine('expected username:realm:hash')
  const [, username = '', realm = '', md5 = ''] = match
  const domain = options.domain ?? realm
  return subscriberOf({ username, domain, md5, sha256: '', md5b: '', password: '', account: '' }, options)
}

/** A line of column names has commas and no hash; nobody's username has a comma and two colons besides. */
const looksLikeHtdigest = (line: string): boolean => /^[^:,]+:.+:[0-9a-f]{32}$/i.test(line)

class Reader {
  readonly #options: ImportOptions
  readonly #subscribers: ImportedSubscriber[] = []
  readonly #problems: ImportedLine[] = []
  /** Line by what must be one subscriber's alone. */
  readonly #seen = new Map<string, number>()
  #read: ((line: string) => ImportedSubscriber) | undefined

  constructor(options: ImportOptions) {
    this.#options = options
  }

  take(text: string, line: number): void {
    const most = this.#options.lenient === true ? MAX_IMPORTED : MAX_PROBLEMS
    if (text.trim() === '' || text.startsWith('#') || this.#problems.length >= most) return
    try {
      if (text.length > MAX_LINE) badLine(`expected at most ${MAX_LINE} characters`)
      if (this.#read === undefined) this.#begin(text, line)
      else this.#add(this.#read(text), line)
    } catch (error) {
      if (!(error instanceof BadLine)) throw error
      this.#problems.push({ line, expected: error.message })
    }
  }

  #begin(text: string, line: number): void {
    if (looksLikeHtdigest(text)) {
      this.#read = (one) => readHtdigestLine(one, this.#options)
      this.#add(this.#read(text), line)
      return
    }
    // Without column names no line can be read: nothing more is said of them.
    this.#read = () => badLine('expected readable column names in the first line')
    const delimiter = delimiterOf(text)
    const onUnknown = (name: string) =>
      void this.#problems.push({ line, expected: `the column ${name} is not read: nothing here corresponds to it` })
    const columns = readColumns(text, delimiter, this.#options.lenient === true ? onUnknown : undefined)
    this.#read = (one) => readCsvLine(one, columns, delimiter, this.#options)
  }

  #add(subscriber: ImportedSubscriber, line: number): void {
    const { name, username, domain } = subscriber
    for (const key of new Set([`${username}@${domain}`, `${name}@${domain}`])) {
      const before = this.#seen.get(key)
      if (before !== undefined) badLine(`expected each user once, found the one of line ${before}`)
      this.#seen.set(key, line)
    }
    if (this.#subscribers.length >= MAX_IMPORTED) badLine(`expected at most ${MAX_IMPORTED} subscribers`)
    this.#subscribers.push(subscriber)
  }

  get found() {
    return { subscribers: this.#subscribers, problems: this.#problems }
  }

  result(): SubscriberImport {
    if (this.#problems.length > 0) return { ok: false, problems: this.#problems }
    if (this.#subscribers.length > 0) return { ok: true, subscribers: this.#subscribers }
    return { ok: false, problems: [{ line: 1, expected: 'expected a line of column names and a subscriber a line' }] }
  }
}

/** Reads CSV or htdigest, whichever the text is. */
export function parseSubscribers(text: string, options: ImportOptions = {}): SubscriberImport {
  const reader = new Reader(options)
  for (const [index, line] of text.split(/\r?\n/).entries()) reader.take(line, index + 1)
  return reader.result()
}

/** What can be read of it, and what could not, line by line. */
export function readSubscribers(text: string, options: ImportOptions = {}) {
  const reader = new Reader({ ...options, lenient: true })
  for (const [index, line] of text.split(/\r?\n/).entries()) reader.take(line, index + 1)
  return reader.found
}

const yaml = (value: string): string => `'${value.replaceAll("'", "''")}'`

/** One YAML document for each, which `loadResources` takes. */
export function subscriberDocument({
  name,
  username,
  domain,
  login,
  md5,
  sha256,
  account,
}: ImportedSubscriber): string {
  const ha1 = [md5 && `md5: ${yaml(md5)}`, sha256 && `sha256: ${yaml(sha256)}`].filter(Boolean).join(', ')
  const lines = [
    'apiVersion: tandem/v1',
    'kind: Subscriber',
    `metadata: { name: ${yaml(name)}, domain: ${yaml(domain)} }`,
    'spec:',
    ...(username === name ? [] : [`  usernames: [${yaml(username)}]`]),
    ...(account === '' ? [] : [`  account: ${yaml(account)}`]),
    `  credentials: { username: ${yaml(login)}, ha1: { ${ha1} } }`,
  ]
  return `${lines.join('\n')}\n`
}
