/* join_messages.h - messages as clients of agents send them, in an order that formats have
 *
 * Formats take turns: the user and the assistant speak once each, and a call's result is followed
 * by the assistant. Clients split an answer into its text and its calls, one message each, and let
 * the user speak behind a result.
 */
#ifndef SERVE_JOIN_MESSAGES_H
#define SERVE_JOIN_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/brise.h"
#include "runtime/serve/pool.h"

/* Joins messages [*n] in place: the user's in a row, the assistant's in a row with their calls,
 * and, if the format has tools, what the user says behind a result with the result. Texts get an
 * empty line between them, unless reasoning is there. New texts and lists are memory of the pool.
 * False: no memory. */
bool join_messages(brise_message *messages, size_t *n, bool has_tools, pool *p);

#endif
