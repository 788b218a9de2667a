/* document.h - a JSON text as a tree, with the place of everything in it
 *
 * Schemas refer to places in themselves, so they are not walked once but kept. Nesting is bounded
 * by JSON_DEPTH.
 */
#ifndef GRAMMAR_DOCUMENT_H
#define GRAMMAR_DOCUMENT_H

#include "runtime/text/json.h"

/* A value of the tree takes some 100 bytes, and one byte of the text may be one. */
#define DOCUMENT_BYTES_MAX ((size_t)1 << 20)

typedef struct document_value {
	json_type type;
	uint32_t at;                  /* byte of the text where it begins */
	uint32_t bytes;               /* of it in the text */
	uint32_t parent, child, next; /* values; 0: none */
	uint32_t n;                   /* elements or members */
	uint32_t line;                /* where it begins, from 1 */
	uint32_t index;               /* of an element among its siblings, from 0 */
	bool flag;                    /* of JSON_BOOL */
	bool is_root;                 /* references from below it begin here */
	char *key;                    /* of a member */
	uint32_t key_bytes;
	char *string; /* of JSON_STRING, UTF-8 */
	uint32_t string_bytes;
} document_value;

typedef struct document {
	const char *text, *name;
	document_value *values; /* 0 is none; 1 is the whole */
	size_t n, most;
	size_t lines_at; /* bytes of the text whose lines have been counted */
	uint32_t line;
	/* Steps that searches may take, and what compiles: a small text can ask for the square of
	 * its size. Without any left nothing is found. NULL: any number. */
	int64_t *work;
} document;

/* Reads JSON text, which must outlive the document, as name. Numbers must be JSON's; keys of an
 * object may be repeated, the last counts.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED too large, BRISE_ENOMEM. */
brise_status document_read(document *d, const char *text, size_t bytes, const char *name,
                           brise_error *err);
void document_free(document *d);

/* Takes n steps. False: there are none left. */
bool document_spend(const document *d, size_t n);

/* The member of an object; 0: none. */
uint32_t document_find(const document *d, uint32_t object, const char *key);
uint32_t document_find_key(const document *d, uint32_t object, const char *key, size_t bytes);

bool document_is_string(const document *d, uint32_t value, const char *text);

/* Whether two values are equal as JSON schema has it: 1 and 1.0 are. */
bool document_equal(const document *d, uint32_t a, uint32_t b);

/* What a reference ("#/$defs/x", "#", an "$id" or "#anchor" of this text) from a value leads to;
 * 0: nothing. */
uint32_t document_resolve(const document *d, uint32_t from, const char *reference, size_t bytes);

/* Fills *err with a message that begins with name, line and place of a value; below a root in an
 * object that has a name, as the parameters of a tool, with that and the place below the root. */
brise_status document_refuse(const document *d, uint32_t value, brise_status status,
                             const char *what, brise_error *err);

#endif
