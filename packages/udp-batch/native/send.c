/* SPDX-License-Identifier: MIT */
/*
 * Sending: JavaScript fills slab and records, and sendmmsg takes them all at the end of a batch, before the loop sleeps, or when full. What the
 * kernel does not take at once waits in copies, in order, up to a bound; beyond it datagrams are dropped and counted. Loss is UDP's, and
 * retransmission the transaction layer's: nothing is tried again but what never reached the kernel's queue.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "udp_batch.h"

enum { MAX_TRIES = 4 };

static int send_some(struct udp_socket *s, struct mmsghdr *messages, unsigned count) {
  if (s->fault_count > 0) {
    s->fault_count--;
    errno = s->fault_errno;
    return -1;
  }
  return sendmmsg(s->fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void count_sent(struct udp_socket *s, const struct mmsghdr *messages, int count) {
  s->counters[N_SENT] += count;
  for (int i = 0; i < count; i++) s->counters[N_SENT_BYTES] += messages[i].msg_len;
}

/* The answer to an earlier datagram, which the kernel reports to whatever call comes next. */
static bool is_of_another(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EPROTO || error == EHOSTDOWN;
}

/*
 * Sends messages in order. Returns how many are settled: sent, or refused for good and counted. Less than `count` only where the kernel
 * takes none now. ENOBUFS (a full device queue: waiting for the socket would not help) loses one datagram, as the kernel itself would.
 */
static unsigned transmit(struct udp_socket *s, struct mmsghdr *messages, unsigned count) {
  unsigned done = 0, tries = 0;
  while (done < count) {
    int sent = send_some(s, messages + done, count - done);
    if (sent > 0) {
      count_sent(s, messages + done, sent);
      done += (unsigned)sent;
      tries = 0;
      continue;
    }
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0 && is_of_another(errno)) s->has_errors = true;
    if (sent < 0 && (errno == EINTR || is_of_another(errno)) && ++tries < MAX_TRIES) continue;
    s->counters[N_ERRORS]++;
    done++;
    tries = 0;
  }
  return done;
}

static void fill_message(struct udp_socket *s, unsigned i, void *bytes, size_t length) {
  s->tx_vectors[i] = (struct iovec){.iov_base = bytes, .iov_len = length};
  s->tx_messages[i].msg_hdr = (struct msghdr){.msg_name = &s->tx_names[i],
                                              .msg_namelen = socket_address_length(s->family),
                                              .msg_iov = &s->tx_vectors[i],
                                              .msg_iovlen = 1};
}

/* Messages out of the records; those that point outside the slab are dropped. */
static unsigned gather(struct udp_socket *s, unsigned count) {
  unsigned kept = 0;
  for (unsigned i = 0; i < count; i++) {
    const int32_t *record = s->tx + i * TX_WORDS;
    int64_t offset = record[TX_OFFSET], length = record[TX_LENGTH];
    if (offset < 0 || length < 0 || offset + length > (int64_t)s->slab_bytes) {
      s->counters[N_DROPPED]++;
      continue;
    }
    to_socket_address(s->family, record + TX_ADDRESS, record[TX_SCOPE], record[TX_PORT], &s->tx_names[kept]);
    fill_message(s, kept++, s->slab + offset, (size_t)length);
  }
  return kept;
}

static void keep(struct udp_socket *s, const struct mmsghdr *message) {
  size_t length = message->msg_hdr.msg_iov->iov_len;
  size_t cost = length + sizeof(struct waiting);
  struct waiting *one = s->waiting_bytes + cost > s->max_waiting_bytes ? NULL : malloc(cost);
  if (one == NULL) {
    s->counters[N_DROPPED]++;
    return;
  }
  one->next = NULL;
  one->length = length;
  memcpy(&one->to, message->msg_hdr.msg_name, sizeof one->to);
  memcpy(one->bytes, message->msg_hdr.msg_iov->iov_base, length);
  if (s->last == NULL) s->first = one;
  else s->last->next = one;
  s->last = one;
  s->waiting_bytes += cost;
  s->counters[N_QUEUED]++;
}

/* Hands everything in the slab to the kernel, or behind what waits for it. The slab is empty afterwards. */
void flush_sends(struct udp_socket *s) {
  unsigned count = (unsigned)s->control[CTL_SEND_COUNT];
  if (count == 0) return;
  s->control[CTL_SEND_COUNT] = 0;
  s->control[CTL_SEND_USED] = 0;
  if (count > s->tx_slots) count = s->tx_slots;
  count = gather(s, count);
  s->counters[N_FLUSHES]++;
  unsigned done = s->first == NULL ? transmit(s, s->tx_messages, count) : 0;
  for (unsigned i = done; i < count; i++) keep(s, &s->tx_messages[i]);
  if (s->first != NULL) arm(s);
}

static void forget_first(struct udp_socket *s) {
  struct waiting *one = s->first;
  s->first = one->next;
  if (s->first == NULL) s->last = NULL;
  s->waiting_bytes -= one->length + sizeof *one;
  free(one);
}

/* The kernel has room again. One batch a turn; what is left comes with the next event. */
void send_waiting(struct udp_socket *s) {
  unsigned count = 0;
  for (struct waiting *one = s->first; one != NULL && count < s->tx_slots; one = one->next) {
    s->tx_names[count] = one->to;
    fill_message(s, count++, one->bytes, one->length);
  }
  for (unsigned done = transmit(s, s->tx_messages, count); done > 0; done--) forget_first(s);
  if (s->first == NULL) arm(s);
}

void forget_waiting(struct udp_socket *s) {
  while (s->first != NULL) forget_first(s);
}
