// SPDX-License-Identifier: MIT
// linphonec, a phone that others wrote, driven by its standard input. It plays files instead of a sound card.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, freePort, type ManagedProcess, startProcess, waitUntil } from '@tandem/test-kit'

export const linphone = findProgram(['linphonec'], 'linphone-cli')

export interface RealPhoneOptions {
  readonly user: string
  /** host:port of its edge, which is its outbound proxy. */
  readonly proxy: string
  /** Where absent UDP, linphonec: by its own choice. */
  readonly transport?: 'tls'
  /** PEM of the authorities that it verifies its edge against. */
  readonly caFile?: string
  readonly answers?: boolean
  /** What runs it in a namespace. */
  readonly prefix?: readonly string[]
}

export interface RealPhone {
  readonly process: ManagedProcess
  /** One line of its command language. */
  say(command: string): void
  stop(): Promise<void>
}

async function settings({ user, proxy, transport, caFile }: RealPhoneOptions): Promise<string> {
  const isTls = transport === 'tls'
  const server = isTls ? `${proxy};transport=tls` : proxy
  const sip = [
    '[sip]',
    `sip_port=${await freePort()}`,
    'sip_tcp_port=0',
    `sip_tls_port=${isTls ? -1 : 0}`,
    ...(caFile === undefined ? [] : [`root_ca=${caFile}`, 'verify_server_certs=1', 'verify_server_cn=1']),
    'use_ipv6=0',
    'default_proxy=0',
  ]
  const account = [
    '[proxy_0]',
    `reg_proxy=<sip:${server}>`,
    `reg_route=<sip:${server};lr>`,
    `reg_identity=sip:${user}@example.test`,
    'reg_expires=600',
    'reg_sendregister=1',
  ]
  const secret = ['[auth_info_0]', `username=${user}`, `passwd=${user}-secret`, 'realm=example.test']
  return [...sip, ...account, ...secret, '[rtp]', `audio_rtp_port=${await freePort()}`, ''].join('\n')
}

/** Comes back when it has registered, by its own word. */
export async function startLinphone(options: RealPhoneOptions): Promise<RealPhone> {
  if (!linphone.available) throw new Error(linphone.reason)
  const home = mkdtempSync(join(tmpdir(), 'tandem-linphone-'))
  mkdirSync(join(home, '.local/share/linphone'), { recursive: true })
  writeFileSync(join(home, 'phone.rc'), await settings(options))
  const [command, ...args] = [...(options.prefix ?? []), linphone.path, '-c', join(home, 'phone.rc'), '-S']
  if (options.answers === true) args.push('-a')
  const process = await startProcess({ command: command as string, args, env: { HOME: home }, cwd: home })
  process.write('soundcard use files\n')
  const hasRegistered = (): boolean => {
    process.write('status register\n')
    return process.output().includes('registered, identity=')
  }
  await waitUntil(`${options.user} to be registered`, hasRegistered, 15_000, 250).catch((error: Error) => {
    throw new Error(`${error.message}\n${process.output().slice(-2_000)}`)
  })
  return {
    process,
    say: (line) => process.write(`${line}\n`),
    stop: async () => {
      process.write('quit\n')
      await process.waitForEnd(3_000).catch(() => process.stop(0))
      rmSync(home, { recursive: true, force: true })
    },
  }
}
