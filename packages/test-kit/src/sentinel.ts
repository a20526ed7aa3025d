// SPDX-License-Identifier: MIT
// Runs real Redis sentinels for tests, over a master that is called `main`. They are given back only when they could fail over at once:
// every one knows the replicas and the other sentinels. A sentinel that a master's death finds without a replica tries again minutes later.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { type ManagedProcess, startProcess } from './process.ts'
import { redisAvailable } from './redis.ts'
import { askRedis } from './resp-client.ts'
import { waitUntil } from './wait.ts'

export interface SentinelOptions {
  /** 1 where absent; the quorum is more than half of them. */
  readonly count?: number
  /** Of 127.0.0.1, the one that the sentinels are to use. */
  readonly masterPort: number
  /** Where their files go: the folder of the master. */
  readonly folder: string
  /** How many replicas each has to know before start is done. */
  readonly replicas: number
  /** Further settings of each. */
  readonly config?: readonly string[]
  /** Listens on TLS alone; the certificates are in `config`. Nobody is asked then whether it is ready. */
  readonly isTls?: boolean
}

export interface RunningSentinels {
  /** host:port,host:port */
  readonly places: string
  /** What they logged. */
  output(): string
  stop(): void
}

/** Below a second a sentinel takes the new master for dead too: it connects to it only once a second. */
const FAILOVER = ['down-after-milliseconds main 1200', 'failover-timeout main 3000']

export async function startSentinels(options: SentinelOptions): Promise<RunningSentinels> {
  const count = options.count ?? 1
  const ports: number[] = []
  const processes: ManagedProcess[] = []
  const stop = (): void => {
    for (const child of processes) child.signal('SIGKILL')
  }
  try {
    for (let i = 0; i < count; i++) {
      const port = await freePort()
      processes.push(await startSentinel(port, count, options))
      ports.push(port)
    }
    if (options.isTls !== true) await Promise.all(ports.map((port) => knowsAll(port, count, options.replicas)))
  } catch (error) {
    stop()
    throw error
  }
  return {
    places: ports.map((port) => `127.0.0.1:${port}`).join(','),
    stop,
    output: () => processes.map((child) => child.output()).join('\n'),
  }
}

async function startSentinel(port: number, count: number, options: SentinelOptions): Promise<ManagedProcess> {
  const server = redisAvailable()
  if (!server.available) throw new Error(server.reason)
  const monitor = `monitor main 127.0.0.1 ${options.masterPort} ${Math.floor(count / 2) + 1}`
  const lines = [
    ...(options.isTls === true ? [`tls-port ${port}`, 'port 0'] : [`port ${port}`]),
    'bind 127.0.0.1',
    ...[monitor, ...FAILOVER].map((line) => `sentinel ${line}`),
    ...(options.config ?? []),
  ]
  const file = join(options.folder, `sentinel-${port}.conf`)
  await writeFile(file, `${lines.join('\n')}\n`)
  return startProcess({ command: server.path, args: [file, '--sentinel'], cwd: options.folder })
}

/** A sentinel asks the master for its replicas every ten seconds, and finds the other sentinels every two. */
async function knowsAll(port: number, count: number, replicas: number): Promise<void> {
  const known = async (what: string): Promise<number> => {
    const text = await askRedis(port, ['SENTINEL', what, 'main']).catch(() => '')
    return text.split('\n').filter((line) => line === 'runid').length
  }
  const isReady = async (): Promise<boolean> =>
    (await known('replicas')) >= replicas && (await known('sentinels')) >= count - 1
  await waitUntil(`sentinel ${port} to know ${replicas} replicas`, isReady, 20_000)
}
