/* aside.h - work on a request beside the thread of control, if its body is long
 *
 * Encoding a megabyte of text takes a tenth of a second and more, in which no other client would be
 * served.
 */
#ifndef SERVE_ASIDE_H
#define SERVE_ASIDE_H

#include <stdbool.h>

#include "runtime/serve/exchange.h"

/* Bodies from here on; shorter ones take less than 10 ms. */
#define ASIDE_BYTES 32768u

/* Calls run, which must not touch the exchange but may read its body, and then done in the thread
 * of control; both perhaps before this returns. is_gone: the client has left, and the exchange is
 * not there any more; if it left early, run has not been called. Until done, exchange_on_gone is
 * not for the caller. */
void aside_run(exchange *x, void (*run)(void *user), void (*done)(void *user, bool is_gone),
               void *user);

#endif
