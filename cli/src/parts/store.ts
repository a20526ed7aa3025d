// SPDX-License-Identifier: MIT
//
// Opens the store that the settings name, as a part of a process. It never waits for the store: one line says that it is
// away, the services answer `not ready`, and the store goes on trying.
import { type Config, ConfigError, type Logger, type Part, redactUrl } from '@tandem/service-kit'
import { createMemoryStore, createRedisStore, type Store, StoreConfigError } from '@tandem/store'
import { storeTls } from './store-tls.ts'

const TICK_MS = 1_000
/** A store that answers within this long after the start is not worth a line. */
const GRACE_MS = 1_000

export interface OpenStore {
  readonly store: Store
  readonly part: Part
}

function resourcesFile({ resourcesFile: file }: Config['store'], logger: Logger) {
  return file === '' ? {} : { resourcesFile: file, onTrouble: (sentence: string) => logger.warn(sentence) }
}

function createStore(config: Config['store'], logger: Logger): Store {
  const { url, durability, replicas, connectTimeoutMs, commandTimeoutMs, maxInFlight } = config
  if (url === 'memory') return createMemoryStore({ now: Date.now, ...resourcesFile(config, logger) })
  const bounds = { timeoutMs: commandTimeoutMs, connectTimeoutMs, maxInFlight }
  try {
    return createRedisStore({ url, durability, replicas, ...bounds, tls: storeTls(config) })
  } catch (error) {
    if (!(error instanceof StoreConfigError)) throw error
    throw new ConfigError([{ path: 'store.url', origin: 'store', expected: error.message }])
  }
}

export function openStore(config: Config['store'], logger: Logger): OpenStore {
  const store = createStore(config, logger)
  const url = redactUrl(config.url)
  let timer: NodeJS.Timeout | undefined
  let grace: NodeJS.Timeout | undefined
  store.onStatus(({ state, detail }) => {
    if (state === 'ready') logger.info({ store: url }, 'store is ready')
    else if (state !== 'closed') logger.warn({ store: url, state, detail }, 'store is not ready, trying again')
  })
  const start = () => {
    timer = setInterval(() => store.tick(), TICK_MS)
    timer.unref()
    grace = setTimeout(() => {
      const { state, detail } = store.status
      if (state === 'connecting') logger.warn({ store: url, state, detail }, 'store does not answer, trying again')
    }, GRACE_MS)
    grace.unref()
  }
  const stop = async () => {
    clearInterval(timer)
    clearTimeout(grace)
    await store.close()
  }
  return { store, part: { name: 'store', start, stop } }
}
