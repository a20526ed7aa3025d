// SPDX-License-Identifier: MIT
//
// What a binding over a network promises beyond caller-contract.ts: death and return of the service, and no shared objects.
import { afterEach, describe, expect, it } from 'vitest'
import {
  type BindingSetup,
  counter,
  located,
  locateRequest,
  plainHandlers,
  type RemoteTestBinding,
  whenReady,
} from './contract-kit.ts'
import type { LocateResponse, Push } from './gen/tandem/location/v1/location.ts'
import { PushHub } from './push-hub.ts'
import type { Result } from './result.ts'

export type MakeRemoteBinding = (setup: BindingSetup) => Promise<RemoteTestBinding>

const LONG_MS = 10_000

export function runRemoteContract(name: string, make: MakeRemoteBinding): void {
  const open: RemoteTestBinding[] = []

  async function start(setup: Partial<BindingSetup> = {}): Promise<RemoteTestBinding> {
    const onBug = (error: unknown) => {
      throw error
    }
    const pushes = new PushHub<Push>()
    const binding = await make({ handlers: plainHandlers(), pushes, peer: 'edge-1.a', onBug, ...setup })
    open.push(binding)
    await whenReady(binding.caller)
    return binding
  }

  afterEach(async () => {
    for (const binding of open.splice(0)) await binding.stop()
  })

  describe(`remote contract: ${name}`, () => {
    it('MUST end as unknown what is in flight when the service dies, and come back with it', async () => {
      let answering = false
      const arrived = counter(3)
      const locate = ({ aor }: { aor: string }): Result<LocateResponse> | Promise<Result<LocateResponse>> => {
        arrived.hit()
        return answering ? located(aor) : new Promise(() => undefined)
      }
      const { caller, kill, restart } = await start({ handlers: plainHandlers({ locate }) })
      const lost = [1, 2, 3].map((n) => caller.invoke('locate', locateRequest(`sip:${n}@x`), LONG_MS))
      await arrived.reached
      await kill()
      for (const result of await Promise.all(lost)) {
        expect(result).toMatchObject({ outcome: 'unknown', detail: expect.stringMatching(/^stream_broken: /) })
      }
      await whenReady(caller, false)
      answering = true
      await restart()
      await whenReady(caller)
      expect(await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)).toEqual(located('sip:a@x'))
    })

    it('MUST let a call wait for a service that is away, until its time is over', async () => {
      const { caller, kill, restart } = await start()
      await kill()
      await whenReady(caller, false)
      const short = await caller.invoke('locate', locateRequest('sip:a@x'), 50)
      expect(short).toMatchObject({ outcome: 'unknown', detail: expect.stringMatching(/^timeout: /) })
      const long = caller.invoke('locate', locateRequest('sip:b@x'), LONG_MS)
      await restart()
      expect(await long).toEqual(located('sip:b@x'))
    })

    it('MUST have taken its copy of the request when call() returns', async () => {
      const { caller } = await start()
      const request = locateRequest('sip:before@x')
      const result = caller.invoke('locate', request, LONG_MS)
      request.aor = 'sip:after@x'
      expect(await result).toEqual(located('sip:before@x'))
    })
  })
}
