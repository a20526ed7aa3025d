/* SPDX-License-Identifier: MIT */
/*
 * A UDP socket that is read by recvmmsg and written by sendmmsg, driven by the event loop of the Node process that loads it.
 *
 * Memory: four ArrayBuffers made by JavaScript (src/layout.ts has the same constants). The socket holds a strong reference to each until it
 * is closed, so plain pointers into them stay valid.
 *   ring      slots of `stride` bytes; slot i of a batch begins at i * stride
 *   slab      bytes of datagrams to send, packed
 *   words     int32: control words, then one record per received datagram, then one per datagram to send
 *   counters  float64, only ever added to
 *
 * Invariants: whatever the words say, nothing outside ring and slab is read or written. After `closing` no JavaScript is called. The struct is
 * freed when both its handles are closed and its external is collected, in either order.
 * Races: none, everything runs on the thread of its event loop. Each environment (worker) has sockets of its own; there is no global state.
 */
#ifndef UDP_BATCH_H
#define UDP_BATCH_H

#include <netinet/in.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#define LAYOUT_VERSION 2
#define MAX_SLOTS 1024

enum { CTL_SEND_COUNT = 0, CTL_SEND_USED = 1, CTL_QUEUE_US = 2, CTL_WORDS = 16 };
enum { RX_OFFSET = 0, RX_LENGTH, RX_PORT, RX_SCOPE, RX_ADDRESS = 4, RX_LOCAL = 8, RX_WORDS = 12 };
enum { TX_OFFSET = 0, TX_LENGTH, TX_PORT, TX_SCOPE, TX_ADDRESS = 4, TX_WORDS = 8 };
enum {
  N_RECEIVED = 0,
  N_RECEIVED_BYTES,
  N_SENT,
  N_SENT_BYTES,
  N_QUEUED,
  N_DROPPED,
  N_ERRORS,
  N_TRUNCATED,
  N_KERNEL_DROPPED,
  N_UNREACHABLE,
  N_BATCHES,
  N_FLUSHES,
  N_COUNTERS
};

/* An address as the words have it: network byte order; IPv4 in the first word alone. */
struct address_words {
  int32_t word[4];
  int32_t scope;
};

union socket_address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* A datagram that waits for the kernel, its bytes behind it. */
struct waiting {
  struct waiting *next;
  union socket_address to;
  size_t length;
  unsigned char bytes[];
};

struct settings {
  const char *address;
  int port;
  bool reuse_port;
  int recv_buffer_bytes; /* 0: the system's */
  int send_buffer_bytes;
  int dscp; /* 0 to 63 */
};

#define CONTROL_BYTES 128

struct udp_socket {
  int fd;
  int family; /* AF_INET or AF_INET6 */
  bool wildcard;
  bool closing;
  bool env_gone;
  bool collected; /* the external is gone */
  int open_handles;
  int armed; /* events that the poll handle waits for */
  uv_poll_t poll;
  uv_prepare_t prepare;
  uv_timer_t timer;

  int gather_ms; /* 0: never gathers */
  bool gathering;
  bool has_errors; /* the error queue has entries that a send met */
  bool stamping;
  unsigned full_batches, calm_batches; /* one after the other */
  uint64_t window_start;
  unsigned window_count;

  napi_env env;
  napi_async_context async;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref self, on_batch, on_unreachable, buffers[4];

  unsigned char *ring, *slab;
  int32_t *control, *rx, *tx;
  double *counters;
  size_t slab_bytes;
  unsigned stride, rx_slots, tx_slots;

  void *arrays; /* one block for what follows */
  struct mmsghdr *rx_messages, *tx_messages;
  struct iovec *rx_vectors, *tx_vectors;
  union socket_address *rx_names, *tx_names;
  unsigned char *rx_control;
  uint32_t kernel_drops; /* the last value that SO_RXQ_OVFL gave */

  struct waiting *first, *last;
  size_t waiting_bytes, max_waiting_bytes;

  int fault_errno, fault_count; /* tests: the next sends fail so */
};

/* address.c */
bool parse_address(int family, const char *text, struct address_words *out);
bool format_address(int family, const struct address_words *in, char *text, size_t size);
void to_socket_address(int family, const int32_t *words, int32_t scope, int port, union socket_address *out);
int from_socket_address(int family, const union socket_address *in, int32_t *words, int32_t *scope);
socklen_t socket_address_length(int family);

/* open.c: 0, or a negative errno; *call names what failed. */
int open_udp(struct udp_socket *s, const struct settings *settings, const char **call);

/* receive.c */
void prepare_receive(struct udp_socket *s);
unsigned receive_batch(struct udp_socket *s);
void drain_errors(struct udp_socket *s);

/* send.c */
void flush_sends(struct udp_socket *s);
void send_waiting(struct udp_socket *s);
void forget_waiting(struct udp_socket *s);

/* queue-age.c */
void note_queue_age(struct udp_socket *s, unsigned received);

/* shed.c */
bool shed_registers(struct udp_socket *s, uint32_t share);

/* gather.c */
unsigned receive_counted(struct udp_socket *s);

/* events.c */
int start_events(struct udp_socket *s, uv_loop_t *loop);
void arm(struct udp_socket *s);
void call_javascript(struct udp_socket *s, napi_ref function, int32_t count);
void close_socket(struct udp_socket *s);
void free_when_unused(struct udp_socket *s);

#endif
