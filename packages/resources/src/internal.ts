// SPDX-License-Identifier: MIT
export { parseDocument } from './parse-document.ts'
export { type LocatedResource, parseYaml } from './parse-yaml.ts'
export { checkReferences } from './references.ts'
