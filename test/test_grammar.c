/* test_grammar.c - masks of tokens, and GBNF grammars */
#include <pthread.h>
#include <time.h>

#include "test/grammar_maker.h"
#include "test/random.h"

#define AB                                                                                         \
	"{\"type\":\"object\",\"patternProperties\":{\"^[ab]$\":{\"type\":\"null\"}},"             \
	"\"additionalProperties\":false}"
#define WORDS                                                                                      \
	"{\"type\":\"object\",\"patternProperties\":{\"^the(re|n)?$\":{\"type\":[\"object\","      \
	"\"integer\"],\"propertyNames\":{\"enum\":[\"the\",\"th\",\"then\"]}}},"                   \
	"\"additionalProperties\":false}"
#define TREE "root ::= \"(\" root \")\" | [a-c]{2,4} | \"\xc3\xa9\" [^\\x00-\\x7f]"

static bool has(const brise_allowed *a, uint32_t id)
{
	return a->mask[id / 32] >> id % 32 & 1;
}

/* Whether a token continues text [n] by the grammar, tried with its bytes alone. */
static bool fits(const brise_grammar *g, const char *text, size_t n, uint32_t id)
{
	char spelled[1024];
	brise_status status;
	brise_matcher *m;
	size_t bytes;
	bool taken = false;

	if (vocabulary_spell(g->vocabulary, id, spelled, &bytes) &&
	    brise_new_matcher(&m, g, NULL, 0, false, NULL) == BRISE_OK) {
		taken = grammar_match_bytes(m, text, n, &status) &&
		        grammar_match_bytes(m, spelled, bytes, &status);
		brise_free_matcher(m);
	}
	return taken;
}

static uint32_t pick(const brise_allowed *a, uint32_t rows, uint64_t *seed)
{
	uint32_t id, n = 0, chosen = 0;

	for (id = 0; id < rows; id++)
		if (has(a, id) && random_next(seed) % ++n == 0)
			chosen = id;
	return chosen;
}

/* Compares masks on the way on from a text's beginning with every token tried alone. */
static unsigned compare_masks(const brise_grammar *g, const char *begin, uint64_t seed,
                              unsigned steps)
{
	char text[4096], spelled[1024];
	unsigned wrong = 0, i;
	size_t n = strlen(begin), bytes;
	brise_status status;
	brise_matcher *m;
	brise_allowed a;
	uint32_t id;

	if (brise_new_matcher(&m, g, NULL, 0, false, NULL) != BRISE_OK)
		return 1;
	memcpy(text, begin, n);
	wrong += n > 0 && !grammar_match_bytes(m, text, n, &status);
	for (i = 0; i < steps && n < sizeof text - 1024; i++) {
		if (brise_get_allowed(m, &a, NULL) != BRISE_OK)
			return 1;
		for (id = 0; id < g->vocabulary->rows; id++)
			wrong += has(&a, id) != fits(g, text, n, id);
		if (a.must_end)
			break;
		id = pick(&a, g->vocabulary->rows, &seed);
		if (brise_match_token(m, (int32_t)id, NULL) != BRISE_OK)
			return 1;
		(void)vocabulary_spell(g->vocabulary, id, spelled, &bytes);
		memcpy(text + n, spelled, bytes);
		n += bytes;
	}
	brise_free_matcher(m);
	return wrong;
}

/* Would catch a walk that skips tokens, or takes them from another state. */
static void test_masks_are_exact(check_counts *counts, maker *m)
{
	static const struct {
		brise_grammar_kind kind;
		const char *text;
		const char *begin; /* NULL: "" */
	} cases[] = {
		{ BRISE_GRAMMAR_JSON, "", NULL },
		{ BRISE_GRAMMAR_JSON, "", "{\"t\":1,\"the\":2,\"" }, /* keys that are there */
		{ BRISE_GRAMMAR_JSON, "", "{\"the\":{\"\":1,\"t\":2,\"the\":3},\"t" },
		{ BRISE_GRAMMAR_JSON, "", "{\"\":[]," },
		{ BRISE_GRAMMAR_GBNF, TREE, NULL },
		{ BRISE_GRAMMAR_GBNF, "root ::= (\"the \" | \"a \" [a-z]+ \" \")* \"end\"", NULL },
		{ BRISE_GRAMMAR_SCHEMA,
		  "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
		  "\"string\",\"maxLength\":5},\"the\":{\"type\":"
		  "\"integer\",\"minimum\":7,\"maximum\":1234}}}",
		  NULL },
		/* keys that can be used up */
		{ BRISE_GRAMMAR_SCHEMA, AB, NULL },
		{ BRISE_GRAMMAR_SCHEMA, AB, "{\"a\":null" },
		{ BRISE_GRAMMAR_SCHEMA, AB, "{\"a\":null,\"" },
		{ BRISE_GRAMMAR_SCHEMA, AB, "{\"b\":null,\"a\":nul" },
		{ BRISE_GRAMMAR_SCHEMA, WORDS, "{\"the\":{},\"there\":{\"th\":1},\"t" },
		{ BRISE_GRAMMAR_SCHEMA, WORDS,
		  "{\"there\":{\"the\":1},\"the\":{\"the\":{},\"then\":0" },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		brise_grammar *g = maker_compile(m, cases[i].kind, cases[i].text);
		unsigned wrong =
		        g ? compare_masks(g, cases[i].begin ? cases[i].begin : "", i + 1, 8) : 1;

		CHECK(counts, g, "%s", m->err.message);
		CHECK(counts, wrong == 0, "%u tokens of grammar %zu", wrong, i);
		brise_free_grammar(g);
	}
}

