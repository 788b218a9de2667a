/* story.h - what a program on a board does with a model: evaluate a list of ids, continue a text
 *
 * Through the public interface, with the functions of the library's environment alone. main.c is
 * its board; test_none.sh runs it on this system.
 */
#ifndef TEST_STORY_H
#define TEST_STORY_H

#include "runtime/brise.h"

typedef void story_print_fn(const char *text, size_t bytes);

/* All that is evaluated, from a model at data [size], with memory [bytes]. Prints
 *
 *     memory TOLD USED      bytes told beforehand for all objects, and used by them
 *     digest SHA256         of the logits that test/same_digest.sh writes to a file
 *     text TEXT             what `brise run MODEL "A file" -n 20 --greedy` prints
 *
 * and, where something fails, its message. Returns 0 if nothing has. */
int story_run(const void *data, size_t size, void *memory, size_t bytes, story_print_fn *print);

#endif
