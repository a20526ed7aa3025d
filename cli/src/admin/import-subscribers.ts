// SPDX-License-Identifier: MIT
//
// `tandem import subscribers`: users of another system as resource documents, with hashes in the place of passwords. Nothing is
// written unless every line is right. What is written is as good as passwords: only its owner may read the file.
import { open, readFile, rename, rm } from 'node:fs/promises'
import { parseSubscribers, subscriberDocument } from '@tandem/resources'
import { CommandFailed } from '../command-failed.ts'

export interface ImportFlags {
  readonly domain?: string
  readonly realm?: string
  readonly out?: string
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    throw new CommandFailed(`${file} can not be read`)
  }
}

/** Whole or not at all; a file that is there is left alone. */
async function writeNew(file: string, text: string): Promise<void> {
  const part = `${file}.part`
  try {
    await (await open(file, 'wx', 0o600)).close()
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw new CommandFailed(exists ? `${file} is there already` : `${file} can not be written`)
  }
  try {
    const handle = await open(part, 'w', 0o600)
    await handle.writeFile(text)
    await handle.sync()
    await handle.close()
    await rename(part, file)
  } catch {
    await Promise.all([rm(part, { force: true }), rm(file, { force: true })])
    throw new CommandFailed(`${file} can not be written`)
  }
}

/** @param print takes the documents where no file does; @returns a sentence for the person */
export async function importSubscribers(
  file: string,
  flags: ImportFlags,
  print: (text: string) => void,
): Promise<string> {
  const { domain, realm, out } = flags
  const read = parseSubscribers(await readText(file), { ...(domain && { domain }), ...(realm && { realm }) })
  if (!read.ok) {
    const lines = read.problems.map(({ line, expected }) => `${file}:${line}: ${expected}`)
    throw new CommandFailed(`nothing was imported:\n${lines.join('\n')}`)
  }
  const text = read.subscribers.map(subscriberDocument).join('---\n')
  if (out === undefined) print(text.trimEnd())
  else await writeNew(out, text)
  const count = `${read.subscribers.length} ${read.subscribers.length === 1 ? 'subscriber' : 'subscribers'}`
  return out === undefined ? count : `${count} in ${out}; name it in resources.files`
}
