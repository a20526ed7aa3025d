// SPDX-License-Identifier: MIT
//
// Passwords of trunks, from the resource, files and environment variables. They stay as they are: a trunk's realm is known only when it challenges. Only
// `Secret` holds them, and only policy is given them.
import type { ResourceProblem } from './errors.ts'
import type { LocatedResource } from './parse-yaml.ts'
import { Secret, type SecretSource } from './secret.ts'
import { readSecret, type SecretPlaces } from './secrets.ts'

export interface TrunkSecrets {
  /** Of `spec.credentials`. */
  readonly credentials: Secret | undefined
  /** Of `spec.inboundCredentials`. */
  readonly inbound: Secret | undefined
  /** Of `spec.registration.credentials`. */
  readonly registration: Secret | undefined
}

/** By name of the trunk; those without any password are not in it. */
export type TrunkSecretTable = ReadonlyMap<string, TrunkSecrets>

export async function resolveTrunkSecrets(
  located: readonly LocatedResource[],
  places: SecretPlaces,
): Promise<{ trunkSecrets: TrunkSecretTable; problems: readonly ResourceProblem[] }> {
  const trunkSecrets = new Map<string, TrunkSecrets>()
  const problems: ResourceProblem[] = []
  for (const { resource, origin } of located) {
    if (resource.kind !== 'Trunk') continue
    const take = async (source: SecretSource | undefined, path: string): Promise<Secret | undefined> => {
      if (source === undefined) return undefined
      const secret = await readSecret(source, places)
      if (secret instanceof Secret) return secret
      problems.push({ ...origin, code: 'secret', path, expected: secret })
      return undefined
    }
    const { credentials, inboundCredentials, registration } = resource.spec
    const found: TrunkSecrets = {
      credentials: await take(credentials?.password, 'spec.credentials.password'),
      inbound: await take(inboundCredentials?.password, 'spec.inboundCredentials.password'),
      registration: await take(registration?.credentials?.password, 'spec.registration.credentials.password'),
    }
    if (found.credentials ?? found.inbound ?? found.registration) trunkSecrets.set(resource.metadata.name, found)
  }
  return { trunkSecrets, problems }
}
