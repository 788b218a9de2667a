/* json_rule.h - how a tokenizer.json treats text between added tokens, and whether it begins texts
 * with a token, read without the rest of it */
#ifndef CONVERT_TOKENIZER_JSON_RULE_H
#define CONVERT_TOKENIZER_JSON_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/text/json.h"

typedef struct json_rule {
	bool normalizes; /* a normalizer Prepend or Replace */
	bool metaspace;  /* a pre-tokenizer Metaspace */
	bool always;     /* whose prepend_scheme is "always", or absent */
	/* the post-processor TemplateProcessing puts a special token in front of a text */
	bool has_template, begins;
} json_rule;

/* Reads the value of field `key`, and skips it if it is none of normalizer, pre_tokenizer and
 * post_processor. *rule: zero-initialised by the caller. Errors are in the reader. */
void json_read_rule(json_reader *r, const char *key, json_rule *rule);

/* The added_rule; 0: nothing was said. */
uint32_t json_choose_rule(const json_rule *rule);

#endif
