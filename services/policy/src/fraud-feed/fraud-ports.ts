// SPDX-License-Identifier: MIT
//
// What rules against fraud know besides the call: lists and schedules of the revision in use, countries of addresses, and
// where events go.
import type { FraudRule, ResourceSet } from '@tandem/resources'
import type { Logger } from '@tandem/service-kit'
import type { FraudPorts } from '../fraud/ports.ts'
import type { PolicyState } from '../state.ts'
import type { EventOutbox } from './event-outbox.ts'
import type { GeoIp } from './geo-ip.ts'

export interface PortSources {
  /** The revision of this moment. */
  readonly state: () => Pick<PolicyState, 'index'>
  readonly outbox: Pick<EventOutbox, 'emit'>
  /** undefined: no file is set. */
  readonly geoIp: Pick<GeoIp, 'countryOf'> | undefined
}

export function createFraudPorts({ state, outbox, geoIp }: PortSources): FraudPorts {
  return {
    emit: (event) => outbox.emit(event),
    countryOf: (address) => geoIp?.countryOf(address),
    isWithin: (schedule, unixMs) => state().index.schedules.get(schedule)?.isWithin(unixMs) ?? false,
    listOf: (name) => state().index.lists.get(name),
  }
}

const needsCountries = ({ spec }: FraudRule): boolean =>
  spec.enabled && (spec.measures.countriesAtOnce !== undefined || spec.select.countries !== undefined)

/** Says once for a revision which rules do nothing because no GeoIP file is set. */
export function warnWithoutGeoIp(
  { resources }: Pick<ResourceSet, 'resources'>,
  geoIp: unknown,
  logger: Pick<Logger, 'warn'>,
): void {
  if (geoIp !== undefined) return
  const rules = resources.filter((one): one is FraudRule => one.kind === 'FraudRule').filter(needsCountries)
  if (rules.length === 0) return
  const names = rules.slice(0, 20).map(({ metadata }) => metadata.name)
  logger.warn(
    { rules: names, count: rules.length },
    'rules that need countries of addresses do nothing: policy.geoIpFile is not set',
  )
}
