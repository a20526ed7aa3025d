// SPDX-License-Identifier: MIT
//
// The two registrars that the benches of location hold against each other, each as it keeps bindings in memory or in a Redis of its own:
// this project in one process or in many, and Kamailio (bench/kamailio-registrar.cfg) with one worker and the tuned
// allocator. What runs is counted by part: every process of the project, Kamailio's, Redis.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startRedis } from '@tandem/test-kit'
import { RunningProxy, spentBy } from './proxy.mjs'
import { READY, tandemCommand } from './tandem.mjs'

const CONFIG = join(dirname(fileURLToPath(import.meta.url)), '../kamailio-registrar.cfg')
const MODULES = '/usr/lib/x86_64-linux-gnu/kamailio/modules'
const HOST = '127.0.0.1'

/** Every contestant there is. `many`: a process for each service. `isFull`: digest, an account that pays, ten rules against fraud, records. */
const CONTESTANTS = {
  tandem: { redis: false, processes: 'single' },
  'tandem-redis': { redis: true, processes: 'single' },
  'tandem-redis-many': { redis: true, processes: 'many' },
  'tandem-redis-full': { redis: true, processes: 'single', isFull: true },
  'tandem-redis-many-full': { redis: true, processes: 'many', isFull: true },
  kamailio: { redis: false },
  'kamailio-redis': { redis: true },
}

/** Those of a comma-separated list; ends with a sentence where a name is unknown. Kamailio's are left out where it is not there. */
export function chooseContestants(list) {
  const names = list.split(',').filter((name) => name !== '')
  const unknown = names.find((name) => CONTESTANTS[name] === undefined)
  if (unknown !== undefined) {
    console.error(`--only: "${unknown}" is none of ${Object.keys(CONTESTANTS).join(', ')}`)
    process.exit(2)
  }
  return names.filter((name) => {
    const lacking = name.startsWith('kamailio') ? kamailioLacks(CONTESTANTS[name].redis) : ''
    if (lacking !== '') console.error(`${name} takes no part: ${lacking}`)
    return lacking === ''
  })
}

function kamailioLacks(redis) {
  if (spawnSync('kamailio', ['-v']).error !== undefined) return 'kamailio is not installed'
  return redis && !existsSync(join(MODULES, 'db_redis.so')) ? 'kamailio-redis-modules is not installed' : ''
}

/** Whether who calls, and who registers, is asked who he is. */
export const isFull = (name) => CONTESTANTS[name].isFull === true

const PAID = [
  ['RatePlan', 'retail', { currency: 'EUR', onNet: 'rated', rates: [{ prefix: '*', perMinuteMicros: 10_000 }] }],
  ['Account', 'acme', { ratePlan: 'retail', maxCalls: 100_000 }],
  ...Array.from({ length: 10 }, (_, k) => [
    'FraudRule',
    `rule${k}`,
    {
      measures: { callsPerWindow: { windowMs: 60_000 * (k + 1), critical: { above: 100_000_000, action: 'reject' } } },
    },
  ]),
].map(([kind, name, spec]) => ({ apiVersion: 'tandem/v1', kind, metadata: { name }, spec }))

const md5 = (text) => createHash('md5').update(text).digest('hex')

export class Registrar {
  #proxy
  #redis
  #name
  port

  /**
   * Started and ready.
   *
   * @param {string} name of a contestant
   * @param {{ folder: string, port: number, users: readonly string[], digest?: boolean, redirect?: boolean, env?: object }} options
   *   `digest`: REGISTER is challenged, the password is `<name>-secret`; `redirect`: other requests get 302 with the contacts
   */
  static async start(name, options) {
    const registrar = new Registrar()
    registrar.#name = name
    registrar.port = options.port
    registrar.#redis = CONTESTANTS[name].redis ? await startRedis() : undefined
    try {
      await registrar.#startProxy(options)
      return registrar
    } catch (error) {
      await registrar.#redis?.stop()
      throw error
    }
  }

  get redis() {
    return this.#redis
  }

  get proxy() {
    return this.#proxy
  }

  /** CPU time in milliseconds since the start, by part. */
  spent() {
    const parts = new Map(this.#proxy.spentByService())
    if (parts.has('')) {
      parts.set(
        this.#name.startsWith('kamailio') ? 'kamailio' : parts.size > 1 ? 'supervisor' : 'tandem',
        parts.get(''),
      )
      parts.delete('')
    }
    if (this.#redis !== undefined) {
      const { userMs, systemMs } = spentBy([this.#redis.pid])
      parts.set('redis', userMs + systemMs)
    }
    return parts
  }

  async stop() {
    await this.#proxy.stop()
    await this.#redis?.stop()
  }

  async #startProxy(options) {
    const isKamailio = this.#name.startsWith('kamailio')
    const ready = isKamailio ? { readyUdpPort: options.port } : { readyLine: READY }
    const command = isKamailio ? this.#kamailio(options) : this.#tandem(options)
    this.#proxy = await RunningProxy.start(command, { ...ready, env: options.env ?? {} })
  }

  #tandem({ folder, port, users, digest: asksRegisters = false, redirect = false }) {
    const isPaid = isFull(this.#name)
    const digest = asksRegisters || isPaid
    const domain = {
      ...(isPaid ? { accounting: true } : {}),
      realm: HOST,
      challenge: ['MD5'],
      ...(digest ? { authentication: 'required' } : {}),
      ...(redirect ? { routing: 'redirect' } : {}),
    }
    const ha1 = (name) => ({
      credentials: { ha1: { md5: md5(`${name}:${HOST}:${name}-secret`) } },
      ...(isPaid ? { account: 'acme' } : {}),
    })
    const base = { folder, basePort: port, users, processes: CONTESTANTS[this.#name].processes, domain }
    return tandemCommand({
      ...base,
      ...(this.#redis === undefined ? {} : { store: this.#redis.url }),
      ...(digest ? { subscriberOf: ha1, policy: { authentication: 'digest', accounting: isPaid } } : {}),
      ...(isPaid ? { more: PAID } : {}),
    })
  }

  #kamailio({ port, users, digest = false, redirect = false }) {
    const allocator = ['-m', '512', '-M', '16', '-x', 'fm', '-X', 'fm']
    const defines = [
      ...(this.#redis === undefined ? [] : [`REDIS_URL="redis://${HOST}:${this.#redis.port}/5"`]),
      ...(digest ? [`DIGEST=${users.length}`] : []),
      ...(redirect ? ['REDIRECT=1'] : []),
    ].flatMap((text) => ['-A', text])
    return ['kamailio', '-f', CONFIG, '-DD', '-E', ...allocator, ...defines, '-l', `udp:${HOST}:${port}`]
  }
}

/** What two `spent()` differ by, in microseconds for each of `count`: by part, and `all`. */
export function perItem(before, after, count) {
  const us = {}
  let all = 0
  for (const [part, ms] of after) {
    const spentUs = ((ms - (before.get(part) ?? 0)) * 1_000) / count
    all += spentUs
    us[part] = Number(spentUs.toFixed(1))
  }
  return { all: Number(all.toFixed(1)), ...us }
}
