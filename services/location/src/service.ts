// SPDX-License-Identifier: MIT
import type { LocationService, LocationServiceOptions } from './options.ts'

/** Composes the handlers over one store. */
export declare function createLocationService(options: LocationServiceOptions): LocationService
