// SPDX-License-Identifier: MIT
// Every bound of the message layer, with the attack that it stops. Sizes in bytes, counts in items.
// Left out: bounds of transactions and of sockets (see the packages that own them).

export const LIMITS = {
  /** Start line and each header line, folds included. Stops lines that are stored as keys or re-scanned by downstream C parsers. */
  lineBytes: 8192,
  /** All header lines of one message. Stops a peer that makes us hold a stream's header section without end. */
  headerSectionBytes: 65536,
  /** Header lines of one message. Stops 10,000 one-letter headers, each of which costs more than its bytes. */
  headerCount: 256,
  /** Body of one message on a stream. Stops an announced Content-Length from reserving memory. */
  bodyBytes: 1_048_576,
  /** Highest CSeq number, RFC 3261 §8.1.1.5. Stops wrap-around in 32-bit comparisons. */
  cseqMax: 2_147_483_647,
  /** Highest Max-Forwards, RFC 3261 §20.22. Stops loops that a huge hop count keeps alive. */
  maxForwardsMax: 255,
  /** Splices in one edit list: one for each header line and what forwarding adds. Stops the list from growing for good. */
  editCount: 320,
  /** Storage that an idle stream may keep for the next split message. Stops idle connections from pinning large buffers. */
  idleStreamBytes: 4096,
  /** Parameters of one header value that a list-building parser returns. Stops one value from making thousands of objects. */
  paramCount: 64,
  /** Contacts of one REGISTER that are decoded. Stops one request from making thousands of bindings. */
  contactCount: 64,
} as const
