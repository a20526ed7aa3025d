// SPDX-License-Identifier: MIT
//
// For tests: policy nodes that follow one store, asked through their service of resources.
import { loadResources } from '@tandem/resources'
import { createInProcessResources, type ResourceCaller, type resources } from '@tandem/rpc'
import { createMemoryStore, type ResourceStore } from '@tandem/store'
import { SETTINGS } from '../policy-fixture.ts'
import type { PolicyState } from '../state.ts'
import { ResourceDesk } from './resource-desk.ts'

export const RING = [{ id: 1, secret: 'a secret for tests only' }]
export const DOMAIN = { apiVersion: 'tandem/v1', kind: 'Domain', metadata: { name: 'example.test' } }
export const PASSWORD = 'correct-horse-battery'

export const subscriber = (name: string, spec: object = { credentials: { password: PASSWORD } }) => ({
  apiVersion: 'tandem/v1',
  kind: 'Subscriber',
  metadata: { name, domain: 'example.test' },
  spec,
})

export const group = (members: readonly string[]) => ({
  apiVersion: 'tandem/v1',
  kind: 'HuntGroup',
  metadata: { name: 'sales', domain: 'example.test' },
  spec: { members },
})

export interface Node {
  readonly desk: ResourceDesk
  readonly caller: ResourceCaller
  state(): PolicyState | undefined
  user(name: string): string | undefined
}

const running: ResourceDesk[] = []
export const logged: string[] = []

/** After each test. */
export const stopNodes = async (): Promise<void> => {
  await Promise.all(running.splice(0).map((desk) => desk.stop()))
}

const logger = {
  info: (...all: unknown[]) => void logged.push(JSON.stringify(all)),
  warn: (...all: unknown[]) => void logged.push(JSON.stringify(all)),
  error: (...all: unknown[]) => void logged.push(JSON.stringify(all)),
}

export async function startNode(
  store: ResourceStore,
  files: object[] = [],
  ring = RING,
  more: { readonly isApart?: boolean } = {},
): Promise<Node> {
  const load = { baseDir: '/', env: {} }
  const loaded = await loadResources(structuredClone(files) as { [key: string]: unknown }[], load)
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  let state: PolicyState | undefined
  const use = (next: PolicyState): void => {
    state = next
  }
  const options = { store, keyRing: ring, load, state: SETTINGS, logger, use, files: loaded, resealSpreadMs: 50 }
  const desk = new ResourceDesk({ ...options, ...more })
  running.push(desk)
  await desk.start()
  const user = (name: string) => state?.index.domains.get('example.test')?.users.get(name)?.aor
  return { desk, caller: createInProcessResources(desk.handlers, 'test'), state: () => state, user }
}

export const OPTIONS: resources.ApplyOptions = {
  expectedRevision: 0n,
  dryRun: false,
  author: 'ann',
  comment: 'a change',
  manager: '',
  replace: false,
}

export const part = (documents: readonly object[] | string, file = 'some.yaml') => [
  { file, text: Buffer.from(typeof documents === 'string' ? documents : JSON.stringify(documents)) },
]

export async function apply(
  { caller }: Node,
  documents: readonly object[] | string,
  options: Partial<resources.ApplyOptions> = {},
) {
  const result = await caller.apply({ ...OPTIONS, ...options }, part(documents))
  if (result.outcome !== 'done') throw new Error(JSON.stringify(result))
  return result.value
}

export const problemsOf = ({ problems }: resources.ApplyResponse) =>
  problems.map(({ path, expected }) => `${path}: ${expected}`)

export const newStore = () => createMemoryStore({ now: Date.now }).resources

/** Waits until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let step = 0; step < 1_000; step++) {
    if (isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it did not come to be')
}
