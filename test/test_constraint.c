/* test_constraint.c - where a job's grammar begins to hold, behind reasoning and the mark of calls;
 * and that of an answer on the command line, behind reasoning (generate.h)
 *
 * Tokens are drawn from logits that prefer some, in order; what is drawn is the first that may be.
 */
#include "runtime/generate.h"
#include "runtime/serve/constraint.h"
#include "test/chat_maker.h"
#include "test/check.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TOOLS         "[{\"function\":{\"name\":\"f\"}}]"

static check_counts counts;

typedef struct drawer {
	chat_maker v;
	brise_chat *chat;
	brise_grammar *json, *tools;
	brise_sampler *sampler;
	float *logits;
	int32_t *prompt;
	job_plan plan;
	constraint c;
	bool generates; /* with what follows, not the constraint */
	generation g;
	chat_thought thought;
} drawer;

static brise_grammar *compile(const drawer *d, brise_grammar_kind kind)
{
	brise_grammar_options o;
	brise_grammar *g;

	brise_init_grammar_options(&o, sizeof o);
	o.kind = kind;
	o.text = TOOLS;
	o.bytes = strlen(TOOLS);
	o.chat = d->chat;
	return brise_new_grammar(&g, d->v.t, &o, NULL) == BRISE_OK ? g : NULL;
}

static int32_t find(const drawer *d, const char *text)
{
	int32_t id = -1;

	(void)brise_find_token(d->v.t, text, strlen(text), &id, NULL);
	return id;
}

/* form: JSON; calls: 'm' the answer must begin with a call, 'f' it is free to, 0 it may not. */
static bool begin(drawer *d, const char *format, bool form, char calls, const char *prompt)
{
	brise_chat_options o = { .size = sizeof o, .format = format };
	brise_sampling sampling;
	brise_error err = { .message = "" };
	size_t n = 0;
	bool done;

	memset(d, 0, sizeof *d);
	brise_init_sampling(&sampling, sizeof sampling);
	sampling.temperature = 0;
	done = chat_maker_open_tekken(&d->v, NULL, NULL) &&
	       brise_new_chat(&d->chat, d->v.t, NULL, &o, &err) == BRISE_OK &&
	       (d->json = compile(d, BRISE_GRAMMAR_JSON)) != NULL &&
	       (d->tools = compile(d, BRISE_GRAMMAR_TOOLS)) != NULL &&
	       (d->logits = calloc(d->v.t->vocab, sizeof *d->logits)) != NULL &&
	       brise_new_sampler(&d->sampler, d->v.t->vocab, &sampling, &err) == BRISE_OK &&
	       brise_encode_text(d->v.t, prompt, strlen(prompt), true, &d->prompt, &n, &err) ==
	               BRISE_OK;
	if (done) {
		d->plan = (job_plan){
			.chat = d->chat,
			.prompt = d->prompt,
			.n = n,
			.grammar = calls  ? d->tools
			           : form ? d->json
			                  : NULL,
			.grammar_after = calls ? find(d, "[TOOL_CALLS]") : -1,
			.text_grammar = calls && form ? d->json : NULL,
			.must_call = calls == 'm',
		};
		done = constraint_open(&d->c, &d->plan, d->v.t->vocab, &d->v.t->eos, 1, &err) ==
		               BRISE_OK &&
		       brise_new_matcher(&d->g.matcher, d->json, &d->v.t->eos, 1, true, &err) ==
		               BRISE_OK &&
		       chat_thought_open(&d->thought, d->chat, d->prompt, n, d->v.t->vocab,
		                         &d->v.t->eos, 1, -1, &err) == BRISE_OK;
		d->g.sampler = d->sampler;
		d->g.thought = &d->thought;
	}
	CHECK(&counts, done, "%s: %s", format, err.message);
	return done;
}

static void end(drawer *d)
{
	constraint_close(&d->c);
	chat_thought_close(&d->thought);
	brise_free_matcher(d->g.matcher);
	brise_free_sampler(d->sampler);
	brise_free_grammar(d->json);
	brise_free_grammar(d->tools);
	brise_free_chat(d->chat);
	brise_free(d->prompt);
	chat_maker_close(&d->v);
	free(d->logits);
}

static bool draw_token(drawer *d, int32_t *id)
{
	generate_token token = { .id = -1 };

	if (d->generates) {
		if (generate_next(&d->g, d->logits, &token, NULL) != BRISE_OK)
			return false;
		*id = token.id;
		return d->g.reason == GENERATE_GOING;
	}
	return constraint_apply(&d->c, d->logits, d->sampler, NULL) == BRISE_OK &&
	       brise_sample_token(d->sampler, d->logits, id, NULL) == BRISE_OK &&
	       constraint_accept(&d->c, *id, NULL) == BRISE_OK;
}

/* Draws from logits that prefer tokens, whose texts have a blank between them; the number of the
 * one that was drawn, from 1; 0: another, or an error. */
