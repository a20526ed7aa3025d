// SPDX-License-Identifier: MIT
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { startProcess } from './process.ts'
import { waitUntil } from './wait.ts'

const shell = (script: string) => startProcess({ command: '/bin/sh', args: ['-c', script] })

/** A zombie that its new parent has not collected yet is dead. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

describe('startProcess', () => {
  it('waits for a line of either stream, also for one that came before', async () => {
    const child = await shell('echo first; echo second >&2; exec sleep 30')
    expect(await child.waitForLine('first')).toBe('first')
    expect(await child.waitForLine(/^sec/g)).toBe('second')
    expect(await child.waitForLine('first')).toBe('first')
    expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' })
    expect(isAlive(child.pid)).toBe(false)
  })

  it('says what the output was where the line does not come, in time or at all', async () => {
    const child = await shell('echo other; exec sleep 30')
    await child.waitForLine('other')
    await expect(child.waitForLine('wanted', 30)).rejects.toThrow(/waited 30 ms\nother/)
    await child.stop()
    const short = await shell('echo short; exit 3')
    await expect(short.waitForLine('wanted')).rejects.toThrow(/"code":3[\s\S]*short/)
    expect(await short.waitForEnd(1_000)).toEqual({ code: 3, signal: null })
  })

  it('hands over input, environment and signals', async () => {
    const child = await startProcess({
      command: '/bin/sh',
      args: ['-c', 'read line; echo "$WORD $line"; trap "echo hup; exit 0" HUP; while :; do sleep 0.05; done'],
      env: { WORD: 'hello' },
    })
    child.write('world\n')
    await child.waitForLine('hello world')
    child.signal('SIGHUP')
    await child.waitForLine('hup')
    expect(await child.waitForEnd(2_000)).toEqual({ code: 0, signal: null })
  })

  it('ends the children of a program that ignores SIGTERM', async () => {
    const child = await shell('trap "" TERM; sleep 60 & echo "child $!"; wait; sleep 60')
    const pid = Number((await child.waitForLine('child')).split(' ')[1])
    await child.stop(50)
    await waitUntil('the grandchild to end', () => !isAlive(pid), 2_000)
  })

  it('keeps the newest output only', async () => {
    const child = await startProcess({ command: '/bin/sh', args: ['-c', 'seq 1 2000; echo end'], maxOutputBytes: 100 })
    await child.waitForEnd(5_000)
    expect(child.output()).toHaveLength(100)
    expect(child.output()).toMatch(/end\n$/)
  })

  it('rejects where the program does not exist', async () => {
    await expect(startProcess({ command: '/no/such/program' })).rejects.toThrow(/ENOENT/)
  })

  it('leaves nothing behind where the test process itself is killed', async () => {
    const module = fileURLToPath(new URL('./process.ts', import.meta.url))
    const script = `import(${JSON.stringify(module)}).then(async ({ startProcess }) => {
      const child = await startProcess({ command: 'sleep', args: ['60'] })
      console.log(child.pid)
    })`
    const parent = spawn(process.execPath, ['--experimental-strip-types', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await waitUntil('the orphan to end', () => !isAlive(pid), 3_000)
  })
})
