// SPDX-License-Identifier: MIT
//
// Contacts by configuration, as the resources in the store have them: location is told whenever they change. Until something was applied,
// those of the files are in use.
import { readRevision } from '@tandem/policy'
import {
  eachOf,
  inTurns,
  type StaticBinding,
  type Subscriber,
  staticBindings,
  subscriberWithContacts,
} from '@tandem/resources'
import type { Logger, Part } from '@tandem/service-kit'
import type { ResourceFollowing, ResourceHead, ResourceStore } from '@tandem/store'

const RETRY_MS = 2_000

type UseContacts = (contacts: ReadonlyMap<string, readonly StaticBinding[]>) => void

export class ContactFollower implements Part {
  readonly name = 'static contacts'
  readonly #store: ResourceStore
  readonly #logger: Pick<Logger, 'warn'>
  readonly #use: UseContacts
  readonly #subscribers = new Map<string, Subscriber>()
  #at: Pick<ResourceHead, 'revision' | 'hash'> | undefined
  #following: ResourceFollowing | undefined
  #running = false
  #again = false
  #retry: NodeJS.Timeout | undefined

  constructor(store: ResourceStore, logger: Pick<Logger, 'warn'>, use: UseContacts) {
    this.#store = store
    this.#logger = logger
    this.#use = use
  }

  start(): void {
    this.#following = this.#store.follow(() => void this.#look())
  }

  stop(): void {
    this.#following?.stop()
    this.#following = undefined
    clearTimeout(this.#retry)
  }

  async #look(): Promise<void> {
    this.#again = true
    if (this.#running) return
    this.#running = true
    try {
      while (this.#again && this.#following !== undefined) {
        this.#again = false
        await this.#update()
      }
    } catch (error) {
      this.#logger.warn({ err: error }, 'static contacts of the store can not be read; trying again')
      this.#retry = setTimeout(() => void this.#look(), RETRY_MS)
      this.#retry.unref()
    } finally {
      this.#running = false
    }
  }

  async #update(): Promise<void> {
    const read = await readRevision(this.#store, this.#at)
    if (read.revision === 0 || read.hash === this.#at?.hash) return
    if (read.isWhole) this.#subscribers.clear()
    await inTurns(
      eachOf(read.texts, ([key, text]) => {
        const subscriber = text === '' ? undefined : subscriberWithContacts(key, text)
        if (subscriber === undefined) this.#subscribers.delete(key)
        else this.#subscribers.set(key, subscriber)
      }),
    )
    this.#at = { revision: read.revision, hash: read.hash }
    this.#use(staticBindings([...this.#subscribers.values()]))
  }
}
