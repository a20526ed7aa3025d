// SPDX-License-Identifier: MIT
//
// @tandem/location: bindings, edge membership and the directory of calls in set-up (docs/location.md).
export type { LocationCounts } from './counts.ts'
export { LOCATION_ERRORS, type LocationError, type LocationErrorCode } from './errors.ts'
export {
  LOCATION_TUNING,
  type LocationService,
  type LocationServiceOptions,
  type LocationTuning,
  type RegistrationBounds,
} from './options.ts'
export { createLocationService } from './service.ts'
export { ChangeHub, type ChangeHubOptions } from './watch-changes.ts'
