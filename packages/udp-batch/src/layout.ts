// SPDX-License-Identifier: MIT
// The memory that JavaScript and the addon share, in words of 32 bits; native/udp_batch.h has the same numbers. A change of either raises
// LAYOUT_VERSION in both, and the loader refuses an addon of another version.

export const LAYOUT_VERSION = 2

/**
 * Control words at the begin. The first two are set to 0 by the addon when it has taken what waits. QUEUE_US: microseconds that the first
 * datagram of the last batch had waited in the kernel, while batches come full; else 0.
 */
export const CONTROL = { SEND_COUNT: 0, SEND_USED: 1, QUEUE_US: 2, WORDS: 16 } as const

/** One record for each datagram of a batch, after the control words. ADDRESS and LOCAL: network byte order, IPv4 in the first word alone. */
export const RECEIVED = { OFFSET: 0, LENGTH: 1, PORT: 2, SCOPE: 3, ADDRESS: 4, LOCAL: 8, WORDS: 12 } as const

/** One record for each datagram to send, after those; OFFSET is in the slab. */
export const TO_SEND = { OFFSET: 0, LENGTH: 1, PORT: 2, SCOPE: 3, ADDRESS: 4, WORDS: 8 } as const

/** An address for parseAddress and formatAddress: four words and the scope. */
export const ADDRESS_WORDS = 5

/** Places of the counters (float64). */
export const COUNTER = {
  RECEIVED: 0,
  RECEIVED_BYTES: 1,
  SENT: 2,
  SENT_BYTES: 3,
  QUEUED: 4,
  DROPPED: 5,
  ERRORS: 6,
  TRUNCATED: 7,
  KERNEL_DROPPED: 8,
  UNREACHABLE: 9,
  BATCHES: 10,
  FLUSHES: 11,
} as const

export const COUNTERS = 12

/** Bytes of the shared words. */
export function wordsBytes(receiveSlots: number, sendSlots: number): number {
  return 4 * (CONTROL.WORDS + receiveSlots * RECEIVED.WORDS + sendSlots * TO_SEND.WORDS)
}
