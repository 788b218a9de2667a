/* grammar_check.c - what a grammar takes and what it makes, for test/grammars/ to compare
 *
 *     grammar_check TOKENIZER.model
 *
 * Reads lines, answers each with one line:
 *     schema TEXT, gbnf TEXT, tools TEXT, json    compiles; "ok", or "unsupported MESSAGE",
 *                                                 "wrong MESSAGE"
 *     take TEXT                                   byte by byte: "valid", "begins" as a valid text,
 *                                                 or "invalid"
 *     walk SEED TOKENS                            a text drawn from the masks alone: "whole TEXT"
 * or "cut TEXT" TEXT of gbnf and walk has \n for a line feed and \\ for a backslash.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "convert/tokenizer/sentencepiece.h"
#include "runtime/grammar/grammar.h"
#include "test/random.h"

static brise_error err;
static brise_tokenizer *tokenizer;
static brise_grammar *grammar;

static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text == '\\' && text[1])
			*to++ = *++text == 'n' ? '\n' : *text;
		else
			*to++ = *text;
	*to = 0;
}

static void print_escaped(const char *text, size_t bytes)
{
	for (; bytes > 0; bytes--, text++)
		if (*text == '\n')
			fputs("\\n", stdout);
		else if (*text == '\\')
			fputs("\\\\", stdout);
		else
			putchar(*text);
	putchar('\n');
}

static void compile(brise_grammar_kind kind, const char *text)
{
	brise_grammar_options o;
	brise_status status;

	brise_free_grammar(grammar);
	brise_init_grammar_options(&o, sizeof o);
	o.kind = kind;
	o.text = text;
	o.bytes = strlen(text);
	status = brise_new_grammar(&grammar, tokenizer, &o, &err);
	if (status == BRISE_OK)
		puts("ok");
	else
		printf("%s %s\n", status == BRISE_EUNSUPPORTED ? "unsupported" : "wrong",
		       err.message);
}

static void take(const char *text)
{
	brise_status status = BRISE_OK;
	brise_matcher *m;
	bool valid = true;

	if (brise_new_matcher(&m, grammar, NULL, 0, false, &err) != BRISE_OK)
		exit(1);
	for (; *text && valid; text++)
		valid = grammar_match_bytes(m, text, 1, &status);
	if (status != BRISE_OK)
		puts("error");
	else
		puts(!valid ? "invalid" : grammar_is_whole(m) ? "valid" : "begins");
	brise_free_matcher(m);
}

/* The token of one byte, if it is allowed. */
static bool pick_byte(const brise_allowed *a, char byte, int32_t *id)
{
	const vocabulary *v = grammar->vocabulary;
	uint32_t node = vocabulary_find(v, &byte, 1);

	if (node == v->n_nodes || v->first[node] == v->first[node + 1])
		return false;
	*id = (int32_t)v->tokens[v->first[node]];
	return a->mask[*id / 32] >> *id % 32 & 1;
}

static int32_t pick_any(const brise_allowed *a, uint64_t *seed)
{
	uint32_t n = 0, i, rows = grammar->vocabulary->rows, chosen;

	for (i = 0; i < rows; i++)
		n += a->mask[i / 32] >> i % 32 & 1;
	chosen = (uint32_t)(random_next(seed) % n);
	for (i = 0; i < rows; i++)
		if (a->mask[i / 32] >> i % 32 & 1 && chosen-- == 0)
			break;
	return (int32_t)i;
}

/* Any token; often, and in the end always, one that closes what is open. */
static int32_t pick(const brise_allowed *a, uint64_t *seed, bool is_late)
{
	static const char closing[] = "\"}]", late[] = "\"}]0:,a";
	const char *c;
	int32_t id;

	if (is_late || random_next(seed) % 4 == 0)
		for (c = is_late ? late : closing; *c; c++)
			if (pick_byte(a, *c, &id))
				return id;
	return pick_any(a, seed);
}

