// SPDX-License-Identifier: MIT
// baresip, a phone that others wrote, driven by its standard input. It plays silence from a file. Version 1.0 gives up on a
// challenge with SHA-256, and on loopback: it wants a namespace and a domain that offers MD5 alone.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, startProcess } from '@tandem/test-kit'
import type { RealPhone, RealPhoneOptions } from './linphone.ts'

export const baresip = findProgram(['baresip'], 'baresip-core')
const MODULES = [
  '/usr/lib/baresip/modules',
  '/usr/lib/x86_64-linux-gnu/baresip/modules',
  '/usr/local/lib/baresip/modules',
]
const SILENCE_S = 30
const RATE_HZ = 8_000

/** A WAV file of 16-bit silence, one channel. */
function silence(): Buffer {
  const data = Buffer.alloc(2 * RATE_HZ * SILENCE_S)
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + data.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(RATE_HZ, 24)
  head.writeUInt32LE(2 * RATE_HZ, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36)
  head.writeUInt32LE(data.length, 40)
  return Buffer.concat([head, data])
}

function settings(home: string, caFile: string | undefined): string {
  const modules = ['stdio', 'g711', 'aufile', 'uuid', 'account', 'menu', 'contact', 'debug_cmd']
  return [
    ...(caFile === undefined ? [] : [`sip_cafile ${caFile}`, 'sip_verify_server yes']),
    `audio_player aufile,${join(home, 'heard.wav')}`,
    `audio_source aufile,${join(home, 'silence.wav')}`,
    `audio_alert aufile,${join(home, 'alert.wav')}`,
    `module_path ${MODULES.find(existsSync) ?? ''}`,
    ...modules.map((name) => `module ${name}.so`),
    '',
  ].join('\n')
}

/** Comes back when it has registered. */
export async function startBaresip(options: RealPhoneOptions): Promise<RealPhone> {
  if (!baresip.available) throw new Error(baresip.reason)
  const { user, proxy, transport = 'udp', answers = false, prefix = [] } = options
  const home = mkdtempSync(join(tmpdir(), 'tandem-baresip-'))
  const account = [
    `<sip:${user}@example.test;transport=${transport}>`,
    `auth_user=${user}`,
    `auth_pass=${user}-secret`,
    `outbound="sip:${proxy};transport=${transport}"`,
    `answermode=${answers ? 'auto' : 'manual'}`,
    'regint=600',
  ]
  writeFileSync(join(home, 'config'), settings(home, options.caFile))
  writeFileSync(join(home, 'accounts'), `${account.join(';')}\n`)
  writeFileSync(join(home, 'contacts'), '')
  writeFileSync(join(home, 'silence.wav'), silence())
  const [command, ...args] = [...prefix, baresip.path, '-4', '-f', home]
  const process = await startProcess({ command: command as string, args, cwd: home })
  await process.waitForLine(/200 OK.*binding/, 10_000)
  return {
    process,
    say: (line) => process.write(line.length > 1 ? `/${line}\n` : line),
    stop: async () => {
      process.write('/quit\n')
      await process.waitForEnd(3_000).catch(() => process.stop(0))
      rmSync(home, { recursive: true, force: true })
    },
  }
}
