/* test_api_texts.c - completions, embeddings and tokens: requests become jobs, and events replies,
 * as OpenAI's API reference has them (platform.openai.com/docs/api-reference, 2026)
 *
 * Without sockets and without a model: see fake_server.h. In JSON ' stands for ".
 */
#include <math.h>

#include "convert/tokenizer/tokenizer_json.h"
#include "runtime/serve/api_completions.h"
#include "runtime/serve/api_embeddings.h"
#include "runtime/serve/api_tokenize.h"
#include "test/check.h"
#include "test/fake_server.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define HEAD                                                                                       \
	"{'id':'cmpl-6553f10000000007','object':'text_completion','created':0,'model':'m',"        \
	"'system_fingerprint':'brise-" BRISE_VERSION "',"

static check_counts counts;

#define BODY_IS(expected)                                                                          \
	CHECK(&counts, !strcmp(fake_body(), expected), "got\n%s\nexpected\n%s", fake_body(),       \
	      expected)
#define BODY_HAS(part)                                                                             \
	CHECK(&counts, strstr(fake_body(), part), "got\n%s\nexpected\n%s", fake_body(), part)

static const char *prompt(size_t i)
{
	static char text[4096];

	text[0] = 0;
	if (i < fake.n_jobs)
		chat_maker_spell(fake.vocabulary.t, fake.jobs[i].plan.prompt, fake.jobs[i].plan.n,
		                 text, sizeof text);
	return text;
}

/* ---- completions ---------------------------------------------------------------------------- */

static void test_prompts_of_every_form(void)
{
	static const struct {
		const char *prompt;
		size_t jobs;
		const char *first, *last;
	} cases[] = {
		{ "'ab'", 1, "_ab", "_ab" },
		{ "['ab','c','</s>']", 3, "_ab", "_</s>" },
		{ "[1,2]", 1, "{<s>}{</s>}", "{<s>}{</s>}" },
		{ "[[1,2],[2]]", 2, "{<s>}{</s>}", "{</s>}" },
		{ "['a',[2]]", 2, "_a", "{</s>}" },
	};
	char json[512];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		(void)snprintf(json, sizeof json, "{'prompt':%s}", cases[i].prompt);
		fake_post(api_completions, json);
		CHECK(&counts, fake.n_jobs == cases[i].jobs, "%s: %zu jobs, %s", json, fake.n_jobs,
		      fake_body());
		CHECK(&counts, !strcmp(prompt(0), cases[i].first), "%s: %s", json, prompt(0));
		CHECK(&counts, !strcmp(prompt(cases[i].jobs - 1), cases[i].last), "%s: %s", json,
		      prompt(cases[i].jobs - 1));
		CHECK(&counts, fake.jobs[0].plan.chat == NULL, "%s: a chat", json);
		CHECK(&counts, fake.jobs[0].plan.limit == 16, "%s: OpenAI's limit", json);
	}
}

static void test_wrong_fields_of_completions(void)
{
	static const struct {
		const char *json, *param, *code;
	} cases[] = {
		{ "{'prompt':{}}", "prompt", "invalid_type" },
		{ "{'prompt':[]}", "prompt", "empty_array" },
		{ "{'prompt':[[]]}", "prompt[0]", "empty_array" },
		{ "{'prompt':['a',true]}", "prompt[1]", "invalid_type" },
		{ "{'prompt':[1,'a']}", "prompt[1]", "invalid_type" },
		{ "{'prompt':[1.5]}", "prompt[0]", "invalid_type" },
		{ "{'prompt':[1,99999]}", "prompt", "invalid_value" },
		{ "{'prompt':[-1]}", "prompt[0]", "integer_below_min_value" },
		{ "{'prompt':'a','suffix':'b'}", "suffix", "unsupported_parameter" },
		{ "{'prompt':'a','suffix':5}", "suffix", "invalid_type" },
		{ "{'prompt':'a','echo':1}", "echo", "invalid_type" },
		{ "{'prompt':'a','best_of':3}", "best_of", "unsupported_parameter" },
		{ "{'prompt':'a','logprobs':true}", "logprobs", "invalid_type" },
		{ "{'prompt':'a','logprobs':1,'echo':true}", "logprobs", "unsupported_parameter" },
		{ "{'prompt':'a','temperature':'x'}", "temperature", "invalid_type" },
	};
	char part[256];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		fake_post(api_completions, cases[i].json);
		(void)snprintf(part, sizeof part, "'param':'%s','code':'%s'}}", cases[i].param,
		               cases[i].code);
		CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0, "%s", cases[i].json);
		CHECK(&counts, strstr(fake_body(), part), "%s: %s", cases[i].json, fake_body());
	}
	fake_post(api_completions, "{'prompt':'a','suffix':'','best_of':1,'suffix':null}");
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
}

