/* SPDX-License-Identifier: MIT */
/*
 * The event loop: readable, writable, about to sleep, closing, and the end of the environment (the process, or a worker).
 *
 * What is sent outside a batch (timers, answers of other sockets) leaves when the loop is about to sleep: a look at one word of shared
 * memory per turn, and no call from JavaScript. At the end of an environment the handles are closed by an asynchronous hook, which is what lets
 * a worker end while its sockets are open.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "udp_batch.h"

void call_javascript(struct udp_socket *s, napi_ref function, int32_t count) {
  napi_env env = s->env;
  napi_handle_scope scope;
  napi_value global, callee, argument, error;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_global(env, &global) == napi_ok && napi_get_reference_value(env, function, &callee) == napi_ok &&
      callee != NULL && napi_create_int32(env, count, &argument) == napi_ok) {
    napi_status status = napi_make_callback(env, s->async, global, callee, 1, &argument, NULL);
    if (status == napi_pending_exception && napi_get_and_clear_last_exception(env, &error) == napi_ok)
      napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

static void on_event(uv_poll_t *handle, int status, int events) {
  struct udp_socket *s = handle->data;
  // libuv stops a handle whose socket has an error, which for UDP is the word of a peer: read it and go on.
  if (status < 0) {
    s->armed = 0;
    drain_errors(s);
    if (s->closing) return;
    arm(s);
  }
  if ((events & UV_WRITABLE) != 0) send_waiting(s);
  if (status < 0 || (events & UV_READABLE) != 0) receive_counted(s);
}

static void on_prepare(uv_prepare_t *handle) {
  flush_sends(handle->data);
}

/* Waits for what the socket waits for now. */
void arm(struct udp_socket *s) {
  int events = (s->gathering ? 0 : UV_READABLE) | (s->first == NULL ? 0 : UV_WRITABLE);
  if (s->armed == events) return;
  if (events == 0) {
    uv_poll_stop(&s->poll);
    s->armed = 0;
    return;
  }
  s->armed = uv_poll_start(&s->poll, events, on_event) == 0 ? events : 0;
}

/* 0, or a negative errno with nothing left open. */
int start_events(struct udp_socket *s, uv_loop_t *loop) {
  int error = uv_poll_init(loop, &s->poll, s->fd);
  if (error != 0) return error;
  uv_prepare_init(loop, &s->prepare);
  uv_prepare_start(&s->prepare, on_prepare);
  uv_unref((uv_handle_t *)&s->prepare);
  uv_timer_init(loop, &s->timer);
  s->poll.data = s->prepare.data = s->timer.data = s;
  s->open_handles = 3;
  arm(s);
  return 0;
}

void free_when_unused(struct udp_socket *s) {
  if (s->collected && s->closing && s->open_handles == 0) free(s);
}

static void release(struct udp_socket *s) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(s->env, &scope) != napi_ok) return;
  for (int i = 0; i < 4; i++) napi_delete_reference(s->env, s->buffers[i]);
  napi_delete_reference(s->env, s->on_batch);
  if (s->on_unreachable != NULL) napi_delete_reference(s->env, s->on_unreachable);
  napi_async_destroy(s->env, s->async);
  napi_delete_reference(s->env, s->self);
  napi_close_handle_scope(s->env, scope);
}

static void on_closed(uv_handle_t *handle) {
  struct udp_socket *s = handle->data;
  if (--s->open_handles > 0) return;
  free(s->arrays);
  s->arrays = NULL;
  if (!s->env_gone) release(s);
  napi_remove_async_cleanup_hook(s->cleanup);
  free_when_unused(s);
}

/* What was sent before leaves, as far as the kernel takes it now. The port is free on return. */
void close_socket(struct udp_socket *s) {
  if (s->closing) return;
  flush_sends(s);
  s->closing = true;
  forget_waiting(s);
  uv_poll_stop(&s->poll);
  uv_prepare_stop(&s->prepare);
  uv_timer_stop(&s->timer);
  uv_close((uv_handle_t *)&s->poll, on_closed);
  uv_close((uv_handle_t *)&s->prepare, on_closed);
  uv_close((uv_handle_t *)&s->timer, on_closed);
  close(s->fd);
}
