// SPDX-License-Identifier: MIT
//
// Bounds of what a folder of resources may hold. Each names what it stops.

/** Stops a file that would be parsed for minutes. */
export const MAX_FILE_BYTES = 32 * 1024 * 1024
/** Stops a folder that would not fit into memory as objects. */
export const MAX_DOCUMENTS = 500_000
/** Stops anchors that refer to one another until they are gigabytes. */
export const MAX_YAML_ALIASES = 100
/** Stops a report of problems that nobody could read. */
export const MAX_PROBLEMS = 100
/** Folders in folders; stops a loop of symbolic links. */
export const MAX_FOLDER_DEPTH = 8
