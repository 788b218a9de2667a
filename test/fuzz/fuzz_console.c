/* fuzz_console.c - any bytes typed into the editor, and any bytes as an answer
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_console.c SECONDS
 *
 * Input: columns, rows, the length of a piece; the bytes. What is drawn must hold no control
 * sequence but those that the console uses.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/console/editor.h"
#include "runtime/console/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct checker {
	enum { TEXT, ESCAPE, CSI } state;
	uint8_t last[3];
} checker;

/* Everything that is drawn, byte by byte. */
static void check(void *user, const char *bytes, size_t n)
{
	checker *c = user;
	size_t i;

	for (i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)bytes[i];

		c->last[0] = c->last[1];
		c->last[1] = c->last[2];
		c->last[2] = byte;
		if (c->state == ESCAPE) {
			if (byte != '[')
				abort();
			c->state = CSI;
		} else if (c->state == CSI) {
			if (byte >= 0x40 && !strchr("ABCHJKm", byte))
				abort();
			c->state = byte < 0x40 ? CSI : TEXT;
		} else if (byte == 0x1b) {
			c->state = ESCAPE;
		} else if ((byte < 0x20 && byte != '\r' && byte != '\n' && byte != '\b') ||
		           byte == 0x7f) {
			abort();
		} else if ((c->last[1] == 0xc2 && byte >= 0x80 && byte < 0xa0) ||
		           (c->last[0] == 0xe2 && c->last[1] == 0x80 && byte >= 0xaa &&
		            byte <= 0xae)) {
			abort(); /* C1, bidirectional overrides */
		}
	}
}

static void offer(void *user, candidates *list, const char *text, size_t n)
{
	(void)user, (void)text;
	candidates_offer(list, n > 2 ? n - 2 : n, "abc");
	candidates_offer(list, n > 2 ? n - 2 : n, "\xe4\xb8\xad\xe6\x96\x87");
	candidates_offer(list, n, "x");
}

static void type_all(const uint8_t *data, size_t size, int columns, int rows, size_t piece)
{
	static history h;
	editor_options options = { .prompt = "> ", .more = ". ", .history = &h, .complete = offer };
	checker c = { TEXT, { 0 } };
	editor_result result;
	size_t used, n, here;
	const char *text;
	editor e;

	if (history_open(&h, NULL, NULL) != BRISE_OK)
		abort();
	editor_open(&e, &options, check, &c);
	editor_resize(&e, columns, rows);
	while (size > 0) {
		here = size < piece ? size : piece;
		result = editor_feed(&e, data, here, &used);
		if (used > here || (result == EDITOR_MORE && used < here))
			abort();
		data += used;
		size -= used;
		editor_draw(&e);
		text = editor_text(&e, &n);
		if (e.line.cursor > n || text[n] != 0)
			abort();
		if (result == EDITOR_MORE)
			continue;
		(void)history_add(&h, text, n, NULL);
		editor_finish(&e);
		(void)editor_begin(&e, NULL, 0);
		editor_resize(&e, columns + (int)(size % 7), rows);
	}
	(void)editor_expire(&e);
	editor_free(&e);
	history_free(&h);
}

static void answer_all(const uint8_t *data, size_t size, int columns, size_t piece, bool is_dumb)
{
	checker c = { TEXT, { 0 } };
	size_t at;
	writer w;

	writer_open(&w, is_dumb ? WRITER_DUMB : WRITER_FULL, !is_dumb, check, &c);
	writer_resize(&w, columns);
	writer_set_status(&w, "status");
	writer_begin(&w);
	for (at = 0; at < size; at += piece) {
		writer_put(&w, (const char *)data + at, size - at < piece ? size - at : piece);
		if (at % 5 == 4)
			writer_resize(&w, columns + (int)(at % 11));
	}
	writer_end(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int columns, rows;
	size_t piece;

	if (size < 3)
		return 0;
	columns = data[0];
	rows = data[1] % 40;
	piece = 1u + data[2];
	type_all(data + 3, size - 3, columns, rows, piece);
	answer_all(data + 3, size - 3, columns, piece, rows % 2 == 1);
	return 0;
}
