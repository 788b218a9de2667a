/* members.h - which keys the open objects of a JSON text have, so that none comes twice
 *
 * It follows a text that is the beginning of JSON, and compares keys as they are written: grammars
 * with keys that the schema does not name let each key be written in one way only.
 */
#ifndef GRAMMAR_MEMBERS_H
#define GRAMMAR_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct members {
	/* keys of open objects, outer ones first: each the bytes between its quotation marks and
	 * the number of them; then the key that is being read */
	char *keys;
	size_t n_keys, most_keys;
	size_t key_at; /* where the last begins, or would */
	/* open objects and arrays: where an object's keys begin; MEMBERS_ARRAY */
	size_t *levels;
	size_t depth, most_levels;
	bool in_string, is_escaped, is_key, wants_key;
	bool failed; /* no memory */
} members;

#define MEMBERS_ARRAY SIZE_MAX

void members_free(members *m);
void members_reset(members *m);

/* Makes `to` as `from`. False: no memory. */
bool members_copy(members *to, const members *from);

/* Reads bytes. False: a key comes for the second time, or there is no memory. */
bool members_read(members *m, const char *text, size_t bytes);

/* Goes through the keys of the innermost object: *at is 0 at first. False: no more. */
bool members_next(const members *m, size_t *at, const char **key, size_t *bytes);

/* The part of a key that is being read; NULL: none is. */
const char *members_partial(const members *m, size_t *bytes);

#endif
