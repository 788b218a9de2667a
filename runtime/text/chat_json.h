/* chat_json.h - JSON as Python's json.dumps(ensure_ascii=False) writes it, in which models were
 * trained on tools, calls and results */
#ifndef RUNTIME_CHAT_JSON_H
#define RUNTIME_CHAT_JSON_H

#include "runtime/text/chat_text.h"
#include "runtime/text/json.h"

/* Appends the value ahead. False: it is no JSON, and the reader says why. */
bool chat_json_value(chat_text *out, json_reader *r);

/* Appends text [n] as a JSON string; bytes that are not UTF-8 become U+FFFD each. */
void chat_json_string(chat_text *out, const char *text, size_t n);

/* Appends what a client gives as JSON: parsed and written again, as a JSON string where it is no
 * JSON, {} where it is empty (mistral-common, _normalize_json_content). */
void chat_json_content(chat_text *out, const char *text, size_t n);

#endif
