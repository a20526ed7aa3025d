// SPDX-License-Identifier: MIT
// Headless Chromium with JsSIP, a phone in a page: it registers over WSS and calls. The page comes from a server of the test's own on
// loopback, which a browser takes for secure. Microphones are Chromium's own fake ones.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { findProgram } from '@tandem/test-kit'
import { type Browser, chromium as launcher, type Page } from 'playwright-core'
import { rolldown } from 'rolldown'

export const chromium = findProgram(['chromium', 'chromium-browser', 'google-chrome'], 'chromium')
const EVENT_MS = 15_000

/** What happens in the page, as strings: `registered`, `incoming`, `confirmed`, `ended Terminated`, `failed Busy`, … */
const PAGE_SCRIPT = `
window.events = []
const note = (...what) => window.events.push(what.join(' '))
window.open = (socketUri, user) => {
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(socketUri)],
    uri: 'sip:' + user + '@example.test',
    password: user + '-secret',
    session_timers: false,
  })
  for (const event of ['connected', 'disconnected', 'registered', 'unregistered']) ua.on(event, () => note(event))
  ua.on('registrationFailed', ({ cause }) => note('registrationFailed', cause))
  ua.on('newMessage', ({ originator, request }) => note('message', originator, request.body))
  ua.on('newRTCSession', ({ session, originator }) => {
    window.session = session
    note(originator === 'remote' ? 'incoming' : 'outgoing')
    for (const event of ['progress', 'accepted', 'confirmed']) session.on(event, () => note(event))
    for (const event of ['ended', 'failed']) session.on(event, ({ cause }) => note(event, cause))
    if (originator === 'remote') session.answer({ pcConfig: { iceServers: [] } })
  })
  window.ua = ua
  ua.start()
}
window.call = (uri) => window.ua.call(uri, { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } })
window.hangUp = () => window.session.terminate()
window.text = (uri, body) => window.ua.sendMessage(uri, body)
`

async function bundle(): Promise<string> {
  const made = await rolldown({ input: 'jssip', cwd: import.meta.dirname, platform: 'browser', logLevel: 'silent' })
  const { output } = await made.generate({ format: 'iife', name: 'JsSIP' })
  return output[0].code
}

/** A page's phone. */
export class BrowserPhone {
  readonly page: Page
  private readonly user: string

  constructor(page: Page, user: string) {
    this.page = page
    this.user = user
  }

  events(): Promise<string[]> {
    return this.page.evaluate('window.events')
  }

  /** Waits until this event has come so many times. */
  async saw(event: string, times = 1): Promise<void> {
    const expression = `window.events.filter((one) => one.startsWith(${JSON.stringify(event)})).length >= ${times}`
    await this.page.waitForFunction(expression, undefined, { timeout: EVENT_MS }).catch(async () => {
      throw new Error(`${this.user} waited for "${event}" ${times} times; saw: ${(await this.events()).join(', ')}`)
    })
  }

  call(uri: string): Promise<unknown> {
    return this.page.evaluate(`void window.call(${JSON.stringify(uri)})`)
  }

  hangUp(): Promise<unknown> {
    return this.page.evaluate('void window.hangUp()')
  }

  text(uri: string, body: string): Promise<unknown> {
    return this.page.evaluate(`void window.text(${JSON.stringify(uri)}, ${JSON.stringify(body)})`)
  }
}

export class BrowserStage {
  readonly origin: string
  private readonly browser: Browser
  private readonly server: Server

  private constructor(browser: Browser, server: Server) {
    this.browser = browser
    this.server = server
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async open(): Promise<BrowserStage> {
    if (!chromium.available) throw new Error(chromium.reason)
    const html = `<!doctype html><title>phone</title><script>${await bundle()}</script><script>${PAGE_SCRIPT}</script>`
    const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(html))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const browser = await launcher.launch({
      executablePath: chromium.path,
      args: [
        '--no-sandbox',
        '--ignore-certificate-errors',
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
      ],
    })
    return new BrowserStage(browser, server)
  }

  /** A tab with a phone of `user`, registered. */
  async phone(user: string, socketUri: string): Promise<BrowserPhone> {
    const page = await this.browser.newPage()
    await page.goto(this.origin)
    const phone = new BrowserPhone(page, user)
    await page.evaluate(`window.open(${JSON.stringify(socketUri)}, ${JSON.stringify(user)})`)
    await phone.saw('registered')
    return phone
  }

  async close(): Promise<void> {
    await this.browser.close()
    this.server.close()
  }
}
