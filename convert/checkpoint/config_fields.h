/* config_fields.h - reading the fields of a configuration, and what their absence means
 *
 * A field is given, null or absent, and the three differ: sliding_window null is no window, absent
 * it is the default of the model's type. The readers of config.json and params.json say what each
 * field is; the functions here read it and remember which of the three it was.
 */
#ifndef CONVERT_CHECKPOINT_CONFIG_FIELDS_H
#define CONVERT_CHECKPOINT_CONFIG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/checkpoint/architecture.h"
#include "convert/checkpoint/rope_fields.h"
#include "convert/formats/notes.h"
#include "runtime/text/json.h"

/* A size of the model: where it goes. Two fields may lead to the same place. */
typedef struct size_field {
	const char *name;
	size_t offset; /* of an uint32_t in format_config */
} size_field;

typedef enum field_state { FIELD_ABSENT, FIELD_NULL, FIELD_GIVEN } field_state;

typedef struct config_fields {
	json_reader r;
	architecture *a;
	notes *decisions;
	const size_field *sizes;
	size_t n_sizes;
	field_state states[16]; /* of sizes */
	field_state eps, bos, eos;
	rope_fields rope;
	uint32_t n_windows; /* of a list in a->windows; 0: one window for all, or none */
	char file[64];      /* the configuration's name without its folder */
} config_fields;

/* Begins with the JSON text; errors are in f->r. */
void config_fields_begin(config_fields *f, architecture *a, const char *json, size_t size,
                         const char *name, notes *decisions, brise_error *err);

/* Reads the field if it is one of sizes, rope_theta or tied embeddings; false: it is none. */
bool config_fields_read_common(config_fields *f, const char *key);

void config_fields_read_size(config_fields *f, size_t index);
/* Begin and end token, once the vocabulary is known: outside it, the former becomes 1, as where it
 * is absent, and the latter none, since texts end with others as well. */
void config_fields_drop_ids(config_fields *f);
void config_fields_read_eps(config_fields *f);

/* An id, or a list of which the first counts. */
void config_fields_read_id(config_fields *f, const char *field, int32_t *id, field_state *state);

/* A field that is refused by its name unless its value changes nothing: null, an empty list or
 * object, or one of two numbers, where false counts as 0 and true as 1. */
typedef struct neutral_field {
	const char *name;
	double value, other;
} neutral_field;

/* Reads the value at hand; true: it is neither null nor empty nor one of the two allowed. */
bool config_fields_says_something(json_reader *r, const neutral_field *allowed);

/* Skips the value at hand; true: it is not null. */
bool config_fields_pass_over(json_reader *r);

/* False: the field is none of list [n]. */
bool config_fields_read_neutral(config_fields *f, const char *key, const neutral_field *list,
                                size_t n);

/* Refuses the current field: "KEY is not supported". */
void config_fields_refuse(config_fields *f, const char *what);

/* Of the size at that offset. */
field_state config_fields_state(const config_fields *f, size_t offset);

/* Head size from width and heads where it is not given, and lines about window and rope theta. */
void config_fields_decide_head_dim(config_fields *f);
void config_fields_decide_windows(config_fields *f);
void config_fields_note_window(config_fields *f, const char *why_none);
void config_fields_decide_theta(config_fields *f, double fallback, const char *why);

#endif