/* A reply must not be 64 times as long as its request. */
static void test_an_echo_is_bounded(void)
{
	enum { LONG = 500000 };
	char *json = malloc(LONG + 100);
	int n;

	if (!json)
		return;
	n = sprintf(json, "{'echo':true,'max_tokens':0,'n':64,'prompt':'");
	memset(json + n, 'a', LONG);
	strcpy(json + n + LONG, "'}");
	fake_post(api_completions, json);
	CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0, "status %d", fake.x.status);
	CHECK(&counts, strstr(fake_body(), "'param':'echo'"), "%s", fake_body());
	fake_forget();
	free(json);
}

static void test_biases_are_no_more_than_tokens(void)
{
	enum { MANY = 20000 };
	char *json = malloc(8 * MANY + 100);
	int n, i;

	if (!json)
		return;
	n = sprintf(json, "{'prompt':'a','logit_bias':{'1':1");
	for (i = 1; i < MANY; i++)
		n += sprintf(json + n, ",'1':1");
	strcpy(json + n, "}}");
	fake_post(api_completions, json);
	CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0, "status %d", fake.x.status);
	CHECK(&counts, strstr(fake_body(), "'param':'logit_bias'"), "%s", fake_body());
	fake_forget();
	free(json);
}

static void test_a_completion(void)
{
	fake_post(api_completions, "{'prompt':'a','model':'m','max_tokens':3}");
	fake_begin(0, 0);
	fake_text(0, " b");
	fake_text(0, "c");
	fake_done(0, JOB_LIMITED, 3, 1);
	BODY_IS(HEAD
	        "'choices':[{'text':' bc','index':0,'logprobs':null,'finish_reason':'length'}],"
	        "'usage':{'prompt_tokens':2,'completion_tokens':3,'total_tokens':5,"
	        "'prompt_tokens_details':{'cached_tokens':1}}}");
}

static void test_completions_of_several_prompts(void)
{
	fake_post(api_completions, "{'prompt':['a','b'],'n':2,'model':'m','echo':true}");
	CHECK(&counts, fake.n_jobs == 4, "%zu", fake.n_jobs);
	fake_text(3, "4");
	fake_text(0, "1");
	fake_done(3, JOB_ENDED, 1, 0);
	fake_done(0, JOB_ENDED, 1, 0);
	fake_done(1, JOB_STOPPED, 1, 0);
	CHECK(&counts, fake.x.status == 0, "replied too early");
	fake_done(2, JOB_ENDED, 1, 0);
	BODY_HAS("'choices':[{'text':'a1','index':0,'logprobs':null,'finish_reason':'stop'},{"
	         "'text':'a','index':1,");
	BODY_HAS("{'text':'b4','index':3,");
	BODY_HAS("'prompt_tokens':4,'completion_tokens':4,'total_tokens':8");
	fake_post(api_completions, "{'prompt':[[4,5,2]],'echo':true}");
	fake_done(0, JOB_ENDED, 0, 0);
	CHECK(&counts, fake.x.status == 200, "%s", fake_body());
}

static void test_a_stream_of_completions(void)
{
	fake_post(api_completions, "{'prompt':'a','model':'m','stream':true,'stream_options':{"
	                           "'include_usage':true},'echo':true}");
	fake_begin(0, 0);
	fake_text(0, "b");
	fake_done(0, JOB_ENDED, 1, 0);
	BODY_IS("data: " HEAD "'choices':[{'text':'a','index':0,'logprobs':null,'finish_reason':"
	        "null}],'usage':null}\n\n"
	        "data: " HEAD "'choices':[{'text':'b','index':0,'logprobs':null,'finish_reason':"
	        "null}],'usage':null}\n\n"
	        "data: " HEAD "'choices':[{'text':'','index':0,'logprobs':null,'finish_reason':"
	        "'stop'}],'usage':null}\n\n"
	        "data: " HEAD "'choices':[],'usage':{'prompt_tokens':2,'completion_tokens':1,"
	        "'total_tokens':3,'prompt_tokens_details':{'cached_tokens':0}}}\n\n"
	        "data: [DONE]\n\n");
}

static void test_logprobs_of_completions(void)
{
	static const job_token top[] = { { 9, "\xc3\xa4", 2, -0.5f }, { 8, "\"", 1, -INFINITY } };

	fake_post(api_completions, "{'prompt':'a','logprobs':2}");
	fake_event(0, (job_event){ .kind = JOB_TOKEN, .token = top[0], .top = top, .n_top = 2 });
	fake_text(0, "\xc3\xa4");
	fake_event(0, (job_event){ .kind = JOB_TOKEN, .token = { 7, "b", 1, -1 } });
	fake_text(0, "b");
	fake_done(0, JOB_ENDED, 2, 0);
	BODY_HAS("'logprobs':{'tokens':['\xc3\xa4','b'],'token_logprobs':[-0.5,-1.0],"
	         "'top_logprobs':[{'\xc3\xa4':-0.5,'\\'':-9999.0},{}],'text_offset':[0,1]}");
}