/* Ends are in the mask where the text may end, and nowhere else; behind one nothing is. */
static void test_ends_are_allowed_where_a_text_may_end(check_counts *counts, maker *m)
{
	brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_GBNF, "root ::= [0-9] [0-9]?");
	const int32_t end = 2;
	brise_status status;
	brise_matcher *x;
	brise_allowed a;

	CHECK(counts, g && brise_new_matcher(&x, g, &end, 1, false, &m->err) == BRISE_OK, "%s",
	      m->err.message);
	if (!g)
		return;
	CHECK(counts, brise_get_allowed(x, &a, NULL) == BRISE_OK && !a.may_end && !has(&a, 2),
	      "before a digit");
	CHECK(counts, brise_match_token(x, end, NULL) == BRISE_EINVAL, "an end there");
	CHECK(counts, grammar_match_bytes(x, "1", 1, &status), "a digit");
	CHECK(counts,
	      brise_get_allowed(x, &a, NULL) == BRISE_OK && a.may_end && !a.must_end && has(&a, 2),
	      "behind a digit");
	CHECK(counts, grammar_match_bytes(x, "2", 1, &status), "another");
	CHECK(counts, brise_get_allowed(x, &a, NULL) == BRISE_OK && a.must_end && has(&a, 2),
	      "behind two");
	CHECK(counts, brise_match_token(x, end, NULL) == BRISE_OK, "the end");
	CHECK(counts, brise_get_allowed(x, &a, NULL) == BRISE_OK && a.must_end, "behind the end");
	CHECK(counts, brise_match_token(x, end, NULL) == BRISE_EINVAL, "a second end");
	brise_reset_matcher(x);
	CHECK(counts, brise_get_allowed(x, &a, NULL) == BRISE_OK && !a.may_end, "at the beginning");
	brise_free_matcher(x);
	brise_free_grammar(g);
}

/* A decoder of its own drops the space that an answer's first token begins with. */
static void test_first_space_of_an_answer_is_no_part_of_it(check_counts *counts, maker *m)
{
	brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_GBNF, "root ::= \"the\"");
	int32_t with, without;
	brise_matcher *x;
	brise_allowed a;

	CHECK(counts,
	      g && brise_find_token(m->tokenizer, "\xe2\x96\x81the", 6, &with, NULL) == BRISE_OK &&
	              brise_find_token(m->tokenizer, "the", 3, &without, NULL) == BRISE_OK &&
	              with >= 0 && without >= 0,
	      "tokens");
	if (!g || brise_new_matcher(&x, g, NULL, 0, true, NULL) != BRISE_OK)
		return;
	CHECK(counts,
	      brise_get_allowed(x, &a, NULL) == BRISE_OK && has(&a, (uint32_t)with) &&
	              has(&a, (uint32_t)without),
	      "of an answer");
	CHECK(counts, brise_match_token(x, with, NULL) == BRISE_OK && grammar_is_whole(x), "taken");
	brise_free_matcher(x);
	if (brise_new_matcher(&x, g, NULL, 0, false, NULL) != BRISE_OK)
		return;
	CHECK(counts,
	      brise_get_allowed(x, &a, NULL) == BRISE_OK && !has(&a, (uint32_t)with) &&
	              has(&a, (uint32_t)without),
	      "of a text that continues");
	CHECK(counts, brise_match_token(x, with, NULL) == BRISE_EINVAL, "refused");
	brise_free_matcher(x);
	brise_free_grammar(g);
}

