/* SPDX-License-Identifier: MIT */
/*
 * Lets the kernel drop a share of the REGISTERs, by chance, before they are queued: a process that is to drop them itself must wake up and
 * copy them first, which under five times its load takes a third of its time. Everything else passes. What is dropped is counted with
 * what the kernel drops because the receive buffer is full.
 */
#include <linux/filter.h>

#include "udp_batch.h"

enum { UDP_HEADER_BYTES = 8, REGI = 0x52454749 };

/* The share is of 65,536; 0: all pass. False where the kernel refuses. */
bool shed_registers(struct udp_socket *s, uint32_t share) {
  if (share == 0) {
    int none = 0;
    setsockopt(s->fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    return true;
  }
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UDP_HEADER_BYTES + 4, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, UDP_HEADER_BYTES),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REGI, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, share << 16, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  return setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}
