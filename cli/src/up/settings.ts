// SPDX-License-Identifier: MIT
//
// The configuration of those who run the cluster or look into it as a whole: with its resources, no password of which stays in memory.
import { hashPasswords, realmsOf } from '@tandem/resources'
import type { Config } from '@tandem/service-kit'
import { type ClusterFlags, type LoadOptions, loadedConfig } from '../settings.ts'

/** Throws `ConfigError`. */
export function loadSettings(flags: ClusterFlags, options: LoadOptions): Config {
  const config = loadedConfig(flags, options)
  // Also processes that never look at the resources are given the cluster file: no password stays with them either.
  const { documents } = config.resources
  hashPasswords(documents, realmsOf(documents))
  return config
}
