// SPDX-License-Identifier: MIT
//
// Exactly one line per record, though the process is killed outright at any point: a real child, a feed that delivers
// again whatever was not acknowledged, a torn line at the end now and then, a rotation in between. The moments of the
// kills are spread by a seeded generator; whatever they hit, the outcome must be the same.
// Not tested here: a machine that loses power.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '@tandem/test-kit'
import { afterEach, beforeEach, expect, it } from 'vitest'

const KILLS = 8
const RECORDS_PER_LIFE = 150
const WINDOW = 256

let folder: string
let child: ChildProcess | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-kill-'))
})
afterEach(async () => {
  child?.kill('SIGKILL')
  await rm(folder, { recursive: true })
})

const random = createRandom(20_261_122)

/** The feed: what was not acknowledged, in order, is delivered again to each new life. */
class Feed {
  readonly unacknowledged = new Set<string>()
  #next = 0

  make(count: number): void {
    for (let made = 0; made < count; made++) {
      this.#next++
      this.unacknowledged.add(`${this.#next % 7}/${this.#next}-0`)
    }
  }
}

async function startLife(path: string, feed: Feed): Promise<ChildProcess> {
  const life = fork(new URL('./kill-child.ts', import.meta.url), [path], {
    execArgv: ['--conditions=@tandem/source'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [ready] = (await once(life, 'message')) as [unknown]
  expect(ready).toBe('consuming')
  life.on('message', (ids: string[]) => {
    for (const id of ids) feed.unacknowledged.delete(id)
  })
  return life
}

/** Sends in small portions, so that a kill falls between and into batches. */
async function deliver(life: ChildProcess, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < Math.min(ids.length, WINDOW) && life.connected; at += 10) {
    life.send(ids.slice(at, at + 10))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function kill(life: ChildProcess): Promise<void> {
  const gone = once(life, 'exit')
  life.kill('SIGKILL')
  await gone
}

async function idsInFiles(): Promise<string[]> {
  const texts = await Promise.all((await readdir(folder)).sort().map((name) => readFile(join(folder, name), 'utf8')))
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1))
  return lines.map((line) => (JSON.parse(line) as { id: string }).id)
}

it('writes each record once across kills', { timeout: 60_000 }, async () => {
  const path = join(folder, 'cdr.ndjson')
  const feed = new Feed()
  for (let life = 0; life < KILLS; life++) {
    feed.make(RECORDS_PER_LIFE)
    child = await startLife(path, feed)
    const delivering = deliver(child, [...feed.unacknowledged])
    await new Promise((resolve) => setTimeout(resolve, 1 + random() * 40))
    await kill(child)
    await delivering
    if (life === 3) await rename(path, `${path}.1`)
    else if (random() < 0.5) await appendFile(path, '{"id":"1/1-0","cdr_id":"c1/1-0","torn')
  }
  child = await startLife(path, feed)
  while (feed.unacknowledged.size > 0) {
    await deliver(child, [...feed.unacknowledged])
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await kill(child)
  const ids = await idsInFiles()
  expect(new Set(ids).size).toBe(KILLS * RECORDS_PER_LIFE)
  expect(ids.length).toBe(KILLS * RECORDS_PER_LIFE)
})
