// SPDX-License-Identifier: MIT
//
// NumberList: prefixes of telephone numbers under a name, such as premium numbers or those that are known for revenue
// share fraud (IRSF). Prefixes stand in the resource, in a CSV file that it names, or in both.
import { z } from 'zod'
import { API_VERSION, clusterMetadata } from '../envelope.ts'

/** A global prefix, or digits for numbers as they are dialled. */
export const listPrefix = z
  .string()
  .regex(/^(\+[0-9]{1,15}|[0-9]{1,32})$/, 'expected + and up to 15 digits, or digits for numbers as they are dialled')

const columnName = z.string().min(1).max(128)
const text = z.string().max(64)

const entry = z.strictObject({
  prefix: listPrefix,
  /** Two letters of ISO 3166, or text. */
  country: text.default(''),
  category: text.default(''),
})

export const numberListSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('NumberList'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      description: z.string().max(512).optional(),
      /** Of entries that name none. */
      category: text.default(''),
      prefixes: z
        .array(z.union([listPrefix, entry]))
        .max(100_000)
        .default([]),
      import: z
        .strictObject({
          /** CSV; the delimiter (comma, semicolon, tab, |) is found out. */
          file: z.string().min(1).max(4_096),
          /** Digits without + and 00 are global numbers all the same, as lists have them. */
          e164: z.boolean().default(true),
          /** Names of the file's columns, in any case; common names are known. */
          columns: z
            .strictObject({
              prefix: columnName.optional(),
              /** Last number of a range that begins with `prefix`. */
              rangeEnd: columnName.optional(),
              country: columnName.optional(),
              category: columnName.optional(),
            })
            .prefault({}),
          /** Last digits that are cut off: a list of test numbers stands for the ranges around them. */
          dropDigits: z.int().min(0).max(6).default(0),
        })
        .optional(),
    })
    .refine(({ prefixes, import: from }) => prefixes.length > 0 || from !== undefined, {
      error: 'expected prefixes, import or both',
    }),
})
export type NumberList = z.infer<typeof numberListSchema>