/* Would catch states that are mixed up when others are forgotten. */
static void test_little_memory_changes_no_mask(check_counts *counts, maker *m)
{
	static const char schema[] = "{\"type\":\"array\",\"items\":{\"type\":\"string\","
	                             "\"maxLength\":3000},\"maxItems\":400}";
	brise_grammar_options o;
	brise_grammar *g[2];
	brise_matcher *x[2];
	brise_allowed a[2];
	uint64_t seed = 5;
	unsigned i, wrong = 0, forgotten = 0;
	size_t states = 0;

	brise_init_grammar_options(&o, sizeof o);
	o.kind = BRISE_GRAMMAR_SCHEMA;
	o.text = schema;
	o.bytes = strlen(schema);
	for (i = 0; i < 2; i++) {
		o.memory = i == 0 ? 1 : 0;
		if (brise_new_grammar(&g[i], m->tokenizer, &o, &m->err) != BRISE_OK ||
		    brise_new_matcher(&x[i], g[i], NULL, 0, false, &m->err) != BRISE_OK) {
			CHECK(counts, false, "%s", m->err.message);
			return;
		}
	}
	for (i = 0; i < 600; i++) {
		uint32_t id;

		if (brise_get_allowed(x[0], &a[0], NULL) != BRISE_OK ||
		    brise_get_allowed(x[1], &a[1], NULL) != BRISE_OK || a[0].must_end)
			break;
		wrong += memcmp(a[0].mask, a[1].mask, g[0]->vocabulary->words * sizeof(uint32_t)) !=
		         0;
		forgotten += g[0]->cache->machine.n_states < states;
		states = g[0]->cache->machine.n_states;
		id = pick(&a[1], g[1]->vocabulary->rows, &seed);
		(void)brise_match_token(x[0], (int32_t)id, NULL);
		(void)brise_match_token(x[1], (int32_t)id, NULL);
	}
	CHECK(counts, wrong == 0, "%u masks differ", wrong);
	CHECK(counts, forgotten > 2, "states were forgotten %u times", forgotten);
	for (i = 0; i < 2; i++) {
		brise_free_matcher(x[i]);
		brise_free_grammar(g[i]);
	}
}

static void *compile_alone(void *user)
{
	return maker_compile_with(user, BRISE_GRAMMAR_GBNF, TREE);
}

/* Would catch a vocabulary for each grammar, and threads that each keep their own. */
static void test_all_grammars_share_a_vocabulary(check_counts *counts, maker *shared)
{
	brise_grammar *g[4];
	pthread_t threads[4];
	bool started[4];
	maker m;
	size_t i;

	(void)shared;
	/* A tokenizer of which there is no grammar yet. */
	if (!maker_begin(&m)) {
		CHECK(counts, false, "%s", m.err.message);
		return;
	}
	for (i = 0; i < 4; i++) {
		started[i] = pthread_create(&threads[i], NULL, compile_alone, m.tokenizer) == 0;
		CHECK(counts, started[i], "thread %zu", i);
	}
	for (i = 0; i < 4; i++) {
		void *made = NULL;

		if (started[i])
			(void)pthread_join(threads[i], &made);
		g[i] = made;
		CHECK(counts, g[i] && g[0] && g[i]->vocabulary == g[0]->vocabulary, "grammar %zu",
		      i);
	}
	for (i = 0; i < 4; i++)
		brise_free_grammar(g[i]);
	maker_end(&m);
}

