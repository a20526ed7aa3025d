// SPDX-License-Identifier: MIT
import type { PolicyService, PolicyServiceOptions } from './options.ts'

/** Composes the handlers over one store and one set of resources. */
export declare function createPolicyService(options: PolicyServiceOptions): PolicyService
