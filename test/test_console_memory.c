/* test_console_memory.c - memory that runs out while a message is edited
 *
 * The n-th request fails (test/failing_heap.h). Whatever n is, editing goes on, the text stays
 * UTF-8, and nothing is lost or used after it was freed, which the sanitizers see.
 */
#include <string.h>

#include "runtime/console/editor.h"
#include "runtime/text/utf8.h"
#include "test/check.h"
#include "test/failing_heap.h"
#include "test/scratch.h"

static check_counts counts;

static void drop(void *user, const char *bytes, size_t n)
{
	(void)user, (void)bytes, (void)n;
}

static bool is_utf8(const char *text, size_t n)
{
	size_t at = 0;

	while (at < n) {
		int length = utf8_measure((const uint8_t *)text + at, n - at);

		if (length <= 0)
			return false;
		at += (size_t)length;
	}
	return true;
}

static void check_editor(const editor *e, long n)
{
	size_t bytes;
	const char *text = editor_text(e, &bytes);

	CHECK(&counts, is_utf8(text, bytes), "request %ld: no UTF-8", n);
	CHECK(&counts, e->line.cursor <= bytes, "request %ld: cursor", n);
	CHECK(&counts, text[bytes] == 0, "request %ld: no end", n);
}

/* Two messages with everything that takes memory; the request n fails. */
static void edit(const char *path, long n)
{
	static const char *const typed[] = {
		"first message, which is long enough for several rows \xe4\xb8\xad\xe6\x96\x87",
		"\027\027\001\013\031\037\037\033[A\033[A\033[B",
		"\n\nlines\033[A\022first\022\007\022m\005",
		"\033[200~a\nb\033[201~\024",
		"\004\033d\037",
	};
	editor_options options = { .prompt = "> ", .more = "  " };
	static history h;
	editor e;
	size_t i, used;
	int message;

	fail_request(n);
	(void)history_open(&h, path, NULL);
	options.history = &h;
	editor_open(&e, &options, drop, NULL);
	editor_resize(&e, 20, 6);
	for (message = 0; message < 2; message++) {
		(void)editor_begin(&e, "given", 5);
		for (i = 0; i < sizeof typed / sizeof *typed; i++) {
			(void)editor_feed(&e, (const uint8_t *)typed[i], strlen(typed[i]), &used);
			check_editor(&e, n);
			editor_draw(&e);
		}
		editor_set_status(&e, "status");
		editor_finish(&e);
		(void)history_add(&h, e.line.text.n > 0 ? e.line.text.bytes : "", e.line.text.n,
		                  NULL);
	}
	editor_free(&e);
	history_free(&h);
	CHECK(&counts, atomic_load(&in_use) == 0, "request %ld: %ld pieces are left", n,
	      atomic_load(&in_use));
}

static void test_editing_survives_every_failed_request(void)
{
	char folder[512], path[600];
	long n, all;

	scratch_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/history", folder);
	edit(path, 0);
	all = atomic_load(&requests);
	CHECK(&counts, all > 20, "%ld requests", all);
	for (n = 1; n <= all + 10; n++)
		edit(path, n);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_editing_survives_every_failed_request());
	return check_report("console_memory", &counts);
}