static void test_gbnf(check_counts *counts, maker *m)
{
	static const struct {
		const char *grammar, *text;
		char expected;
	} cases[] = {
		{ "root ::= \"a\" | \"b\"*", "", 'v' },
		{ "root ::= \"a\" | \"b\"*", "bbb", 'v' },
		{ "root ::= \"a\" | \"b\"*", "ab", 'x' },
		{ TREE, "((abca))", 'v' },
		{ TREE, "((abcaa))", 'x' },
		{ TREE, "((a", 'b' },
		{ TREE, "\xc3\xa9\xe2\x82\xac", 'v' },
		{ TREE, "\xc3\xa9\xed\xa0\x80", 'x' }, /* a surrogate */
		{ TREE, "\xc3\xa9\xc0\x80", 'x' },     /* too long a form */
		{ "root ::= e \"\\n\"\ne ::= e \"+\" t | t # left recursion\nt ::= [0-9]+",
		  "1+22+3\n", 'v' },
		{ "root ::= e \"\\n\"\ne ::= e \"+\" t | t\nt ::= [0-9]+", "1+\n", 'x' },
		{ "root ::= (\"x\" | \"y\"\n  \"z\")? # lines\n", "yz", 'v' },
		{ "root ::=\n  \"x\" |\n  \"y\"\nother-1 ::= \"\"", "y", 'v' },
		{ "root ::= [a\\-z\\]^]+", "a-]^z", 'v' },
		{ "root ::= [a\\-z\\]^]+", "b", 'x' },
		{ "root ::= \"\\x41\\u00e9\\U0001F600\\\"\"", "A\xc3\xa9\xf0\x9f\x98\x80\"", 'v' },
		{ "root ::= .", "\xf0\x9f\x98\x80", 'v' },
		{ "root ::= .{3}", "a\xc3\xa9", 'b' },
		{ "root ::= [ab]{2,}", "a", 'b' },
		{ "root ::= [ab]{2,}", "aabbab", 'v' },
		{ "root ::= ([ab] [cd]?){0,2} \"!\"", "acb!", 'v' },
		{ "root ::= ([ab] [cd]?){0,2} \"!\"", "aaa", 'x' },
		{ "root ::= [a]{1000000000} \"b\"", "aaaa", 'b' },
		{ "root ::= x x x\nx ::= \"a\"? \"b\"?", "abba", 'v' },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_GBNF, cases[i].grammar);
		char result = g ? maker_try(g, cases[i].text) : '?';

		CHECK(counts, result == cases[i].expected, "%s: '%s' is %c: %s", cases[i].grammar,
		      cases[i].text, result, m->err.message);
		brise_free_grammar(g);
	}
}

/* Each message names the line, and what is wrong there. */
static void test_wrong_grammars_are_refused_with_their_place(check_counts *counts, maker *m)
{
	static const char *const cases[][2] = {
		{ "root ::= foo", "line 1, column 10: no rule is called foo" },
		{ "a ::= \"x\"", "no rule is called root" },
		{ "root ::= \"x", "within quotation marks" },
		{ "root ::= \"x\"\nroot ::= \"y\"", "line 2, column 1: a rule that is defined" },
		{ "root ::= (\"x\"", "a closing parenthesis" },
		{ "root ::= [z-a]", "ends before it begins" },
		{ "root ::= \"\\q\"", "an unknown escape" },
		{ "root ::= \"x\"{3,2}", "end is before" },
		{ "root ::= a \"x\" | \"y\"\na ::= b\nb ::= root", "begins with itself" },
		{ "root ::= \"x\" root", "no text can be valid" },
		{ "root ::= <think>", "tokens are not supported" },
		{ "root ::= \"\\uD800\"", "not a character" },
		{ "root = \"x\"", "::= expected" },
		{ "root ::= \"\xff\"", "not UTF-8" },
		{ "root ::= (\"a\"?){1000}", "may be empty is repeated" },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_GBNF, cases[i][0]);

		CHECK(counts, !g && strstr(m->err.message, cases[i][1]), "%s: %s", cases[i][0],
		      g ? "taken" : m->err.message);
		brise_free_grammar(g);
	}
}

/* What ends reading is what is said, not what stands at the place. */
static void test_large_grammars_are_refused_as_such(check_counts *counts, maker *m)
{
	static const struct {
		const char *head, *each, *expected;
		unsigned n;
	} cases[] = {
		{ "root ::= ", "a%u ", "more than 10,000 rules", 20000 },
		{ "root ::= ", "\"a\"? ", "too large: more than", 150000 },
		{ "root ::= (", "\"a\"{2} ", "too large: more than", 120000 },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = maker_repeat(cases[i].head, cases[i].each, cases[i].n, "");
		brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_GBNF, text);

		CHECK(counts, !g && strstr(m->err.message, cases[i].expected), "%s%s: %s",
		      cases[i].head, cases[i].each, g ? "taken" : m->err.message);
		brise_free_grammar(g);
		free(text);
	}
}

