// SPDX-License-Identifier: MIT
import { afterEach, describe, expect, it } from 'vitest'
import { KitError } from './errors.ts'
import { type HttpHandle, type HttpOptions, startHttp } from './http.ts'
import { Metrics } from './metrics.ts'

const open: HttpHandle[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((handle) => handle.close()))
})

async function start(more: Partial<HttpOptions> = {}) {
  const metrics = new Metrics()
  const handle = await startHttp({
    address: '127.0.0.1',
    port: 0,
    setting: 'x.httpPort',
    metrics,
    ready: () => true,
    ...more,
  })
  open.push(handle)
  return { metrics, handle, base: `http://127.0.0.1:${handle.port}` }
}

describe('startHttp', () => {
  it('serves metrics', async () => {
    const { base, metrics } = await start()
    metrics.gauge('tandem_a_g', 'G.', () => 3)
    const response = await fetch(`${base}/metrics`)
    expect(response.headers.get('content-type')).toMatch(/text\/plain; version=0\.0\.4/)
    expect(await response.text()).toContain('tandem_a_g 3')
  })

  it('tells live and ready apart', async () => {
    let ready = false
    const { base } = await start({ ready: () => ready })
    expect((await fetch(`${base}/healthz`)).status).toBe(200)
    expect((await fetch(`${base}/readyz`)).status).toBe(503)
    ready = true
    expect((await fetch(`${base}/readyz`)).status).toBe(200)
  })

  it('says what is missing, and whether the start is over', async () => {
    const { base } = await start({ ready: () => false, missing: () => ['policy', 'udp'], started: () => false })
    const ready = await fetch(`${base}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([503, 'not ready\npolicy\nudp\n'])
    const able = await start({ missing: () => ['resources: an older revision is in use'] })
    const answer = await fetch(`${able.base}/readyz`)
    expect([answer.status, await answer.text()]).toEqual([200, 'ready\nresources: an older revision is in use\n'])
    expect((await fetch(`${base}/startupz`)).status).toBe(503)
    expect((await fetch(`${base}/healthz`)).status).toBe(200)
    const other = await start()
    expect((await fetch(`${other.base}/startupz`)).status).toBe(200)
  })

  it('has routes with their query, and 404, 405 and 500 for the rest', async () => {
    const { base } = await start({
      routes: {
        '/echo': (url) => ({ status: 200, body: url.searchParams.get('q') ?? '' }),
        '/broken': () => Promise.reject(new Error('secret detail')),
      },
    })
    expect(await (await fetch(`${base}/echo?q=a`)).text()).toBe('a')
    expect((await fetch(`${base}/other`)).status).toBe(404)
    expect((await fetch(`${base}/constructor`)).status).toBe(404)
    expect((await fetch(`${base}/echo`, { method: 'DELETE' })).status).toBe(405)
    const broken = await fetch(`${base}/broken`)
    expect([broken.status, await broken.text()]).toEqual([500, 'internal error\n'])
  })

  it('names port, protocol and setting when the port is taken', async () => {
    const { handle } = await start()
    const attempt = start({ port: handle.port })
    await expect(attempt).rejects.toBeInstanceOf(KitError)
    await expect(attempt).rejects.toThrow(new RegExp(`Port ${handle.port}/tcp is taken.*x\\.httpPort`))
  })
})