static void test_completions_whose_client_goes(void)
{
	brise_error err = { BRISE_EIO, "the file is gone" };

	fake_post(api_completions, "{'prompt':['a','b']}");
	fake_done(0, JOB_ENDED, 1, 0);
	fake_go();
	CHECK(&counts, fake.jobs[1].is_cancelled && !fake.jobs[0].is_cancelled, "runs on");
	fake_post(api_completions, "{'prompt':['a','b']}");
	fake_event(0, (job_event){ .kind = JOB_FAILED, .error = &err });
	CHECK(&counts, fake.x.status == 500 && fake.jobs[1].is_cancelled, "%d", fake.x.status);
	fake.room = 1;
	fake_post(api_completions, "{'prompt':['a','b'],'n':2}");
	CHECK(&counts, fake.x.status == 503 && fake.jobs[0].is_cancelled, "%d", fake.x.status);
	fake.room = FAKE_JOBS;
}

/* ---- embeddings ----------------------------------------------------------------------------- */

static void test_embeddings(void)
{
	static const float first[] = { 1, -0.5f, 0.1f }, second[] = { 0, 2, 3 };

	fake_post(api_embeddings, "{'input':['a','bc'],'model':'m'}");
	CHECK(&counts, fake.n_jobs == 2 && fake.jobs[0].plan.embeds, "%s", fake_body());
	fake_event(1, (job_event){ .kind = JOB_EMBEDDING, .embedding = second, .dim = 3 });
	fake_done(1, JOB_LIMITED, 0, 0);
	fake_event(0, (job_event){ .kind = JOB_EMBEDDING, .embedding = first, .dim = 3 });
	fake_done(0, JOB_LIMITED, 0, 0);
	BODY_IS("{'object':'list','data':[{'object':'embedding','index':0,'embedding':[1.0,-0.5,"
	        "0.1]},{'object':'embedding','index':1,'embedding':[0.0,2.0,3.0]}],'model':'m',"
	        "'usage':{'prompt_tokens':5,'total_tokens':5}}");
	/* python3 -c "import base64, struct; print(base64.b64encode(struct.pack('<3f', 1, -.5,
	 * .1)))"
	 */
	fake_post(api_embeddings, "{'input':'a','encoding_format':'base64'}");
	fake_event(0, (job_event){ .kind = JOB_EMBEDDING, .embedding = first, .dim = 3 });
	fake_done(0, JOB_LIMITED, 0, 0);
	BODY_HAS("'embedding':'AACAPwAAAL/NzMw9'");
	fake_post(api_embeddings, "{'input':'a','encoding_format':'base64'}");
	fake_event(0, (job_event){ .kind = JOB_EMBEDDING, .embedding = first, .dim = 2 });
	fake_done(0, JOB_LIMITED, 0, 0);
	BODY_HAS("'embedding':'AACAPwAAAL8='");
	fake_post(api_embeddings, "{'input':'a','encoding_format':'base64'}");
	fake_event(0, (job_event){ .kind = JOB_EMBEDDING, .embedding = first, .dim = 1 });
	fake_done(0, JOB_LIMITED, 0, 0);
	BODY_HAS("'embedding':'AACAPw=='");
}

static void test_wrong_fields_of_embeddings(void)
{
	static const struct {
		const char *json, *param;
	} cases[] = {
		{ "{}", "input" },
		{ "{'input':5}", "input" },
		{ "{'input':[{}]}", "input[0]" },
		{ "{'input':'a','encoding_format':'hex'}", "encoding_format" },
		{ "{'input':'a','dimensions':'x'}", "dimensions" },
	};
	char part[128];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		fake_post(api_embeddings, cases[i].json);
		(void)snprintf(part, sizeof part, "'param':'%s'", cases[i].param);
		CHECK(&counts, fake.x.status == 400 && strstr(fake_body(), part), "%s: %s",
		      cases[i].json, fake_body());
	}
	fake_post(api_embeddings, "{'input':['a','b']}");
	fake_go();
	CHECK(&counts, fake.jobs[0].is_cancelled && fake.jobs[1].is_cancelled, "run on");
}

