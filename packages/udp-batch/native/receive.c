/* SPDX-License-Identifier: MIT */
/*
 * Receiving: one recvmmsg into the ring, one call of JavaScript for what it brought, one batch per turn of the event loop, so that timers and
 * other sockets get theirs under any load. ICMP errors come by the socket's error queue, each with the destination that it is about.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* needs time.h */
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include "udp_batch.h"

enum { MAX_ERRORS_PER_TURN = 64 };

static void reset_message(struct udp_socket *s, unsigned i) {
  struct msghdr *header = &s->rx_messages[i].msg_hdr;
  header->msg_namelen = sizeof(union socket_address);
  header->msg_controllen = CONTROL_BYTES;
  header->msg_flags = 0;
}

void prepare_receive(struct udp_socket *s) {
  for (unsigned i = 0; i < s->rx_slots; i++) {
    struct msghdr *header = &s->rx_messages[i].msg_hdr;
    s->rx_vectors[i] = (struct iovec){.iov_base = s->ring + (size_t)i * s->stride, .iov_len = s->stride};
    header->msg_iov = &s->rx_vectors[i];
    header->msg_iovlen = 1;
    header->msg_name = &s->rx_names[i];
    header->msg_control = s->rx_control + (size_t)i * CONTROL_BYTES;
    reset_message(s, i);
  }
}

/* The kernel's count of this socket's drops, 32 bits that wrap. It comes only once there has been one. */
static void count_kernel_drops(struct udp_socket *s, const void *data) {
  uint32_t drops;
  memcpy(&drops, data, sizeof drops);
  s->counters[N_KERNEL_DROPPED] += (uint32_t)(drops - s->kernel_drops);
  s->kernel_drops = drops;
}

static void read_control(struct udp_socket *s, struct msghdr *header, int32_t *local) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
      count_kernel_drops(s, CMSG_DATA(c));
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      memcpy(local, CMSG_DATA(c) + offsetof(struct in_pktinfo, ipi_addr), 4);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      memcpy(local, CMSG_DATA(c) + offsetof(struct in6_pktinfo, ipi6_addr), 16);
    }
  }
}

/* A datagram that was cut is no message: counted, not handed on. */
static bool describe(struct udp_socket *s, unsigned i, int32_t *record) {
  struct msghdr *header = &s->rx_messages[i].msg_hdr;
  unsigned length = s->rx_messages[i].msg_len;
  if (header->msg_controllen > 0) read_control(s, header, record + RX_LOCAL);
  if ((header->msg_flags & MSG_TRUNC) != 0) {
    s->counters[N_TRUNCATED]++;
    return false;
  }
  record[RX_OFFSET] = (int32_t)(i * s->stride);
  record[RX_LENGTH] = (int32_t)length;
  record[RX_PORT] = from_socket_address(s->family, &s->rx_names[i], record + RX_ADDRESS, record + RX_SCOPE);
  s->counters[N_RECEIVED]++;
  s->counters[N_RECEIVED_BYTES] += length;
  return true;
}

static int read_messages(struct udp_socket *s) {
  int count;
  do count = recvmmsg(s->fd, s->rx_messages, s->rx_slots, MSG_DONTWAIT, NULL);
  while (count < 0 && errno == EINTR);
  if (count >= 0 || errno == EAGAIN) return count;
  // Errors of the network come by the error queue and are counted there.
  if (errno == EBADF || errno == ENOMEM || errno == ENOTSOCK || errno == EFAULT) s->counters[N_ERRORS]++;
  else s->has_errors = true;
  return count;
}

/* Returns how many slots were filled, cut datagrams among them. */
unsigned receive_batch(struct udp_socket *s) {
  int count = read_messages(s);
  int32_t kept = 0;
  note_queue_age(s, count < 0 ? 0 : (unsigned)count);
  for (int i = 0; i < count; i++) {
    if (describe(s, (unsigned)i, s->rx + kept * RX_WORDS)) kept++;
    reset_message(s, (unsigned)i);
  }
  if (kept > 0) {
    s->counters[N_BATCHES]++;
    call_javascript(s, s->on_batch, kept);
    // Microtasks of the batch have run too: what they sent leaves with it.
    if (!s->closing) flush_sends(s);
  }
  return count < 0 ? 0 : (unsigned)count;
}

/* [RFC3261-18.4b] A packet that was too big for some link, or that ran out of hops, says nothing of who it was for. */
static bool means_unreachable(const struct sock_extended_err *error) {
  if (error->ee_origin == SO_EE_ORIGIN_ICMP6) return error->ee_type == ICMP6_DST_UNREACH;
  return error->ee_origin == SO_EE_ORIGIN_ICMP && error->ee_type == ICMP_UNREACH && error->ee_code != ICMP_UNREACH_NEEDFRAG;
}

static bool is_from_network(struct msghdr *header) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
    bool is4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
    bool is6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
    if (!is4 && !is6) continue;
    struct sock_extended_err error;
    memcpy(&error, CMSG_DATA(c), sizeof error);
    return means_unreachable(&error);
  }
  return false;
}

/*
 * One entry of the error queue; false where it is empty. Record and slot have the destination and the begin of the datagram as the error
 * quotes it: eight bytes of its header at least, and then what there is, often none.
 */
static bool read_error(struct udp_socket *s, bool *from_network, int32_t slot) {
  int32_t *record = s->rx + slot * RX_WORDS;
  unsigned char control[512];
  union socket_address name;
  struct msghdr header = {
      .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &s->rx_vectors[slot], .msg_iovlen = 1,
      .msg_control = control, .msg_controllen = sizeof control};
  memset(&name, 0, sizeof name);
  ssize_t quoted = recvmsg(s->fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (quoted < 0) return false;
  *from_network = is_from_network(&header);
  record[RX_OFFSET] = (int32_t)((size_t)slot * s->stride);
  record[RX_LENGTH] = (int32_t)quoted;
  record[RX_PORT] = from_socket_address(s->family, &name, record + RX_ADDRESS, record + RX_SCOPE);
  return true;
}

/* Empties the error queue (the rest next turn), clears the socket's pending error, and tells which destinations are unreachable. */
void drain_errors(struct udp_socket *s) {
  int32_t told = 0;
  bool from_network;
  s->has_errors = true;
  for (int k = 0; k < MAX_ERRORS_PER_TURN && s->has_errors; k++) {
    s->has_errors = read_error(s, &from_network, told);
    if (!s->has_errors) break;
    s->counters[from_network ? N_UNREACHABLE : N_ERRORS]++;
    if (from_network && (unsigned)told + 1 < s->rx_slots) told++;
  }
  int pending;
  socklen_t size = sizeof pending;
  getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &pending, &size);
  if (told > 0 && s->on_unreachable != NULL) call_javascript(s, s->on_unreachable, told);
}