/* Time and memory are bounded, whatever the grammar: an error, or a mask. */
static void test_hostile_grammars_end(check_counts *counts, maker *m)
{
	static const char *const cases[] = {
		/* stacks of all combinations */
		"root ::= a\na ::= \"x\" a b | \"x\" a c | \"x\"\nb ::= \"y\" | \"x\"\nc ::= \"z\" "
		"| "
		"\"x\"",
		"root ::= (((([a-z]*)*)*)*)* \"!\"",
		"root ::= ((([a]{1,1000}){1,1000}){1,1000}){1,1000}",
		"root ::= (a | b)* c\na ::= [a-z]* b\nb ::= [a-z]* c\nc ::= [a-z]*",
	};
	clock_t start = clock();
	size_t i;
	unsigned k;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_GBNF, cases[i]);
		brise_status status = BRISE_OK;
		brise_matcher *x;
		brise_allowed a;

		if (!g || brise_new_matcher(&x, g, NULL, 0, false, NULL) != BRISE_OK)
			continue;
		for (k = 0; k < 40 && status == BRISE_OK; k++) {
			brise_status moved;

			status = brise_get_allowed(x, &a, &m->err);
			(void)grammar_match_bytes(x, i == 2 ? "a" : "x", 1, &moved);
		}
		CHECK(counts, status == BRISE_OK || status == BRISE_EUNSUPPORTED, "%zu: %s", i,
		      m->err.message);
		brise_free_matcher(x);
		brise_free_grammar(g);
	}
	CHECK(counts, (clock() - start) / CLOCKS_PER_SEC < 60, "more than a minute");
}

static void test_wrong_arguments(check_counts *counts, maker *m)
{
	brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_JSON, ""), *none;
	brise_grammar_options o;
	const int32_t far = 1 << 30;
	brise_matcher *x;
	brise_allowed a;

	brise_init_grammar_options(&o, sizeof o);
	CHECK(counts, brise_new_grammar(NULL, m->tokenizer, &o, NULL) == BRISE_EINVAL, "out");
	CHECK(counts, brise_new_grammar(&none, NULL, &o, NULL) == BRISE_EINVAL, "tokenizer");
	CHECK(counts, brise_new_grammar(&none, m->tokenizer, NULL, NULL) == BRISE_EINVAL,
	      "options");
	CHECK(counts, brise_new_grammar(&none, m->tokenizer, &o, NULL) == BRISE_EINVAL, "no kind");
	o.kind = BRISE_GRAMMAR_GBNF;
	CHECK(counts, brise_new_grammar(&none, m->tokenizer, &o, NULL) == BRISE_EINVAL, "no text");
	CHECK(counts, brise_new_matcher(NULL, g, NULL, 0, false, NULL) == BRISE_EINVAL, "matcher");
	CHECK(counts, brise_new_matcher(&x, NULL, NULL, 0, false, NULL) == BRISE_EINVAL, "grammar");
	CHECK(counts, brise_new_matcher(&x, g, NULL, 1, false, NULL) == BRISE_EINVAL, "ends");
	CHECK(counts, brise_new_matcher(&x, g, &far, 1, false, NULL) == BRISE_EINVAL, "an end");
	CHECK(counts, brise_get_allowed(NULL, &a, NULL) == BRISE_EINVAL, "no matcher");
	CHECK(counts, brise_match_token(NULL, 1, NULL) == BRISE_EINVAL, "no matcher");
	if (brise_new_matcher(&x, g, NULL, 0, false, NULL) == BRISE_OK) {
		CHECK(counts, brise_get_allowed(x, NULL, NULL) == BRISE_EINVAL, "no result");
		CHECK(counts, brise_match_token(x, far, NULL) == BRISE_EINVAL, "outside");
		CHECK(counts, brise_match_token(x, -1, NULL) == BRISE_EINVAL, "negative");
		CHECK(counts, brise_match_token(x, 1, NULL) == BRISE_EINVAL, "a control token");
		brise_free_matcher(x);
	}
	brise_free_matcher(NULL);
	brise_free_grammar(NULL);
	brise_reset_matcher(NULL);
	brise_free_grammar(g);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	maker m;

	check_choose(argc, argv);
	if (!maker_begin(&m)) {
		fprintf(stderr, "%s\n", m.err.message);
		return 1;
	}
	RUN(test_masks_are_exact(&counts, &m));
	RUN(test_ends_are_allowed_where_a_text_may_end(&counts, &m));
	RUN(test_first_space_of_an_answer_is_no_part_of_it(&counts, &m));
	RUN(test_little_memory_changes_no_mask(&counts, &m));
	RUN(test_all_grammars_share_a_vocabulary(&counts, &m));
	RUN(test_gbnf(&counts, &m));
	RUN(test_wrong_grammars_are_refused_with_their_place(&counts, &m));
	RUN(test_large_grammars_are_refused_as_such(&counts, &m));
	RUN(test_hostile_grammars_end(&counts, &m));
	RUN(test_wrong_arguments(&counts, &m));
	maker_end(&m);
	return check_report("grammar", &counts);
}
