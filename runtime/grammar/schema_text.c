/* schema_text.c - strings: lengths, patterns and formats
 *
 * Without pattern and format a string is characters, escaped in any way, and counted. With them it
 * is the product of their automata and the count, and each character is written in one way.
 */
#include "runtime/grammar/schema_product.h"

bool schema_text_fits(schema_builder *b, const schema_merged *m, const char *text, size_t bytes)
{
	automata a = { .n = 0 };

	return automata_add_strings(b, &a, m) && automata_fit(&a, 0, text, bytes);
}

static uint32_t end_string(void *user, unsigned marks)
{
	(void)marks;
	return *(const uint32_t *)user;
}

void schema_put_string(schema_builder *b, const schema_merged *m, uint32_t from, uint32_t to)
{
	automata a = { .n = 0 };
	product p = { .b = b,
		      .a = &a,
		      .least = m->least_length,
		      .most = m->most_length,
		      .value = m->value,
		      .end = end_string,
		      .user = &to };
	uint32_t open, close;

	if (m->least_length > m->most_length || !automata_add_strings(b, &a, m))
		return;
	open = network_add_state(b->n);
	network_add_bytes(b->n, from, '"', '"', open);
	if (a.n > 0) {
		(void)product_put(&p, open);
		product_free(&p);
		return;
	}
	close = network_add_state(b->n);
	network_add_repeat(b->n, open, b->rules.character, m->least_length,
	                   m->most_length == SCHEMA_NO_LIMIT ? NETWORK_NO_LIMIT : m->most_length,
	                   close);
	network_add_bytes(b->n, close, '"', '"', to);
}
