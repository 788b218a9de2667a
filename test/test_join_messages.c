/* test_join_messages.c - messages in the order of agents' clients become turns that formats have,
 * and those that are turns already stay as they are */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/join_messages.h"
#include "test/check.h"
#include "test/failing_heap.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static check_counts counts;

/* A conversation as a line: u, a, s, t and a text each, "+name" for a call of the assistant's; a
 * text that ends with < or begins with > has reasoning there. */
static size_t read_line(const char *line, brise_message *messages, brise_tool_call *calls,
                        brise_thought *thoughts)
{
	size_t n = 0, n_calls = 0, n_thoughts = 0;

	while (*line) {
		size_t length = strcspn(line + 1, " "), text = strcspn(line + 1, " +");
		brise_message m = { .role = *line == 'u'   ? BRISE_USER
			                    : *line == 'a' ? BRISE_ASSISTANT
			                    : *line == 's' ? BRISE_SYSTEM
			                                   : BRISE_TOOL,
			            .content = line + 1,
			            .bytes = text };

		if (text > 0 && (line[1] == '>' || line[text] == '<')) {
			bool is_first = line[1] == '>';

			thoughts[n_thoughts] =
			        (brise_thought){ is_first ? 0 : text - 1,
				                 line + (is_first ? 1 : text), 1, false };
			m.content += is_first;
			m.bytes--;
			m.thoughts = &thoughts[n_thoughts++];
			m.n_thoughts = 1;
		}
		if (text < length) {
			calls[n_calls].name = line + 1 + text + 1;
			m.calls = &calls[n_calls++];
			m.n_calls = 1;
		}
		messages[n++] = m;
		line += 1 + length;
		line += *line == ' ';
	}
	return n;
}

static void write_line(char *out, const brise_message *messages, size_t n)
{
	size_t i, k;

	*out = 0;
	for (i = 0; i < n; i++) {
		const brise_message *m = &messages[i];

		out += sprintf(out, "%s%c", i > 0 ? " " : "", " suat"[m->role]);
		for (k = 0; k < m->n_thoughts; k++) {
			size_t at = k > 0 ? m->thoughts[k - 1].at : 0;

			out += sprintf(out, "%.*s%.*s", (int)(m->thoughts[k].at - at),
			               m->content ? m->content + at : "", (int)m->thoughts[k].bytes,
			               m->thoughts[k].text);
		}
		k = m->n_thoughts > 0 ? m->thoughts[m->n_thoughts - 1].at : 0;
		out += sprintf(out, "%.*s", (int)(m->bytes - k), m->content ? m->content + k : "");
		for (k = 0; k < m->n_calls; k++)
			out += sprintf(out, "+%.*s", (int)strcspn(m->calls[k].name, " "),
			               m->calls[k].name);
	}
}

static void test_messages_become_turns(void)
{
	static const struct {
		const char *given, *joined;
		bool has_tools;
	} cases[] = {
		{ "sS u1 a2 u3", "sS u1 a2 u3", true },
		{ "u1 u2 u a3", "u1\n\n2 a3", true },
		{ "u1 sS u2", "u1\n\n2 sS", true },
		{ "u1 a2 a+f a+g t3 t4", "u1 a2+f+g t3 t4", true },
		{ "u1 a+f t2 u3", "u1 a+f t2\n\n3", true },
		{ "u1 a+f t2 sS u3 u4", "u1 a+f t2\n\n3\n\n4 sS", true },
		{ "u1 a+f t2 u3", "u1 a+f t2 u3", false },
		{ "u1 a+f t2 a+f t3", "u1 a+f t2 a+f t3", true },
		{ "u1 a a2", "u1 a2", true },
		/* no empty line next to reasoning */
		{ "u1 a> a2 a3", "u1 a>2\n\n3", true },
		{ "u1 a2 a>3 a4", "u1 a2>3\n\n4", true },
		{ "u1 a2< a3 a>+f a4< t5", "u1 a2<3>4<+f t5", true },
		{ "", "", true },
	};
	brise_message messages[16];
	brise_tool_call calls[16];
	brise_thought thoughts[16];
	char line[256];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		pool texts = { .failed = false };
		size_t n = read_line(cases[i].given, messages, calls, thoughts);
		bool done = join_messages(messages, &n, cases[i].has_tools, &texts);

		write_line(line, messages, n);
		CHECK(&counts, done && !strcmp(line, cases[i].joined), "%s: %s", cases[i].given,
		      line);
		pool_clear(&texts);
	}
}

/* Would fail if each message were joined into a new copy of all before it: a request of a few
 * megabytes would take gigabytes. */
static void test_memory_is_in_proportion(void)
{
	enum { MESSAGES = 20000 };
	static const brise_role roles[] = { BRISE_USER, BRISE_ASSISTANT };
	brise_message *messages = calloc(MESSAGES, sizeof *messages);
	brise_tool_call call = { .id = "a", .name = "f" };
	brise_thought thought = { 1, "x", 1, false };
	size_t i, k, n, before;

	for (k = 0; messages && k < LENGTH(roles); k++) {
		pool texts = { .failed = false };

		for (i = 0; i < MESSAGES; i++)
			messages[i] = (brise_message){ .role = roles[k],
				                       .content = "a",
				                       .bytes = 1,
				                       .calls = k ? &call : NULL,
				                       .n_calls = k,
				                       .thoughts = k ? &thought : NULL,
				                       .n_thoughts = k };
		n = MESSAGES;
		before = atomic_load(&bytes_asked);
		CHECK(&counts, join_messages(messages, &n, true, &texts) && n == 1, "%zu left", n);
		CHECK(&counts,
		      messages[0].bytes == (k ? MESSAGES : 3 * MESSAGES - 2) &&
		              messages[0].n_calls == k * MESSAGES &&
		              messages[0].n_thoughts == k * MESSAGES,
		      "%zu bytes, %zu calls", messages[0].bytes, messages[0].n_calls);
		CHECK(&counts, atomic_load(&bytes_asked) - before < 250 * MESSAGES,
		      "%zu bytes for %d messages of one", atomic_load(&bytes_asked) - before,
		      MESSAGES);
		pool_clear(&texts);
	}
	free(messages);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_messages_become_turns());
	RUN(test_memory_is_in_proportion());
	return check_report("join_messages", &counts);
}
