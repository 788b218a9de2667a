/* test_grammar_tools.c - calls in the forms of v11 and v13, whose parts stand between control
 * tokens: what their grammars take, and that the reader of answers finds the calls again */
#include "runtime/text/json.h"
#include "test/chat_maker.h"
#include "test/check.h"
#include "test/grammar_maker.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define CALLS         "\xf8" /* as of vocabulary.h */
#define CALL_ID       "\xf9"
#define ARGS          "\xfa"

static check_counts counts;

static const char tools[] =
        "[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":"
        "\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"n\":{\"type\":\"string\","
        "\"maxLength\":9}},\"required\":[\"a\"],\"additionalProperties\":false}}},"
        "{\"type\":\"function\",\"function\":{\"name\":\"add_all\"}},"
        "{\"type\":\"function\",\"function\":{\"name\":\"any\",\"parameters\":{\"type\":"
        "\"object\",\"additionalProperties\":{\"type\":\"boolean\"},\"maxProperties\":3}}}]";

/* A format, and its grammar of tools. */
typedef struct calling {
	chat_maker v;
	brise_chat *chat;
	brise_grammar *grammar;
	brise_error err;
} calling;

static bool begin(calling *c, const char *format, const char *text, const char *tool, bool one)
{
	brise_chat_options o = { .size = sizeof o, .format = format };
	brise_grammar_options g;

	memset(c, 0, sizeof *c);
	brise_init_grammar_options(&g, sizeof g);
	g.kind = BRISE_GRAMMAR_TOOLS;
	g.text = text;
	g.bytes = strlen(text);
	g.tool = tool;
	g.one_call = one;
	if (!chat_maker_open_tekken(&c->v, NULL, NULL) ||
	    brise_new_chat(&c->chat, c->v.t, NULL, &o, &c->err) != BRISE_OK)
		return false;
	g.chat = c->chat;
	return brise_new_grammar(&c->grammar, c->v.t, &g, &c->err) == BRISE_OK;
}

static void end(calling *c)
{
	brise_free_grammar(c->grammar);
	brise_free_chat(c->chat);
	chat_maker_close(&c->v);
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void test_calls_have_the_form_of_the_format(void)
{
	static const struct {
		const char *format, *tool;
		bool one;
		const char *text;
		char expected;
	} cases[] = {
		{ "v13", NULL, false, "add" ARGS "{\"a\": 1}", 'v' },
		{ "v13", NULL, false, "add" ARGS "{\"a\":1}" CALLS "add_all" ARGS "{}", 'v' },
		{ "v13", NULL, false, "add" ARGS "{\"a\": 1}" CALLS, 'b' },
		{ "v13", NULL, false, "add" ARGS "{\"a\": 1}, ", 'x' },
		{ "v13", NULL, false, "add" ARGS "{\"a\": 1}" ARGS, 'x' },
		{ "v13", NULL, false, "add" ARGS "{\"b\"", 'x' },
		{ "v13", NULL, false, "add" ARGS "{}", 'x' },
		{ "v13", NULL, false, "add" ARGS "{\"a\": 1, \"n\": \"" CALLS, 'x' },
		{ "v13", NULL, false, "add_all" ARGS "{}", 'v' },
		{ "v13", NULL, false, "add_" ARGS, 'x' },
		{ "v13", NULL, false, "add{", 'x' },
		{ "v13", NULL, false, "sub", 'x' },
		{ "v13", NULL, false, "add" CALL_ID, 'x' },
		{ "v13", NULL, false, " add", 'x' },
		{ "v13", NULL, false, CALLS, 'x' },
		{ "v13", NULL, false, ARGS, 'x' },
		{ "v13", NULL, false, "[{", 'x' },
		{ "v13", NULL, false, "", 'b' },
		{ "v13", NULL, true, "add_all" ARGS "{}", 'v' },
		{ "v13", NULL, true, "add_all" ARGS "{}" CALLS, 'x' },
		{ "v13", "add_all", false, "add" ARGS, 'x' },
		{ "v13", "add_all", false, "add_all" ARGS "{}" CALLS "add_all" ARGS "{}", 'v' },
		{ "v13", "add_all", false, "add_all" ARGS "{}" CALLS "add" ARGS, 'x' },
		/* the same key in two calls, but not twice in one */
		{ "v13", "any", false, "any" ARGS "{\"a\": true}" CALLS "any" ARGS "{\"a\": true}",
		  'v' },
		{ "v13", "any", false, "any" ARGS "{\"a\": true, \"a\"", 'x' },
		{ "v11", NULL, false, "add" CALL_ID "call00001" ARGS "{\"a\": 1}", 'v' },
		{ "v11", NULL, false,
		  "add" CALL_ID "call00001" ARGS "{\"a\": 1}" CALLS "any" CALL_ID "call00002" ARGS
		  "{}",
		  'v' },
		{ "v11", NULL, false, "add" ARGS, 'x' },
		{ "v11", NULL, false, "add" CALL_ID "call0001" ARGS, 'x' },
		{ "v11", NULL, false, "add" CALL_ID "call000001", 'x' },
		{ "v7", NULL, false, "[{\"name\": \"add\", \"arguments\": {\"a\": 1}}]", 'v' },
		{ "v7", NULL, false, "add", 'x' },
		{ "v3-tekken", NULL, false, "add", 'x' },
	};
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		calling c;
		bool begun = begin(&c, cases[i].format, tools, cases[i].tool, cases[i].one);
		char result = begun ? maker_try(c.grammar, cases[i].text) : '?';

		CHECK(&counts, result == cases[i].expected, "%s, %s is %c: %s", cases[i].format,
		      cases[i].text, result, c.err.message);
		end(&c);
	}
}