static void walk(uint64_t seed, unsigned most)
{
	brise_matcher *m;
	brise_allowed a;
	char *text = malloc(1), spelled[1024];
	size_t n = 0, bytes;
	unsigned i;
	int32_t id;

	if (!text || brise_new_matcher(&m, grammar, NULL, 0, false, &err) != BRISE_OK)
		exit(1);
	for (i = 0; i < most; i++) {
		if (brise_get_allowed(m, &a, &err) != BRISE_OK) {
			printf("error %s\n", err.message);
			break;
		}
		if (a.must_end || (a.may_end && (i > most / 4 || random_next(&seed) % 4 == 0)))
			break;
		id = pick(&a, &seed, i > most / 4);
		if (brise_match_token(m, id, &err) != BRISE_OK) {
			printf("error %s\n", err.message);
			break;
		}
		(void)vocabulary_spell(grammar->vocabulary, (uint32_t)id, spelled, &bytes);
		text = realloc(text, n + bytes);
		if (!text)
			exit(1);
		memcpy(text + n, spelled, bytes);
		n += bytes;
	}
	fputs(grammar_is_whole(m) ? "whole " : "cut ", stdout);
	print_escaped(text, n);
	brise_free_matcher(m);
	free(text);
}

typedef struct cost {
	double sum, most;
	unsigned n;
} cost;

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* A walk as above, of which the masks of states that are new and that were met before are timed. */
static void measure(uint64_t seed, unsigned most)
{
	cost costs[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	brise_matcher *m;
	brise_allowed a;
	double start;
	unsigned i;

	if (brise_new_matcher(&m, grammar, NULL, 0, false, &err) != BRISE_OK)
		exit(1);
	for (i = 0; i < most; i++) {
		cost *c = &costs[grammar->cache->machine.states[m->state].mask != NULL];

		start = now();
		if (brise_get_allowed(m, &a, &err) != BRISE_OK)
			break;
		start = now() - start;
		c->sum += start;
		c->most = start > c->most ? start : c->most;
		c->n++;
		if (a.must_end)
			brise_reset_matcher(m);
		else if (brise_match_token(m, pick(&a, &seed, i > most / 2), &err) != BRISE_OK)
			break;
	}
	for (i = 0; i < 2; i++)
		printf("%u %s %.1f %.1f%s", costs[i].n, i ? "met" : "new",
		       costs[i].n ? costs[i].sum / costs[i].n : 0, costs[i].most, i ? "\n" : ", ");
	brise_free_matcher(m);
}

int main(int argc, char **argv)
{
	char *line = NULL, *end;
	size_t room = 0, bytes;
	uint64_t seed;
	void *section;

	if (argc != 2 || sentencepiece_read_model(argv[1], &section, &bytes, &err) != BRISE_OK ||
	    brise_open_tokenizer(&tokenizer, section, bytes, argv[1], &err) != BRISE_OK) {
		fprintf(stderr, "grammar_check: %s\n", err.message);
		return 1;
	}
	while (getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "schema ", 7)) {
			compile(BRISE_GRAMMAR_SCHEMA, line + 7);
		} else if (!strncmp(line, "gbnf ", 5)) {
			unescape(line + 5);
			compile(BRISE_GRAMMAR_GBNF, line + 5);
		} else if (!strncmp(line, "tools ", 6)) {
			compile(BRISE_GRAMMAR_TOOLS, line + 6);
		} else if (!strcmp(line, "json")) {
			compile(BRISE_GRAMMAR_JSON, "");
		} else if (grammar && !strncmp(line, "take ", 5)) {
			unescape(line + 5);
			take(line + 5);
		} else if (grammar && !strncmp(line, "walk ", 5)) {
			seed = strtoull(line + 5, &end, 10);
			walk(seed, (unsigned)strtoul(end, NULL, 10));
		} else if (grammar && !strncmp(line, "cost ", 5)) {
			seed = strtoull(line + 5, &end, 10);
			measure(seed, (unsigned)strtoul(end, NULL, 10));
		} else {
			puts("what?");
		}
		(void)fflush(stdout);
	}
	free(line);
	brise_free_grammar(grammar);
	brise_close_tokenizer(tokenizer);
	free(section);
	return 0;
}
