// SPDX-License-Identifier: MIT
//
// Recovery, rotation and disks that fail. Not tested here: power cuts (fsync is trusted).
import { appendFile, mkdtemp, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { records } from '@tandem/rpc'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeLine, parseLineKey } from '../encode-line.ts'
import { LineFile, type OpenFile } from './line-file.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-records-'))
  path = join(folder, 'deep', 'cdr.ndjson')
})
const FORMAT = { header: '', keyOf: parseLineKey }
const opened: LineFile[] = []

function newFile(openFile?: OpenFile): LineFile {
  const file = new LineFile(path, FORMAT, openFile ? { openFile } : {})
  opened.push(file)
  return file
}

afterEach(async () => {
  for (const file of opened.splice(0)) await file.close()
  await rm(folder, { recursive: true })
})

const line = (id: string, userAgent = '') =>
  encodeLine(id, records.CallRecord.fromPartial({ cdrId: `c${id}`, userAgent }))

async function recover(file: LineFile): Promise<{ ids: string[]; cutBytes: number }> {
  const ids: string[] = []
  const { cutBytes } = await file.open((id) => ids.push(id))
  return { ids, cutBytes }
}

async function written(...lines: string[]): Promise<void> {
  const file = newFile()
  await recover(file)
  await file.append(lines.join(''))
  await file.close()
}

describe('recovery', () => {
  it('makes the folder and starts empty', async () => {
    expect(await recover(newFile())).toEqual({ ids: [], cutBytes: 0 })
    expect((await stat(path)).size).toBe(0)
  })

  it.each([
    ['a torn line', '{"id":"1/3-0","cdr_'],
    ['one byte', '{'],
    ['a whole line but for its line feed', line('1/3-0').trimEnd()],
    ['zeros of a block that was never written', '\0'.repeat(4096)],
  ])('cuts %s from the end and keeps what is in front', async (_name, torn) => {
    await written(line('1/1-0'), line('1/2-0'))
    await appendFile(path, torn)
    expect(await recover(newFile())).toEqual({ ids: ['1/1-0', '1/2-0'], cutBytes: torn.length })
    expect(await readFile(path, 'utf8')).toBe(line('1/1-0') + line('1/2-0'))
  })

  it('reads lines longer than a block of reading', async () => {
    await written(line('1/1-0', 'x'.repeat(3_000_000)), line('1/2-0'), line('1/3-0', 'y'.repeat(1_048_576)))
    expect((await recover(newFile())).ids).toEqual(['1/1-0', '1/2-0', '1/3-0'])
  })

  it('passes over lines that are not ours', async () => {
    await written('# a note\n', line('1/1-0'), '\n')
    expect((await recover(newFile())).ids).toEqual(['1/1-0'])
  })

  it('knows the lines of the newest rotated file', async () => {
    await written(line('1/1-0'))
    await rename(path, `${path}.1`)
    await writeFile(`${path}.0.gz`, 'compressed')
    expect((await recover(newFile())).ids).toEqual(['1/1-0'])
  })
})

describe('rotation', () => {
  it('goes on under the name when the file was moved', async () => {
    const file = newFile()
    await recover(file)
    await file.append(line('1/1-0'))
    await rename(path, `${path}.1`)
    await file.append(line('1/2-0'))
    expect(await readFile(`${path}.1`, 'utf8')).toBe(line('1/1-0'))
    expect(await readFile(path, 'utf8')).toBe(line('1/2-0'))
    expect(file.reopens).toBe(1)
  })

  it('opens the name anew when asked to, without a move', async () => {
    const file = newFile()
    await recover(file)
    file.wantReopen()
    await file.followRotation()
    await file.followRotation()
    expect(file.reopens).toBe(1)
  })

  it('appends at the new end after copytruncate', async () => {
    const file = newFile()
    await recover(file)
    await file.append(line('1/1-0'))
    await truncate(path, 0)
    await file.append(line('1/2-0'))
    expect(await readFile(path, 'utf8')).toBe(line('1/2-0'))
  })

  it('searches the file and the newest rotated one', async () => {
    const file = newFile()
    await recover(file)
    await file.append(line('1/1-0'))
    await rename(path, `${path}-20260101`)
    await file.append(line('1/2-0'))
    const found: string[] = []
    await file.search(
      () => true,
      (id) => found.push(id),
    )
    expect(found).toEqual(['1/1-0', '1/2-0'])
  })
})

/** A disk that takes `room` bytes more, then none; or whose sync fails as often as told. */
function failingDisk(fault: { room: number; syncFailures: number }): OpenFile {
  return async (name, flags) => {
    const handle = await open(name, flags)
    return new Proxy(handle, {
      get(target, property) {
        if (property === 'write') {
          return async (bytes: Buffer, at: number, length: number) => {
            if (fault.room <= 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
            const taken = Math.min(length, fault.room)
            fault.room -= taken
            return target.write(bytes, at, taken, null)
          }
        }
        if (property === 'datasync' && fault.syncFailures-- > 0) {
          return () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }))
        }
        const value: unknown = Reflect.get(target, property)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

describe('a disk that fails', () => {
  it.each([
    { name: 'full in the middle of a line', fault: { room: 100, syncFailures: 0 }, code: 'ENOSPC' },
    { name: 'full behind the first line', fault: { room: line('1/1-0').length, syncFailures: 0 }, code: 'ENOSPC' },
    { name: 'full at once', fault: { room: 0, syncFailures: 0 }, code: 'ENOSPC' },
    { name: 'failing to sync', fault: { room: 1e9, syncFailures: 1 }, code: 'EIO' },
  ])('$name: the batch counts not at all, then once', async ({ fault, code }) => {
    const file = newFile(failingDisk(fault))
    await recover(file)
    const batch = line('1/1-0') + line('1/2-0')
    await expect(file.append(batch)).rejects.toMatchObject({ code })
    fault.room = 1e9
    await file.append(batch)
    expect(await readFile(path, 'utf8')).toBe(batch)
  })

  it('leaves no part of a failed batch behind when closed', async () => {
    const file = newFile(failingDisk({ room: line('1/1-0').length + 10, syncFailures: 0 }))
    await recover(file)
    await expect(file.append(line('1/1-0') + line('1/2-0'))).rejects.toMatchObject({ code: 'ENOSPC' })
    await file.close()
    expect(await readFile(path, 'utf8')).toBe('')
  })
})
