// SPDX-License-Identifier: MIT
// Preloaded into a server under test: its wall clock stands at the microseconds since 1970 that are written in the file named by
// STEERED_CLOCK_FILE, eight bytes in this machine's order. The monotonic clock is left alone, so that its event loop goes on.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *steered;

static int64_t now_us(void) {
  if (steered == NULL) {
    const char *name = getenv("STEERED_CLOCK_FILE");
    int file = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (page == MAP_FAILED) abort();
    steered = page;
  }
  return *steered;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  int64_t us = now_us();
  at->tv_sec = us / 1000000;
  at->tv_usec = us % 1000000;
  return 0;
}

int clock_gettime(clockid_t id, struct timespec *at) {
  if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) return (int)syscall(SYS_clock_gettime, id, at);
  int64_t us = now_us();
  at->tv_sec = us / 1000000;
  at->tv_nsec = us % 1000000 * 1000;
  return 0;
}

time_t time(time_t *at) {
  time_t seconds = now_us() / 1000000;
  if (at != NULL) *at = seconds;
  return seconds;
}