static void test_names_that_end_nowhere_are_refused(void)
{
	static const char *const names[] = { "a{b", "[a", "a\\\"b", " a", "a ", "a\\nb", "" };
	char text[256];
	calling c;
	size_t i;

	for (i = 0; i < LENGTH(names); i++) {
		(void)snprintf(text, sizeof text, "[{\"function\":{\"name\":\"%s\"}}]", names[i]);
		CHECK(&counts, !begin(&c, "v13", text, NULL, false), "%s", names[i]);
		/* not EUNSUPPORTED, of which servers say that --loose-tools helps */
		CHECK(&counts,
		      c.err.code == BRISE_EINVAL &&
		              strstr(c.err.message, "#/0/function/name: calls of this format"),
		      "%s: %s", names[i], c.err.message);
		end(&c);
		CHECK(&counts, begin(&c, "v7", text, NULL, false), "%s: %s", names[i],
		      c.err.message);
		end(&c);
	}
	CHECK(&counts, begin(&c, "v13", "[{\"function\":{\"name\":\"a.b-c d}]:\"}}]", NULL, false),
	      "%s", c.err.message);
	end(&c);
}

static void test_a_chat_of_another_tokenizer_is_refused(void)
{
	brise_grammar_options o;
	brise_grammar *g;
	brise_error err;
	calling c, other;

	CHECK(&counts, begin(&c, "v13", tools, NULL, false), "%s", c.err.message);
	CHECK(&counts, begin(&other, "v13", tools, NULL, false), "%s", other.err.message);
	brise_init_grammar_options(&o, sizeof o);
	o.kind = BRISE_GRAMMAR_TOOLS;
	o.text = tools;
	o.bytes = strlen(tools);
	o.chat = other.chat;
	CHECK(&counts, brise_new_grammar(&g, c.v.t, &o, &err) == BRISE_EINVAL && !g, "taken");
	end(&c);
	end(&other);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static bool is_allowed(const brise_allowed *a, int32_t id)
{
	return a->mask[id / 32] >> id % 32 & 1;
}

static int32_t find(const brise_tokenizer *t, const char *text)
{
	int32_t id;

	return brise_find_token(t, text, strlen(text), &id, NULL) == BRISE_OK ? id : -1;
}

/* Control tokens stand where they are asked for, and in no other place or grammar. Would catch
 * tokens of single bytes that are taken for them. */
static void test_control_tokens_stand_in_their_places_alone(void)
{
	static const char *const marks[] = { "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]",
		                             "[THINK]",      "[INST]", "</s>" };
	brise_grammar *json;
	brise_matcher *m;
	brise_allowed a;
	brise_status status;
	calling c;
	size_t i;
	uint32_t id;

	if (!begin(&c, "v13", tools, NULL, false) ||
	    !(json = maker_compile_with(c.v.t, BRISE_GRAMMAR_JSON, "")) ||
	    brise_new_matcher(&m, c.grammar, NULL, 0, false, NULL) != BRISE_OK) {
		CHECK(&counts, false, "%s", c.err.message);
		return;
	}
	CHECK(&counts, grammar_match_bytes(m, "add", 3, &status), "add");
	CHECK(&counts, brise_get_allowed(m, &a, NULL) == BRISE_OK, "behind a name");
	for (i = 0; i < LENGTH(marks); i++)
		CHECK(&counts, is_allowed(&a, find(c.v.t, marks[i])) == (i == 1), "%s", marks[i]);
	for (id = 0; id < c.v.t->vocab; id++) { /* bytes that look like marks */
		char text[TOKENIZER_PIECE_MAX];
		size_t n = tokenizer_spell(c.v.t, id, text);

		if (n > 0 && (uint8_t)text[0] >= 0xf8)
			CHECK(&counts, !is_allowed(&a, (int32_t)id), "token %u", (unsigned)id);
	}
	CHECK(&counts, brise_match_token(m, find(c.v.t, "[CALL_ID]"), NULL) == BRISE_EINVAL, "id");
	CHECK(&counts, brise_match_token(m, find(c.v.t, "[ARGS]"), NULL) == BRISE_OK, "arguments");
	brise_free_matcher(m);
	if (brise_new_matcher(&m, json, NULL, 0, false, NULL) == BRISE_OK) {
		CHECK(&counts, grammar_match_bytes(m, "{\"a", 3, &status), "JSON");
		CHECK(&counts, brise_get_allowed(m, &a, NULL) == BRISE_OK, "in a string");
		for (i = 0; i < LENGTH(marks); i++)
			CHECK(&counts, !is_allowed(&a, find(c.v.t, marks[i])), "%s", marks[i]);
		brise_free_matcher(m);
	}
	brise_free_grammar(json);
	end(&c);
}

/* What the reader of answers finds. */
typedef struct found {
	size_t n_calls, n_whole, wrong;
	char name[64], arguments[8192], text[64];
	bool has_id;
} found;

static void take_piece(void *user, const brise_answer_piece *p)
{
	found *f = user;
	json_reader r;

	switch (p->kind) {
	case BRISE_ANSWER_CALL:
		(void)snprintf(f->name, sizeof f->name, "%.*s", (int)p->bytes, p->text);
		f->wrong += strcmp(f->name, "add") && strcmp(f->name, "add_all") &&
		            strcmp(f->name, "any");
		f->arguments[0] = 0;
		f->n_calls++;
		break;
	case BRISE_ANSWER_ARGUMENTS:
		(void)snprintf(f->arguments + strlen(f->arguments),
		               sizeof f->arguments - strlen(f->arguments), "%.*s", (int)p->bytes,
		               p->text);
		break;
	case BRISE_ANSWER_CALL_END:
		json_begin(&r, f->arguments, strlen(f->arguments), "arguments", NULL);
		f->wrong += json_peek(&r) != JSON_OBJECT || !json_skip(&r) ||
		            json_end(&r) != BRISE_OK || p->bytes != (f->has_id ? 9u : 0u);
		f->n_whole++;
		break;
	case BRISE_ANSWER_TEXT:
	case BRISE_ANSWER_THOUGHT:
		f->wrong++;
		break;
	}
}

/* Draws tokens that may follow, of which those that end something come often, and reads them. */
static void draw(const calling *c, uint64_t seed, found *f)
{
	static const char *const ending[] = { "\"", "}", "0", ",", "[ARGS]" };
	int32_t end_token = c->v.t->eos, id;
	brise_answer *answer;
	brise_matcher *m;
	brise_allowed a;
	unsigned step, i;

	if (brise_new_matcher(&m, c->grammar, &end_token, 1, true, NULL) != BRISE_OK ||
	    brise_new_answer(&answer, c->chat, NULL) != BRISE_OK) {
		f->wrong++;
		return;
	}
	f->wrong += brise_read_answer(answer, find(c->v.t, "[TOOL_CALLS]"), take_piece, f, NULL);
	for (step = 0; step < 4000; step++) {
		if (brise_get_allowed(m, &a, NULL) != BRISE_OK) {
			f->wrong++;
			break;
		}
		id = -1;
		if (step % 3 == 0 || step > 300)
			id = find(c->v.t, ending[random_next(&seed) % LENGTH(ending)]);
		if (a.may_end && step > 200)
			id = end_token;
		if (id < 0 || !is_allowed(&a, id)) {
			unsigned n = 0;

			for (i = 0; i < c->v.t->vocab; i++)
				if (is_allowed(&a, (int32_t)i) && random_next(&seed) % ++n == 0)
					id = (int32_t)i;
		}
		f->wrong += brise_match_token(m, id, NULL) != BRISE_OK;
		if (id == end_token)
			break;
		f->wrong += brise_read_answer(answer, id, take_piece, f, NULL) != BRISE_OK;
	}
	f->wrong += step == 4000;
	f->wrong += brise_finish_answer(answer, take_piece, f, NULL) != BRISE_OK;
	brise_free_answer(answer);
	brise_free_matcher(m);
}

static void test_what_is_drawn_is_read_as_calls(void)
{
	static const char *const formats[] = { "v11", "v13" };
	size_t i, most = 0;
	uint64_t seed;
	calling c;

	for (i = 0; i < LENGTH(formats); i++) {
		if (!begin(&c, formats[i], tools, NULL, false)) {
			CHECK(&counts, false, "%s", c.err.message);
			return;
		}
		for (seed = 1; seed <= 12; seed++) {
			found f = { .has_id = i == 0 };

			draw(&c, seed, &f);
			CHECK(&counts, f.wrong == 0 && f.n_calls > 0 && f.n_whole == f.n_calls,
			      "%s, seed %u: %zu wrong, %zu calls, %zu whole", formats[i],
			      (unsigned)seed, f.wrong, f.n_calls, f.n_whole);
			most = f.n_calls > most ? f.n_calls : most;
		}
		end(&c);
	}
	CHECK(&counts, most > 1, "never two calls in one answer");
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_calls_have_the_form_of_the_format());
	RUN(test_names_that_end_nowhere_are_refused());
	RUN(test_a_chat_of_another_tokenizer_is_refused());
	RUN(test_control_tokens_stand_in_their_places_alone());
	RUN(test_what_is_drawn_is_read_as_calls());
	return check_report("grammar_tools", &counts);
}