/* More inputs than the queue has room for. */
static void test_many_inputs_are_submitted_little_by_little(void)
{
	static const float values[] = { 1 };
	char json[2048] = "{'input':['a'";
	size_t i;

	for (i = 1; i < 70; i++)
		strcat(json, ",'b'");
	strcat(json, "]}");
	fake.room = 8;
	fake_post(api_embeddings, json);
	CHECK(&counts, fake.n_jobs > 0 && fake.n_jobs < 8, "%zu at once", fake.n_jobs);
	fake.room = FAKE_JOBS;
	for (i = 0; i < 70; i++) {
		fake_event(i, (job_event){ .kind = JOB_EMBEDDING, .embedding = values, .dim = 1 });
		CHECK(&counts, fake.x.status == 0, "replied too early, after %zu", i);
		if (i == 5)
			fake.room = fake.n_jobs; /* full: the next end tries again */
		if (i == 6)
			fake.room = FAKE_JOBS;
		fake_done(i, JOB_LIMITED, 0, 0);
	}
	CHECK(&counts, fake.x.status == 200 && fake.n_jobs == 70, "%zu jobs", fake.n_jobs);
	BODY_HAS("'index':69,'embedding':[1.0]}");
	memcpy(json + 2, "prompt", 6);
	memmove(json + 8, json + 7, strlen(json + 7) + 1);
	json[8] = '\'';
	fake_post(api_completions, json);
	CHECK(&counts, fake.n_jobs > 0 && fake.n_jobs < 8, "%zu at once: %s", fake.n_jobs,
	      fake_body());
	for (i = 0; i < 70; i++)
		fake_done(i, JOB_ENDED, 1, 0);
	CHECK(&counts, fake.x.status == 200 && fake.n_jobs == 70, "%zu jobs", fake.n_jobs);
	BODY_HAS("'prompt_tokens':140,'completion_tokens':70,");
}

/* ---- tokens --------------------------------------------------------------------------------- */

static void test_tokens(void)
{
	char json[512];
	const char *list;

	fake_post(api_tokenize, "{'content':'<|'}");
	CHECK(&counts, fake.x.status == 200, "%s", fake_body());
	BODY_HAS("'count':2}");
	list = strchr(fake_body(), '[');
	(void)snprintf(json, sizeof json, "{'tokens':%.*s}", list ? (int)strcspn(list, "]") + 1 : 2,
	               list ? list : "[]");
	fake_post(api_detokenize, json);
	BODY_IS("{'content':'<|'}");
	fake_post(api_tokenize, "{'prompt':'a','with_pieces':true}");
	BODY_HAS("'piece':'\xe2\x96\x81'}");
	fake_post(api_tokenize, "{'messages':[{'role':'user','content':'a'}],'with_pieces':true}");
	BODY_HAS("{'tokens':[{'id':1,'piece':'<s>'},{'id':3,'piece':'[INST]'}");
	fake_post(api_tokenize, "{'content':'</s>','parse_special':true}");
	BODY_HAS("[2]");
	fake_post(api_tokenize, "{'content':[]}");
	CHECK(&counts, fake.x.status == 400, "%s", fake_body());
	fake_post(api_tokenize, "{}");
	BODY_HAS("'param':'content'");
	fake_post(api_detokenize, "{'tokens':[999999]}");
	BODY_HAS("'param':'tokens'");
	fake_post(api_detokenize, "{'tokens':['a']}");
	BODY_HAS("'param':'tokens'");
	fake_post(api_detokenize, "{'tokens':'a'}");
	BODY_HAS("'param':'tokens'");
}

/* Catches: parts of characters written as JSON's text. */
static void test_pieces_that_are_no_text(void)
{
	const brise_tokenizer *before = fake.service.tokenizer;
	brise_tokenizer *t = NULL;
	void *section;
	size_t bytes;
	brise_error err;

	CHECK(&counts,
	      tokenizer_json_read_model("test/models/tekken/tekken.json", TOKENIZER_JSON_ALL, NULL,
	                                &section, &bytes, &err) == BRISE_OK &&
	              brise_open_tokenizer(&t, section, bytes, "tekken", &err) == BRISE_OK,
	      "%s", err.message);
	fake.service.tokenizer = t;
	fake_post(api_tokenize, "{'content':'a\xc2\xa7','with_pieces':true}");
	BODY_HAS("{'id':197,'piece':'a'},{'id':294,'piece':[194]},{'id':267,'piece':[167]}]");
	fake.service.tokenizer = before;
	brise_close_tokenizer(t);
	memory_free(section);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	if (!fake_open(VOCABULARY_V3, "v3"))
		return 1;
	RUN(test_prompts_of_every_form());
	RUN(test_wrong_fields_of_completions());
	RUN(test_an_echo_is_bounded());
	RUN(test_biases_are_no_more_than_tokens());
	RUN(test_a_completion());
	RUN(test_completions_of_several_prompts());
	RUN(test_a_stream_of_completions());
	RUN(test_logprobs_of_completions());
	RUN(test_completions_whose_client_goes());
	RUN(test_embeddings());
	RUN(test_wrong_fields_of_embeddings());
	RUN(test_many_inputs_are_submitted_little_by_little());
	RUN(test_tokens());
	RUN(test_pieces_that_are_no_text());
	fake_close();
	return check_report("api_texts", &counts);
}