static int draw(drawer *d, const char *preferred)
{
	char text[128], *word;
	int32_t id = -1;
	int n = 0, drawn = 0;
	uint32_t i;

	for (i = 0; i < d->v.t->vocab; i++)
		d->logits[i] = 0;
	(void)snprintf(text, sizeof text, "%s", preferred);
	for (word = strtok(text, " "); word; word = strtok(NULL, " "))
		d->logits[find(d, word)] = (float)(100 - n++);
	if (!draw_token(d, &id))
		return 0;
	(void)snprintf(text, sizeof text, "%s", preferred);
	for (n = 1, word = strtok(text, " "); word; word = strtok(NULL, " "), n++)
		if (find(d, word) == id)
			drawn = n;
	return drawn;
}

static void test_the_grammar_begins_behind_reasoning(void)
{
	static const struct {
		const char *format, *prompt;
		bool form;
		char calls;
		struct {
			const char *preferred;
			int drawn;
		} steps[6];
	} cases[] = {
		{ "v13",
		  "[INST]q[/INST]",
		  true,
		  0,
		  { { "[THINK] {", 1 },
		    { "</s> [INST] [TOOL_CALLS] [THINK] a", 5 },
		    { "[/THINK]", 1 },
		    { "a [THINK] {", 3 },
		    { "[THINK] a }", 3 } } },
		{ "v13",
		  "[INST]q[/INST]",
		  true,
		  0,
		  { { "[THINK]", 1 }, { "[/THINK]", 1 }, { "[THINK] {", 2 } } },
		/* not the likeliest, or not at the start */
		{ "v13", "[INST]q[/INST]", true, 0, { { "a [THINK] {", 3 }, { "[THINK] }", 2 } } },
		/* the prompt has left it open */
		{ "v13",
		  "[INST]q[/INST][THINK]a",
		  true,
		  0,
		  { { "</s> a", 2 }, { "[/THINK]", 1 }, { "[THINK] a {", 3 } } },
		{ "v13", "[INST]q[/INST][THINK]a[/THINK]", true, 0, { { "a {", 2 } } },
		/* calls, also within it */
		{ "v13",
		  "[INST]q[/INST]",
		  false,
		  'm',
		  { { "[THINK] [TOOL_CALLS]", 1 },
		    { "a", 1 },
		    { "[/THINK]", 1 },
		    { "a { </s> [THINK] [TOOL_CALLS]", 5 },
		    { "a f", 2 },
		    { "{ [ARGS]", 2 } } },
		{ "v13",
		  "[INST]q[/INST]",
		  false,
		  'm',
		  { { "[THINK]", 1 }, { "[TOOL_CALLS]", 1 }, { "a { f", 3 } } },
		{ "v13", "[INST]q[/INST]", false, 'm', { { "a [THINK] [TOOL_CALLS]", 3 } } },
		/* a call or a text of the form */
		{ "v13",
		  "[INST]q[/INST]",
		  true,
		  'f',
		  { { "[THINK]", 1 }, { "[/THINK]", 1 }, { "a [TOOL_CALLS]", 2 }, { "{ f", 2 } } },
		{ "v13",
		  "[INST]q[/INST]",
		  true,
		  'f',
		  { { "[THINK]", 1 }, { "[/THINK]", 1 }, { "a {", 2 }, { "[TOOL_CALLS] }", 2 } } },
		{ "v13",
		  "[INST]q[/INST]",
		  true,
		  'f',
		  { { "[THINK]", 1 }, { "[TOOL_CALLS]", 1 }, { "{ f", 2 } } },
		/* free to call: nothing holds before */
		{ "v13",
		  "[INST]q[/INST]",
		  false,
		  'f',
		  { { "a", 1 }, { "[THINK]", 1 }, { "[TOOL_CALLS]", 1 }, { "a f", 2 } } },
		/* a format without reasoning, whose vocabulary has the token */
		{ "v11", "[INST]q[/INST]", true, 0, { { "[THINK] {", 2 } } },
		{ "v11", "[INST]q[/INST][THINK]", true, 0, { { "a {", 2 } } },
	};
	size_t i, k, generates;
	drawer d;

	for (i = generates = 0; i < LENGTH(cases); i += generates, generates = !generates) {
		if (generates && cases[i].calls)
			continue;
		if (!begin(&d, cases[i].format, cases[i].form, cases[i].calls, cases[i].prompt))
			return;
		d.generates = generates;
		for (k = 0; k < LENGTH(cases[i].steps) && cases[i].steps[k].preferred; k++) {
			int drawn = draw(&d, cases[i].steps[k].preferred);

			CHECK(&counts, drawn == cases[i].steps[k].drawn,
			      "case %zu%s, step %zu: of %s the %d.", i,
			      generates ? ", generated" : "", k, cases[i].steps[k].preferred,
			      drawn);
		}
		end(&d);
	}
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_the_grammar_begins_behind_reasoning());
	return check_report("constraint", &counts);
}
