// SPDX-License-Identifier: MIT
//
// What people and tools do with bindings beside registering them: kick, count, list, read and write (export and import).
// Nothing here is on the way of a call. Each request is bounded: 500 addresses-of-record, or one shard.
import { done, type location, type Result } from '@tandem/rpc'
import { type Binding, type BindingUpdate, SHARDS, type Stored } from '@tandem/store'
import { contactIdentity, isSameContact } from './contact-identity.ts'
import { type Deps, fromStore, refuse } from './deps.ts'
import { refusal } from './errors.ts'

const MAX_AORS = 500
/** More than any domain allows: what was stored elsewhere is stored here. */
const ANY_CONTACTS = 1_000

export function createKick(deps: Deps) {
  return async ({ aor, contact }: location.KickRequest): Promise<Result<location.KickResponse>> => {
    if (contact === '') return removed(deps, await deps.store.removeBindings(aor))
    const named = contactIdentity(contact)
    if (named === undefined) return refuse(deps, refusal('bad_contact'))
    const found = await deps.store.locate(aor)
    if (found.state !== 'stored') return fromStore(deps, found, () => done({ removed: 0 }))
    const keys = found.value.bindings.filter((binding) => isNamed(binding, contact)).map(keyOf)
    if (keys.length === 0) return done({ removed: 0 })
    return removed(deps, await deps.store.removeBindings(aor, keys))
  }
}

/** By URI, flows too: whoever kicks sees URIs. */
function isNamed(binding: Binding, contact: string): boolean {
  const [a, b] = [contactIdentity(contact), contactIdentity(binding.uri)]
  return a !== undefined && b !== undefined && isSameContact(a, b)
}

function keyOf({ uri, instanceId, regId }: Binding | location.Binding): string {
  return contactIdentity(uri, instanceId, regId)?.key ?? uri
}

function removed(deps: Deps, result: Stored<{ removed: number }>): Result<location.KickResponse> {
  return fromStore(deps, result, (value) => {
    deps.counts.kicked += value.removed
    return done(value)
  })
}

export function createCountRegistrations(deps: Deps) {
  return async (request: location.CountRegistrationsRequest): Promise<Result<location.CountRegistrationsResponse>> => {
    const domain = request.domain.toLowerCase()
    let count = 0n
    for (let shard = 0; shard < SHARDS; shard++) {
      const counted = await deps.store.countAors(shard, domain)
      if (counted.state !== 'stored') return fromStore(deps, counted, () => done({ count }))
      count += BigInt(counted.value)
    }
    return done({ count })
  }
}

export function createListAors(deps: Deps) {
  return async ({ shard }: location.ListAorsRequest): Promise<Result<location.ListAorsResponse>> => {
    if (shard >= SHARDS) return refuse(deps, refusal('bad_request', `there are ${SHARDS} shards, from 0`))
    return fromStore(deps, await deps.store.listAors(shard), (aors) => done({ aors, shardCount: SHARDS }))
  }
}

export function createReadBindings(deps: Deps) {
  return async ({ aors }: location.ReadBindingsRequest): Promise<Result<location.ReadBindingsResponse>> => {
    if (aors.length > MAX_AORS) return refuse(deps, tooMany())
    const found = await Promise.all(aors.map(async (aor) => deps.store.locate(aor)))
    const held: location.AorBindings[] = []
    for (const [at, result] of found.entries()) {
      if (result.state !== 'stored') return fromStore(deps, result, () => done({ aors: held }))
      const { bindings } = result.value
      if (bindings.length > 0) held.push({ aor: aors[at] ?? '', bindings })
    }
    return done({ aors: held })
  }
}

export function createWriteBindings(deps: Deps) {
  return async ({ aors }: location.WriteBindingsRequest): Promise<Result<location.WriteBindingsResponse>> => {
    if (aors.length > MAX_AORS) return refuse(deps, tooMany())
    const outcomes = await Promise.all(aors.map((one) => writeAor(deps, one)))
    const sum = { written: 0, kept: 0 }
    for (const outcome of outcomes) {
      if (outcome.outcome !== 'done') return outcome
      sum.written += outcome.value.written
      sum.kept += outcome.value.kept
    }
    return done(sum)
  }
}

const tooMany = () => refusal('bad_request', `${MAX_AORS} addresses-of-record at most`)

/** Bindings come in the order in which they are rung; the latest is to be the latest again. */
async function writeAor(
  deps: Deps,
  { aor, bindings }: location.AorBindings,
): Promise<Result<location.WriteBindingsResponse>> {
  const sum = { written: 0, kept: 0 }
  for (const binding of bindings.toReversed()) {
    if (aor === '' || contactIdentity(binding.uri) === undefined || binding.callId === '' || binding.expiresS === 0)
      return refuse(deps, refusal('bad_request', `a binding of "${aor}" lacks its uri, call_id or expires_s`))
    const result = await deps.store.register(updateOf(aor, binding))
    if (result.state !== 'stored') return fromStore(deps, result, () => done(sum))
    if (result.value.result === 'ok') sum.written++
    else sum.kept++
  }
  return done(sum)
}

function updateOf(aor: string, binding: location.Binding): BindingUpdate {
  const { callId, cseq, userAgent, registrationHash } = binding
  return {
    aor,
    callId,
    cseq,
    removeAll: false,
    contacts: [{ ...binding, uriKey: keyOf(binding) }],
    alsoRemove: [],
    maxContacts: ANY_CONTACTS,
    replaceOldest: false,
    registrationHash: registrationHash || 1,
    userAgent,
  }
}
