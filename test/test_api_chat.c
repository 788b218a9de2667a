/* test_api_chat.c - requests for chat completions become jobs, and events of jobs replies, as
 * OpenAI's API reference has them (platform.openai.com/docs/api-reference/chat, 2026)
 *
 * Without sockets and without a model: see fake_server.h. In JSON ' stands for ".
 */
#include <math.h>

#include "runtime/grammar/grammar.h"
#include "runtime/serve/api_chat.h"
#include "runtime/serve/grammar_cache.h"
#include "test/check.h"
#include "test/fake_server.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define USER          "'messages':[{'role':'user','content':'a'}]"
#define TOOL                                                                                       \
	"{'type':'function','function':{'name':'look','parameters':{'type':'object','properties':" \
	"{'at':{'type':'string'}}}}}"
#define HEAD(object)                                                                               \
	"{'id':'chatcmpl-6553f10000000007','object':'" object                                      \
	"','created':0,'model':'m','system_fingerprint':'brise-" BRISE_VERSION "',"
#define CHUNK HEAD("chat.completion.chunk")

static check_counts counts;

/* Whether the library compiles grammars yet. */
static bool has_grammars(void)
{
	brise_grammar_options options;
	brise_grammar *grammar;

	brise_init_grammar_options(&options, sizeof options);
	options.kind = BRISE_GRAMMAR_JSON;
	if (brise_new_grammar(&grammar, fake.vocabulary.t, &options, NULL) != BRISE_OK)
		return false;
	brise_free_grammar(grammar);
	return true;
}

static void post(const char *json)
{
	fake_post(api_chat, json);
}

/* The prompt of job i, spelled. */
static const char *prompt(size_t i)
{
	static char text[4096];

	text[0] = 0;
	if (i < fake.n_jobs)
		chat_maker_spell(fake.vocabulary.t, fake.jobs[i].plan.prompt, fake.jobs[i].plan.n,
		                 text, sizeof text);
	return text;
}

#define BODY_IS(expected)                                                                          \
	CHECK(&counts, !strcmp(fake_body(), expected), "got\n%s\nexpected\n%s", fake_body(),       \
	      expected)
#define BODY_HAS(part)                                                                             \
	CHECK(&counts, strstr(fake_body(), part), "got\n%s\nexpected\n%s", fake_body(), part)

/* ---- what is asked -------------------------------------------------------------------------- */

static void test_messages_are_encoded_by_the_chat_format(void)
{
	static const struct {
		const char *messages, *prompt;
	} cases[] = {
		{ "[{'role':'user','content':'a'}]", "{<s>}{[INST]}_a{[/INST]}" },
		{ "[{'role':'user','content':[{'type':'text','text':'a'},{'type':'text','text':'b'}"
		  "]}]",
		  "{<s>}{[INST]}_a\n\nb{[/INST]}" },
		{ "[{'role':'system','content':'s'},{'role':'user','content':'a'}]",
		  "{<s>}{[INST]}_s\n\na{[/INST]}" },
		{ "[{'role':'developer','content':'s'},{'role':'system','content':'t'},"
		  "{'role':'user','content':'a'}]",
		  "{<s>}{[INST]}_s\n\nt\n\na{[/INST]}" },
		{ "[{'role':'user','content':'a','name':'x'},{'role':'assistant','content':'b',"
		  "'refusal':null,'audio':null},{'role':'user','content':'c'}]",
		  "{<s>}{[INST]}_a{[/INST]}_b{</s>}{[INST]}_c{[/INST]}" },
		{ "[{'content':'\\u0000\\ud83d\\ude00','role':'user'}]", NULL },
		/* an answer at the end is continued */
		{ "[{'role':'user','content':'a'},{'role':'assistant','content':'b'}]",
		  "{<s>}{[INST]}_a{[/INST]}_b" },
		/* text beside calls is left out, for which the format has no form */
		{ "[{'role':'user','content':'a'},{'role':'assistant','content':'text',"
		  "'tool_calls':[{'id':'abcdefgh1','type':'function','function':{'name':'f',"
		  "'arguments':'{}'}}]},{'role':'tool','tool_call_id':'abcdefgh1','content':'1'}]",
		  "{<s>}{[INST]}_a{[/INST]}{[TOOL_CALLS]}_[{\"name\":_\"f\",_\"arguments\":_{},_"
		  "\"id\":_\"abcdefgh1\"}]{</s>}{[TOOL_RESULTS]}_{\"content\":_1,_\"call_id\":_"
		  "\"abcdefgh1\"}{[/TOOL_RESULTS]}" },
	};
	char json[2048];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		(void)snprintf(json, sizeof json, "{'messages':%s}", cases[i].messages);
		post(json);
		CHECK(&counts, fake.n_jobs == 1, "case %zu: %s", i, fake_body());
		CHECK(&counts, !cases[i].prompt || !strcmp(prompt(0), cases[i].prompt),
		      "case %zu: %s", i, prompt(0));
		CHECK(&counts, fake.n_jobs == 0 || fake.jobs[0].plan.chat == fake.chat, "case %zu",
		      i);
	}
}

/* Reasoning as OpenAI's clients send it back, beside the content, and as Mistral's, among its
 * parts. */
#define THOUGHT(field) "{'role':'assistant','content':'b','" field "':'Hm'}"

static void test_reasoning_is_taken_back_where_the_format_has_it(void)
{
	static const struct {
		const char *messages, *prompt;
	} cases[] = {
		{ "[{'role':'user','content':'a'}," THOUGHT(
		          "reasoning_content") ",{'role':'user','content':'c'}]",
		  "{<s>}{[INST]}a{[/INST]}{[THINK]}Hm{[/THINK]}b{</s>}{[INST]}c{[/INST]}" },
		{ "[{'role':'user','content':'a'}," THOUGHT("reasoning") "]",
		  "{<s>}{[INST]}a{[/INST]}{[THINK]}Hm{[/THINK]}b" },
		/* both names, as some servers give both */
		{ "[{'role':'user','content':'a'},{'reasoning':'x','reasoning_content':'y',"
		  "'content':'b','role':'assistant'}]",
		  "{<s>}{[INST]}a{[/INST]}{[THINK]}y{[/THINK]}b" },
		/* what is no text, and not the assistant's */
		{ "[{'role':'user','content':'a','reasoning_content':'x'},{'role':'assistant',"
		  "'content':'b','reasoning':{'effort':'high'},'reasoning_content':null}]",
		  "{<s>}{[INST]}a{[/INST]}b" },
		/* with calls, and nothing else */
		{ "[{'role':'user','content':'a'},{'role':'assistant','content':null,"
		  "'reasoning_content':'x','tool_calls':[{'id':'abcdefgh1','type':'function',"
		  "'function':{'name':'f','arguments':'{}'}}]},{'role':'tool','tool_call_id':"
		  "'abcdefgh1','content':'1'}]",
		  "{<s>}{[INST]}a{[/INST]}{[THINK]}x{[/THINK]}{[TOOL_CALLS]}f{[ARGS]}{}{</s>}"
		  "{[TOOL_RESULTS]}1{[/TOOL_RESULTS]}" },
		{ "[{'role':'user','content':'a'},{'role':'assistant','reasoning_content':'x'},"
		  "{'role':'user','content':'c'}]",
		  "{<s>}{[INST]}a{[/INST]}{[THINK]}x{[/THINK]}{</s>}{[INST]}c{[/INST]}" },
		/* messages in a row */
		{ "[{'role':'user','content':'a'},{'role':'assistant','content':'b'},"
		  "{'role':'assistant','content':'c','reasoning_content':'x'},"
		  "{'role':'assistant','content':'d'}]",
		  "{<s>}{[INST]}a{[/INST]}b{[THINK]}x{[/THINK]}c\n\nd" },
		/* parts */
		{ "[{'role':'system','content':[{'type':'text','text':'s'},{'type':'thinking',"
		  "'thinking':[{'type':'text','text':'x'},{'type':'text','text':'y'}]},"
		  "{'type':'text','text':'t'},{'type':'text','text':'u'}]},"
		  "{'role':'user','content':'a'}]",
		  "{<s>}{[SYSTEM_PROMPT]}s{[THINK]}x\n\ny{[/THINK]}t\n\nu{[/SYSTEM_PROMPT]}"
		  "{[INST]}a{[/INST]}" },
		{ "[{'role':'user','content':'a'},{'role':'assistant','content':[{'type':"
		  "'thinking','thinking':'x','closed':false}],'reasoning_content':'y'}]",
		  "{<s>}{[INST]}a{[/INST]}{[THINK]}x" },
	};
	char json[2048];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		(void)snprintf(json, sizeof json, "{'messages':%s}", cases[i].messages);
		post(json);
		CHECK(&counts, fake.n_jobs == 1 && !strcmp(prompt(0), cases[i].prompt),
		      "case %zu: %s%s", i, prompt(0), fake_body());
	}
	post("{'messages':[{'role':'user','content':[{'type':'thinking','thinking':'x'}]}]}");
	CHECK(&counts, fake.x.status == 400, "%s", fake_body());
	BODY_HAS("message 1, from the user, has reasoning in it");
	post("{'messages':[{'role':'assistant','content':[{'type':'thinking'}]}]}");
	BODY_HAS("'messages[0].content[0].thinking'");
	post("{" USER ",'messages':[{'role':'assistant','reasoning_content':3}]}");
	BODY_HAS("Invalid type for 'messages[0].reasoning_content'");
}

static void test_reasoning_is_dropped_where_the_format_has_none(void)
{
	post("{'messages':[{'role':'user','content':'a'}," THOUGHT("reasoning_content") "]}");
	CHECK(&counts, !strcmp(prompt(0), "{<s>}{[INST]}_a{[/INST]}_b"), "%s", prompt(0));
	/* with an answer that has nothing else */
	post("{'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'',"
	     "'reasoning':'x'},{'role':'user','content':'c'}]}");
	CHECK(&counts, !strcmp(prompt(0), "{<s>}{[INST]}_a\n\nc{[/INST]}"), "%s", prompt(0));
	post("{'messages':[{'role':'assistant','reasoning':'x'}]}");
	CHECK(&counts, fake.x.status == 400, "%s", fake_body());
	/* but not one that had nothing at all */
	post("{'messages':[{'role':'user','content':'a'},{'role':'assistant','content':''}]}");
	CHECK(&counts, fake.x.status == 400, "%s", fake_body());
}

static void test_every_field_reaches_the_job(void)
{
	const job_plan *p = &fake.jobs[0].plan;
	const brise_sampling *s = &fake.jobs[0].sampling;

	post("{" USER ",'model':'m','temperature':0.25,'top_p':0.5,'min_p':0.125,'top_k':7,'seed':"
	     "11,'frequency_penalty':-1.5,'presence_penalty':1.25,'repetition_penalty':1.5,"
	     "'repeat_last_n':9,'max_completion_tokens':33,'stop':['x','yy'],'logit_bias':{'5':-100"
	     ",'6':2.5},'logprobs':true,'top_logprobs':3,'cache_prompt':false,'ignore_eos':true,"
	     "'user':'me','metadata':{'a':[1,{}]},'store':true,'service_tier':'auto',"
	     "'reasoning_effort':null,'nobody_knows':[[[]]]}");
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
	CHECK(&counts, s->temperature == 0.25f && s->top_p == 0.5f && s->min_p == 0.125f, "three");
	CHECK(&counts, s->top_k == 7 && s->seed == 11, "top_k %u", s->top_k);
	CHECK(&counts, s->frequency_penalty == -1.5f && s->presence_penalty == 1.25f, "penalties");
	CHECK(&counts, s->repetition_penalty == 1.5f && s->penalty_last == 9, "repetition");
	CHECK(&counts, p->limit == 33, "limit %llu", (unsigned long long)p->limit);
	CHECK(&counts, p->n_stops == 2 && !strcmp(p->stops[1], "yy"), "stops");
	/* and [TOOL_CALLS], which nothing asked for */
	CHECK(&counts, s->n_bias == 3 && s->bias[0].token == 5 && isinf(s->bias[0].bias), "bans");
	CHECK(&counts, s->bias[1].token == 6 && s->bias[1].bias == 2.5f, "bias");
	CHECK(&counts, p->has_logprobs && p->n_top == 3, "logprobs");
	CHECK(&counts, !p->keeps && p->ignores_ends && !p->embeds, "keeps");
	CHECK(&counts, p->grammar == NULL && p->grammar_after == -1 && !p->must_call, "grammar");
}

static void test_defaults(void)
{
	brise_sampling s;
	uint64_t seed;

	brise_init_sampling(&s, sizeof s);
	fake.context = 100;
	post("{" USER ",'temperature':null,'stop':null,'max_tokens':null,'tools':null}");
	CHECK(&counts, fake.jobs[0].sampling.temperature == s.temperature, "temperature");
	CHECK(&counts, fake.jobs[0].sampling.top_p == s.top_p, "top_p");
	CHECK(&counts, fake.jobs[0].plan.limit == 100 - fake.jobs[0].plan.n, "what has room");
	CHECK(&counts, fake.jobs[0].plan.keeps, "prompts are kept");
	seed = fake.jobs[0].sampling.seed;
	fake.context = 0;
	post("{" USER "}");
	CHECK(&counts, fake.jobs[0].plan.limit == REQUEST_LIMIT, "limit of an endless context");
	CHECK(&counts, fake.jobs[0].sampling.seed != seed, "another seed");
	post("{" USER ",'presence_penalty':1}");
	CHECK(&counts, fake.jobs[0].sampling.penalty_last > s.penalty_last, "the whole text");
	post("{" USER ",'max_tokens':5,'stop':'x'}");
	CHECK(&counts, fake.jobs[0].plan.limit == 5 && fake.jobs[0].plan.n_stops == 1, "one stop");
	post("{" USER ",'max_tokens':5,'max_tokens':6,'stop':['x','y'],'stop':'z','stop':['z']}");
	CHECK(&counts, fake.jobs[0].plan.limit == 6 && fake.jobs[0].plan.n_stops == 1,
	      "of fields that are given twice the last counts");
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void test_wrong_values_are_refused_by_the_path_of_the_field(void)
{
	static const struct {
		const char *fields, *param, *code, *message;
	} cases[] = {
		{ "'messages':3", "messages", "invalid_type",
		  "Invalid type for 'messages': expected an array, but got an integer instead." },
		{ "'messages':[]", "messages", "empty_array", NULL },
		{ "'messages':null", "messages", "missing_required_parameter",
		  "Missing required parameter: 'messages'." },
		{ "'messages':[3]", "messages[0]", "invalid_type", NULL },
		{ "'messages':[{'role':'user','content':'a'},{'role':'user','content':7}]",
		  "messages[1].content", "invalid_type",
		  "Invalid type for 'messages[1].content': expected one of a string or array of "
		  "objects, but got an integer instead." },
		{ "'messages':[{'role':'user','content':[{'type':'text','text':{}}]}]",
		  "messages[0].content[0].text", "invalid_type", NULL },
		{ "'messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':"
		  "'x'}}]}]",
		  "messages[0].content[0].type", "unsupported_value",
		  "Invalid 'messages[0].content[0]': parts of type 'image_url' are not supported: "
		  "this server takes text only." },
		{ "'messages':[{'role':'user','content':[{'text':'a'}]}]",
		  "messages[0].content[0].type", "missing_required_parameter", NULL },
		{ "'messages':[{'role':'user','content':['a']}]", "messages[0].content[0]",
		  "invalid_type", NULL },
		{ "'messages':[{'content':'a'}]", "messages[0].role", "missing_required_parameter",
		  NULL },
		{ "'messages':[{'role':'nobody','content':'a'}]", "messages[0].role",
		  "invalid_value", NULL },
		{ "'messages':[{'role':'user'}]", "messages[0].content",
		  "missing_required_parameter", NULL },
		{ "'messages':[{'role':'tool','content':'a'}]", "messages[0].tool_call_id",
		  "missing_required_parameter", NULL },
		{ "'messages':[{'role':'assistant','tool_calls':[{'id':'a','type':'custom'}]}]",
		  "messages[0].tool_calls[0].type", "invalid_value", NULL },
		{ "'messages':[{'role':'assistant','tool_calls':[{'id':'a','type':'function',"
		  "'function':{'arguments':'{}'}}]}]",
		  "messages[0].tool_calls[0].function.name", "missing_required_parameter", NULL },
		{ "'messages':[{'role':'assistant','tool_calls':[{'id':'a','function':{'name':'f',"
		  "'arguments':{}}}]}]",
		  "messages[0].tool_calls[0].function.arguments", "invalid_type", NULL },
		{ "'messages':[{'role':'tool','tool_call_id':'x','content':'1'}]", "messages",
		  "invalid_value", NULL },
		{ USER ",'temperature':'hot'", "temperature", "invalid_type",
		  "Invalid type for 'temperature': expected a finite number, but got a string "
		  "instead." },
		{ USER ",'temperature':2.5", "temperature", "decimal_above_max_value",
		  "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but "
		  "got 2.5 instead." },
		{ USER ",'temperature':-1", "temperature", "decimal_below_min_value", NULL },
		{ USER ",'temperature':1e999", "temperature", "invalid_type", NULL },
		{ USER ",'temperature':NaN", "temperature", "invalid_type", NULL },
		{ USER ",'top_p':1.5", "top_p", "decimal_above_max_value", NULL },
		{ USER ",'top_p':true", "top_p", "invalid_type", NULL },
		{ USER ",'min_p':-0.5", "min_p", "decimal_below_min_value", NULL },
		{ USER ",'top_k':-1", "top_k", "integer_below_min_value", NULL },
		{ USER ",'top_k':1.5", "top_k", "invalid_type",
		  "Invalid type for 'top_k': expected an integer, but got a decimal instead." },
		{ USER ",'presence_penalty':3", "presence_penalty", "decimal_above_max_value",
		  NULL },
		{ USER ",'frequency_penalty':-3", "frequency_penalty", "decimal_below_min_value",
		  NULL },
		{ USER ",'repetition_penalty':0", "repetition_penalty", "decimal_below_min_value",
		  NULL },
		{ USER ",'seed':'a'", "seed", "invalid_type", NULL },
		{ USER ",'seed':99999999999999999999999", "seed", "invalid_type", NULL },
		{ USER ",'n':0", "n", "integer_below_min_value", NULL },
		{ USER ",'n':1000000000", "n", "integer_above_max_value", NULL },
		{ USER ",'max_tokens':'5'", "max_tokens", "invalid_type", NULL },
		{ USER ",'max_completion_tokens':-2", "max_completion_tokens",
		  "integer_below_min_value", NULL },
		{ USER ",'stop':5", "stop", "invalid_type",
		  "Invalid type for 'stop': expected a string or an array of strings, but got an "
		  "integer instead." },
		{ USER ",'stop':['a',5]", "stop[1]", "invalid_type", NULL },
		{ USER ",'stop':['a',null]", "stop[1]", "invalid_type", NULL },
		{ USER ",'stop':'a\\u0000b'", "stop", "invalid_value", NULL },
		{ USER ",'stop':['1','1','1','1','1','1','1','1','1','1','1','1','1','1','1','1',"
		       "'1']",
		  "stop[16]", "array_above_max_length", NULL },
		{ USER ",'logit_bias':[]", "logit_bias", "invalid_type", NULL },
		{ USER ",'logit_bias':{'x':1}", "logit_bias.x", "invalid_value", NULL },
		{ USER ",'logit_bias':{'1':101}", "logit_bias.1", "decimal_above_max_value", NULL },
		{ USER ",'logit_bias':{'1':'a'}", "logit_bias.1", "invalid_type", NULL },
		{ USER ",'logit_bias':{'99999':1}", "logit_bias", "invalid_value", NULL },
		{ USER ",'logprobs':1", "logprobs", "invalid_type", NULL },
		{ USER ",'logprobs':true,'top_logprobs':21", "top_logprobs",
		  "integer_above_max_value", NULL },
		{ USER ",'top_logprobs':2", "top_logprobs", "invalid_value", NULL },
		{ USER ",'stream':'yes'", "stream", "invalid_type", NULL },
		{ USER ",'stream_options':[]", "stream_options", "invalid_type", NULL },
		{ USER ",'stream_options':{'include_usage':1}", "stream_options.include_usage",
		  "invalid_type", NULL },
		{ USER ",'model':5", "model", "invalid_type", NULL },
		{ USER ",'functions':[]", "functions", "unsupported_parameter", NULL },
		{ USER ",'modalities':['text','audio']", "modalities[1]", "unsupported_value",
		  NULL },
		{ USER ",'tools':{}", "tools", "invalid_type", NULL },
		{ USER ",'tools':[5]", "tools[0]", "invalid_type", NULL },
		{ USER ",'tools':[{'type':'custom','custom':{'name':'x'}}]", "tools[0].type",
		  "invalid_value", NULL },
		{ USER ",'tools':[{'function':{'name':'x'}}]", "tools[0].type",
		  "missing_required_parameter", NULL },
		{ USER ",'tools':[{'type':'function'}]", "tools[0].function",
		  "missing_required_parameter", NULL },
		{ USER ",'tools':[{'type':'function','function':{}}]", "tools[0].function.name",
		  "missing_required_parameter", NULL },
		{ USER ",'tools':[{'type':'function','function':{'name':'x','parameters':7}}]",
		  "tools[0].function.parameters", "invalid_type", NULL },
		{ USER ",'tool_choice':'required'", "tool_choice", "invalid_value", NULL },
		{ USER ",'tools':[" TOOL "],'tool_choice':'often'", "tool_choice", "invalid_value",
		  NULL },
		{ USER ",'tools':[" TOOL "],'tool_choice':7", "tool_choice", "invalid_type", NULL },
		{ USER ",'tools':[" TOOL "],'tool_choice':{'type':'function'}",
		  "tool_choice.function.name", "missing_required_parameter", NULL },
		{ USER ",'tools':[" TOOL "],'tool_choice':{'type':'function','function':{'name':"
		       "'other'}}",
		  "tool_choice", "invalid_value", NULL },
		{ USER ",'parallel_tool_calls':1", "parallel_tool_calls", "invalid_type", NULL },
		{ USER ",'response_format':'json'", "response_format", "invalid_type", NULL },
		{ USER ",'response_format':{}", "response_format.type",
		  "missing_required_parameter", NULL },
		{ USER ",'response_format':{'type':'xml'}", "response_format.type", "invalid_value",
		  NULL },
		{ USER ",'response_format':{'type':'json_schema'}", "response_format.json_schema",
		  "missing_required_parameter", NULL },
		{ USER ",'response_format':{'type':'json_schema','json_schema':{'schema':{}}}",
		  "response_format.json_schema.name", "missing_required_parameter", NULL },
		{ USER ",'response_format':{'type':'json_schema','json_schema':{'name':'x',"
		       "'schema':[]}}",
		  "response_format.json_schema.schema", "invalid_type", NULL },
		{ USER ",'response_format':{'type':'json_object'},'grammar':'root ::= [a]'",
		  "grammar", "invalid_value", NULL },
	};
	char json[2048], part[512];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		(void)snprintf(json, sizeof json, "{%s}", cases[i].fields);
		post(json);
		CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0, "%s: %d", json,
		      fake.x.status);
		(void)snprintf(part, sizeof part,
		               "'type':'invalid_request_error','param':'%s','code':'%s'}}",
		               cases[i].param, cases[i].code);
		CHECK(&counts, strstr(fake_body(), part), "%s: %s\nexpected %s", json, fake_body(),
		      part);
		(void)snprintf(part, sizeof part, "'message':'%s',",
		               cases[i].message ? cases[i].message : "");
		CHECK(&counts, !cases[i].message || strstr(fake_body(), part), "%s: %s", json,
		      fake_body());
	}
	post("{'messages':3}");
	BODY_IS("{'error':{'message':'Invalid type for 'messages': expected an array, but got "
	        "an integer instead.','type':'invalid_request_error','param':'messages','code':"
	        "'invalid_type'}}");
}

static void test_what_is_no_json_is_refused(void)
{
	static const char *const cases[] = {
		"",
		"{",
		"[]",
		"null",
		"{" USER,
		"{" USER "}}",
		"{" USER "} x",
		"{" USER ",}",
		"{" USER ",'a':01}",
		"{" USER ",'a':'\\x'}",
		"{" USER ",'a':'\\ud800'}",
		"{" USER ",'a':'\xff'}",
		"{" USER ",'a':'\n'}",
		"{" USER ",'a' 1}",
		"{'messages':[{'role':'user','content':'\xc3\x28'}]}"
	};
	char deep[20000];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		post(cases[i]);
		CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0, "%s: %d", cases[i],
		      fake.x.status);
		BODY_HAS("'type':'invalid_request_error'");
	}
	memset(deep, '[', sizeof deep);
	memcpy(deep, "{\"a\":", 5);
	fake_post_bytes(api_chat, deep, sizeof deep);
	CHECK(&counts, fake.x.status == 400, "%d", fake.x.status);
	BODY_HAS("nested too deeply");
}

/* Random changes of a request: every reply is a job or a refusal with a status. */
static void test_damaged_requests_are_answered(void)
{
	static const char good[] =
	        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]"
	        "},"
	        "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"x\",\"type\":\"function\","
	        "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
	        "\"tool_call_id\":\"x\",\"content\":\"1\"}],\"stop\":[\"a\"],\"n\":2,"
	        "\"logit_bias\":{\"3\":1},\"tool_choice\":{\"type\":\"function\",\"function\":{"
	        "\"name\":\"f\"}},\"response_format\":{\"type\":\"text\"}}";
	static const char bytes[] = "{}[],:\"\\0a-1.etn";
	char text[sizeof good];
	uint64_t state = 17;
	unsigned i, k, jobs = 0, refused = 0;

	for (i = 0; i < 20000; i++) {
		memcpy(text, good, sizeof good);
		for (k = 0; k < 1 + i % 3; k++)
			text[random_next(&state) % (sizeof good - 1)] =
			        bytes[random_next(&state) % (sizeof bytes - 1)];
		fake_post_bytes(api_chat, text, sizeof good - 1 - random_next(&state) % 2);
		jobs += fake.n_jobs > 0;
		refused += fake.x.status == 400;
		fake_go();
	}
	CHECK(&counts, jobs + refused == i, "%u jobs, %u refused of %u", jobs, refused, i);
	CHECK(&counts, jobs > 100 && refused > 100, "%u jobs, %u refused", jobs, refused);
}

static void test_a_full_queue_and_a_full_context(void)
{
	fake.room = 2;
	post("{" USER ",'n':3}");
	CHECK(&counts, fake.x.status == 503, "%d", fake.x.status);
	BODY_HAS("'type':'service_unavailable_error','param':null,'code':'queue_full'");
	CHECK(&counts, fake.x.headers.n > 0 && !memcmp(fake.x.headers.bytes, "Retry-After: ", 13),
	      "Retry-After");
	CHECK(&counts, fake.jobs[0].is_cancelled && fake.jobs[1].is_cancelled, "not cancelled");
	fake.room = FAKE_JOBS;
	fake.context = 3;
	post("{" USER "}");
	CHECK(&counts, fake.x.status == 400, "%d", fake.x.status);
	BODY_HAS("'param':'messages','code':'context_length_exceeded'");
	fake.context = 0;
}

static void test_a_model_without_conversations_says_so(void)
{
	fake.service.chat = NULL;
	fake.service.no_chat = "a base model";
	post("{" USER "}");
	CHECK(&counts, fake.x.status == 400, "%d", fake.x.status);
	BODY_HAS("a base model");
	fake.service.chat = fake.chat;
}

/* ---- replies -------------------------------------------------------------------------------- */

static void test_a_whole_reply(void)
{
	post("{" USER ",'model':'m'}");
	fake_begin(0, 3);
	CHECK(&counts, fake.x.status == 0, "replied too early");
	fake_text(0, "Hel");
	fake_text(0, "lo \"\n");
	fake_done(0, JOB_ENDED, 5, 3);
	CHECK(&counts, fake.x.status == 200 && !strcmp(fake.x.type, "application/json"), "%s",
	      fake.x.type);
	BODY_IS(HEAD("chat.completion") "'choices':[{'index':0,'message':{'role':'assistant',"
	                                "'content':'Hello "
	                                "\\'\\n','refusal':null},'logprobs':null,'finish_reason':'"
	                                "stop'}],"
	                                "'usage':{'prompt_tokens':5,'completion_tokens':5,'total_"
	                                "tokens':10,"
	                                "'prompt_tokens_details':{'cached_tokens':3}}}");
	CHECK(&counts, fake.x.noted_kept == 3 && fake.x.noted_answer == 5, "the log's figures");
	post("{" USER "}");
	fake_done(0, JOB_ENDED, 0, 0);
	BODY_HAS("'model':'small'");
	BODY_HAS("'content':''");
}

static void test_reasons_to_finish(void)
{
	static const struct {
		job_reason reason;
		const char *name;
	} cases[] = { { JOB_ENDED, "stop" },
		      { JOB_STOPPED, "stop" },
		      { JOB_LIMITED, "length" },
		      { JOB_FULL, "length" },
		      { JOB_CALLED, "tool_calls" } };
	char part[64];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		post("{" USER "}");
		fake_done(0, cases[i].reason, 1, 0);
		(void)snprintf(part, sizeof part, "'finish_reason':'%s'}]", cases[i].name);
		BODY_HAS(part);
	}
}

static void test_a_stream(void)
{
	post("{" USER ",'model':'m','stream':true}");
	fake_begin(0, 0);
	fake_text(0, "a");
	fake_text(0, "");
	CHECK(&counts, !fake.x.has_ended, "ended too early");
	fake_done(0, JOB_LIMITED, 1, 0);
	CHECK(&counts, !strncmp(fake.x.type, "text/event-stream", 17), "%s", fake.x.type);
	CHECK(&counts, fake.x.has_ended, "not ended");
	BODY_IS("data: " CHUNK "'choices':[{'index':0,'delta':{'role':'assistant','content':'',"
	        "'refusal':null},'logprobs':null,'finish_reason':null}]}\n\n"
	        "data: " CHUNK "'choices':[{'index':0,'delta':{'content':'a'},'logprobs':null,"
	        "'finish_reason':null}]}\n\n"
	        "data: " CHUNK "'choices':[{'index':0,'delta':{},'logprobs':null,'finish_reason':"
	        "'length'}]}\n\n"
	        "data: [DONE]\n\n");
}

static void test_a_stream_with_its_usage(void)
{
	post("{" USER ",'model':'m','stream':true,'stream_options':{'include_usage':true}}");
	fake_text(0, "a");
	fake_done(0, JOB_ENDED, 1, 2);
	BODY_HAS(
	        "'delta':{'content':'a'},'logprobs':null,'finish_reason':null}],'usage':null}\n\n");
	BODY_HAS("\n\ndata: " CHUNK "'choices':[],'usage':{'prompt_tokens':5,'completion_tokens':1,"
	         "'total_tokens':6,'prompt_tokens_details':{'cached_tokens':2}}}\n\ndata: "
	         "[DONE]\n\n");
}

static void test_reasoning_has_a_field_of_its_own(void)
{
	static const char usage[] = "'prompt_tokens_details':{'cached_tokens':0},"
	                            "'completion_tokens_details':{'reasoning_tokens':4}}";

	post("{" USER ",'model':'m'}");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "H");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "m");
	fake_text(0, "a");
	fake_event(0, (job_event){ .kind = JOB_DONE, .n_tokens = 5, .n_thought = 4 });
	BODY_HAS("'message':{'role':'assistant','content':'a','reasoning_content':'Hm',"
	         "'refusal':null}");
	BODY_HAS(usage);
	post("{" USER ",'model':'m','stream':true,'stream_options':{'include_usage':true}}");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "Hm");
	fake_text(0, "a");
	fake_event(0, (job_event){ .kind = JOB_DONE, .n_tokens = 5, .n_thought = 4 });
	BODY_HAS("'delta':{'reasoning_content':'Hm'},");
	BODY_HAS("'delta':{'content':'a'},");
	BODY_HAS(usage);
	/* endless reasoning: nothing else, and why */
	post("{" USER ",'model':'m','max_tokens':2}");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "Hm");
	fake_event(0, (job_event){ .kind = JOB_DONE,
	                           .reason = JOB_LIMITED,
	                           .n_tokens = 2,
	                           .n_thought = 2 });
	BODY_HAS("'content':'','reasoning_content':'Hm','refusal':null},'logprobs':null,"
	         "'finish_reason':'length'");
}

static void test_several_answers(void)
{
	post("{" USER ",'model':'m','n':2,'seed':5}");
	CHECK(&counts, fake.n_jobs == 2, "%zu jobs", fake.n_jobs);
	CHECK(&counts, fake.jobs[0].sampling.seed == 5 && fake.jobs[1].sampling.seed == 6, "seeds");
	fake_text(1, "second");
	fake_done(1, JOB_ENDED, 2, 4);
	fake_text(0, "first");
	CHECK(&counts, fake.x.status == 0, "replied too early");
	fake_done(0, JOB_ENDED, 3, 0);
	BODY_HAS("'choices':[{'index':0,'message':{'role':'assistant','content':'first'");
	BODY_HAS("{'index':1,'message':{'role':'assistant','content':'second'");
	BODY_HAS("'prompt_tokens':5,'completion_tokens':5,'total_tokens':10,"
	         "'prompt_tokens_details':{'cached_tokens':0}");
	post("{" USER ",'n':2,'stream':true}");
	fake_text(1, "b");
	fake_text(0, "a");
	fake_done(1, JOB_ENDED, 1, 0);
	CHECK(&counts, !fake.x.has_ended, "ended too early");
	fake_done(0, JOB_ENDED, 1, 0);
	BODY_HAS("'choices':[{'index':1,'delta':{'role':'assistant'");
	BODY_HAS("'choices':[{'index':1,'delta':{'content':'b'}");
	CHECK(&counts, fake.x.has_ended, "not ended");
}

static void test_logprobs(void)
{
	static const job_token top[] = { { 9, "a", 1, -0.25f },
		                         { 8, "\xc3", 1, -INFINITY },
		                         { 2, "", 0, -2.0f } };
	job_event token = {
		.kind = JOB_TOKEN, .token = { 9, "a", 1, -0.25f }, .top = top, .n_top = 3
	};
	static const char content[] =
	        "'logprobs':{'content':[{'token':'a','logprob':-0.25,'bytes':[97],'top_logprobs':[{"
	        "'token':'a','logprob':-0.25,'bytes':[97]},{'token':'\xef\xbf\xbd','logprob':"
	        "-9999.0,'bytes':[195]},{'token':'','logprob':-2.0,'bytes':[]}]}],'refusal':null},"
	        "'finish_reason':";

	post("{" USER ",'logprobs':true,'top_logprobs':2}");
	fake_event(0, token);
	fake_text(0, "a");
	fake_done(0, JOB_ENDED, 1, 0);
	BODY_HAS(content);
	post("{" USER ",'logprobs':true,'top_logprobs':2,'stream':true}");
	fake_event(0, token);
	fake_text(0, "a");
	BODY_HAS(content);
	post("{" USER ",'logprobs':true}");
	fake_done(0, JOB_ENDED, 0, 0);
	BODY_HAS("'logprobs':{'content':[],'refusal':null}");
}

/* ---- tools ---------------------------------------------------------------------------------- */

static void test_calls_in_a_whole_reply(void)
{
	const char *id;
	char nine[10];

	post("{" USER ",'model':'m','tools':[" TOOL "]}");
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
	CHECK(&counts, strstr(prompt(0), "{[AVAILABLE_TOOLS]}"), "%s", prompt(0));
	fake_piece(0, BRISE_ANSWER_CALL, 0, "look");
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, 0, "{\"at\":");
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, 0, " \"x\"}");
	fake_piece(0, BRISE_ANSWER_CALL_END, 0, "abcdefghi");
	fake_piece(0, BRISE_ANSWER_CALL, 1, "look");
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, 1, "{}");
	fake_piece(0, BRISE_ANSWER_CALL_END, 1, "");
	fake_done(0, JOB_CALLED, 9, 0);
	BODY_HAS("'message':{'role':'assistant','content':null,'refusal':null,'tool_calls':[{'id':"
	         "'");
	BODY_HAS("','type':'function','function':{'name':'look','arguments':'{\\'at\\': "
	         "\\'x\\'}'}},{'id':'");
	BODY_HAS("'function':{'name':'look','arguments':'{}'}}]},'logprobs':null,'finish_reason':"
	         "'tool_calls'");
	/* an id of v3's form, so that it stands in the next turn as it is */
	id = strstr(fake_body(), "'tool_calls':[{'id':'");
	memcpy(nine, id ? id + 21 : "", id ? 9 : 1);
	nine[9] = 0;
	CHECK(&counts,
	      strspn(nine, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == 9,
	      "%s", nine);
	CHECK(&counts,
	      id && strstr(id + 30, "'id':'") && strncmp(strstr(id + 30, "'id':'") + 6, nine, 9),
	      "the same id twice");
}

static void test_calls_in_a_stream(void)
{
	post("{" USER ",'model':'m','tools':[" TOOL "],'stream':true}");
	fake_piece(0, BRISE_ANSWER_CALL, 0, "look");
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, 0, "{\"a");
	fake_piece(0, BRISE_ANSWER_CALL_END, 0, "");
	fake_done(0, JOB_CALLED, 9, 0);
	BODY_HAS("'delta':{'tool_calls':[{'index':0,'id':'");
	BODY_HAS("','type':'function','function':{'name':'look','arguments':''}}]}");
	BODY_HAS("'delta':{'tool_calls':[{'index':0,'function':{'arguments':'{\\'a'}}]}");
	BODY_HAS("'delta':{},'logprobs':null,'finish_reason':'tool_calls'}]}");
}

static void test_without_tools_none_is_called(void)
{
	int32_t calls;

	(void)brise_find_token(fake.vocabulary.t, "[TOOL_CALLS]", 12, &calls, NULL);
	post("{" USER ",'tools':[" TOOL "],'tool_choice':'none'}");
	CHECK(&counts, !strstr(prompt(0), "TOOLS"), "%s", prompt(0));
	CHECK(&counts,
	      fake.jobs[0].sampling.n_bias == 1 && fake.jobs[0].sampling.bias[0].token == calls &&
	              isinf(fake.jobs[0].sampling.bias[0].bias),
	      "[TOOL_CALLS] may be drawn");
	post("{" USER ",'tools':[" TOOL "]}");
	CHECK(&counts, fake.jobs[0].sampling.n_bias == 0, "[TOOL_CALLS] may not be drawn");
}

static void test_a_choice_of_tools_is_a_grammar_behind_the_mark(void)
{
	int32_t calls;

	(void)brise_find_token(fake.vocabulary.t, "[TOOL_CALLS]", 12, &calls, NULL);
	post("{" USER ",'tools':[" TOOL "]}");
	CHECK(&counts, fake.jobs[0].plan.grammar && fake.jobs[0].plan.grammar_after == calls,
	      "auto");
	CHECK(&counts, !fake.jobs[0].plan.must_call, "auto must call");
	post("{" USER ",'tools':[" TOOL "],'tool_choice':'required'}");
	CHECK(&counts, fake.jobs[0].plan.grammar && fake.jobs[0].plan.must_call, "required");
	post("{" USER ",'tools':[" TOOL "],'tool_choice':{'type':'function','function':{'name':"
	     "'look'}}}");
	CHECK(&counts, fake.jobs[0].plan.grammar && fake.jobs[0].plan.must_call, "named");
}

/* The plan's grammar takes calls in the format's own form. */
static void test_calls_are_held_to_the_form_of_the_format(void)
{
	static const char *const texts[] = { "look\xfa{\"at\": \"x\"}", "[{\"name\"" };
	brise_status status;
	brise_matcher *m;
	size_t i;

	post("{" USER ",'tools':[" TOOL "],'tool_choice':'required'}");
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
	for (i = 0; i < LENGTH(texts) && fake.n_jobs > 0; i++) {
		if (brise_new_matcher(&m, fake.jobs[0].plan.grammar, NULL, 0, true, NULL) !=
		    BRISE_OK)
			continue;
		CHECK(&counts,
		      grammar_match_bytes(m, texts[i], strlen(texts[i]), &status) == (i == 0), "%s",
		      texts[i]);
		brise_free_matcher(m);
	}
}

static unsigned said;

static void note_loose(const service *s, const char *line)
{
	(void)s;
	said += strstr(line, "do not follow its schema: f: parameters: #/unknown:") != NULL;
}

/* Nothing that restricts is ignored: arguments that cannot be held to their schema are refused by
 * tool, keyword and place; or, where that is asked for, free, and a header of the reply says so. */
static void test_free_arguments_are_refused_or_said(void)
{
	fake_post(api_chat, "{" USER ",'tools':[{'type':'function','function':{'name':'f','"
	                    "parameters':{'unknown':{}}}}," TOOL "]}");
	CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0, "status %d", fake.x.status);
	CHECK(&counts, strstr(fake_body(), "f: parameters: #/unknown: a keyword"), "%s",
	      fake_body());
	CHECK(&counts, strstr(fake_body(), "--loose-tools"), "%s", fake_body());
	fake.service.loose_tools = true;
	fake.service.advise = note_loose;
	fake_post(api_chat, "{" USER ",'tools':[{'type':'function','function':{'name':'f','"
	                    "parameters':{'unknown':{}}}}," TOOL "]}");
	fake_post(api_chat, "{" USER ",'tools':[{'type':'function','function':{'name':'f','"
	                    "parameters':{'unknown':{}}}}," TOOL "]}");
	body_add(&fake.x.headers, "", 1);
	CHECK(&counts,
	      fake.n_jobs == 1 && fake.jobs[0].plan.grammar &&
	              strstr(fake.x.headers.bytes,
	                     "X-Brise-Unconstrained-Tools: f: parameters: #/unknown: "),
	      "%s", fake.x.headers.bytes);
	CHECK(&counts, said == 1, "said %u times in the log", said);
	fake_post(api_chat, "{" USER ",'tools':[{'type':'function','function':{'name':'f','strict':"
	                    "true,'parameters':{'unknown':{}}}}]}");
	CHECK(&counts, fake.x.status == 400 && !strstr(fake_body(), "--loose"), "%s", fake_body());
	fake.service.loose_tools = fake.service.has_said_loose = false;
	fake.service.advise = NULL;
}

static void test_forms_are_grammars_from_the_start(void)
{
	static const char *const cases[] = {
		"'response_format':{'type':'json_object'}",
		"'response_format':{'type':'json_schema','json_schema':{'name':'x','strict':true,"
		"'schema':{'type':'object','properties':{'a':{'type':'integer'}},'required':['a'],"
		"'additionalProperties':false}}}",
		"'response_format':{'schema':{'type':'string'},'type':'json_object'}",
		"'grammar':'root ::= \\'a\\'+'",
		"'response_format':{'type':'json_object'},'tools':[" TOOL "],'tool_choice':'none'",
	};
	char json[1024];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		(void)snprintf(json, sizeof json, "{" USER ",%s}", cases[i]);
		post(json);
		CHECK(&counts, fake.n_jobs == 1, "%s: %s", cases[i], fake_body());
		CHECK(&counts,
		      fake.n_jobs == 0 ||
		              (fake.jobs[0].plan.grammar && fake.jobs[0].plan.grammar_after == -1),
		      "%s", cases[i]);
	}
	post("{" USER ",'response_format':{'type':'text'}}");
	CHECK(&counts, fake.n_jobs == 1 && !fake.jobs[0].plan.grammar, "text");
	/* Calls or a text of the form, where the model is free to call; calls where it must. */
	post("{" USER ",'response_format':{'type':'json_object'},'tools':[" TOOL "]}");
	CHECK(&counts,
	      fake.n_jobs == 1 && fake.jobs[0].plan.grammar && fake.jobs[0].plan.text_grammar &&
	              fake.jobs[0].plan.grammar_after >= 0 && !fake.jobs[0].plan.must_call,
	      "%s", fake_body());
	post("{" USER ",'response_format':{'type':'json_object'},'tools':[" TOOL
	     "],'tool_choice':'required'}");
	CHECK(&counts,
	      fake.n_jobs == 1 && fake.jobs[0].plan.grammar && !fake.jobs[0].plan.text_grammar &&
	              fake.jobs[0].plan.must_call,
	      "%s", fake_body());
	post("{" USER ",'response_format':{'type':'json_schema','json_schema':{'name':'x','schema':"
	     "{'nonsense':1}}}}");
	CHECK(&counts, fake.x.status == 400, "%d", fake.x.status);
	BODY_HAS("nonsense");
	BODY_HAS("'param':'response_format'");
}

/* What another asked for would show in the time that compiling takes. */
static void test_keys_have_grammars_of_their_own(void)
{
	const brise_grammar *grammar[3];
	size_t i;

	fake.service.grammars = grammar_cache_new();
	for (i = 0; i < LENGTH(grammar); i++) {
		fake.key = i == 2 ? 2 : 1;
		post("{" USER ",'response_format':{'type':'json_object'}}");
		grammar[i] = fake.jobs[0].plan.grammar;
	}
	CHECK(&counts, grammar[0] && grammar[0] == grammar[1], "the same key compiles again");
	CHECK(&counts, grammar[2] && grammar[0] != grammar[2], "another key has the same");
	fake.key = 0;
	fake_forget();
	grammar_cache_free(fake.service.grammars);
	fake.service.grammars = NULL;
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void test_a_client_that_goes_stops_its_jobs(void)
{
	post("{" USER ",'n':3,'stream':true}");
	fake_text(0, "a");
	fake_done(1, JOB_ENDED, 1, 0);
	CHECK(&counts, fake.x.gone != NULL, "nobody waits for it to go");
	fake_go();
	CHECK(&counts, fake.jobs[0].is_cancelled && fake.jobs[2].is_cancelled, "they run on");
	CHECK(&counts, !fake.jobs[1].is_cancelled, "a job that has ended is cancelled");
}

static void test_a_job_that_fails(void)
{
	brise_error err = { BRISE_EIO, "the file is gone" };

	post("{" USER ",'n':2}");
	fake_event(0, (job_event){ .kind = JOB_FAILED, .error = &err });
	CHECK(&counts, fake.x.status == 500 && fake.jobs[1].is_cancelled, "%d", fake.x.status);
	BODY_IS("{'error':{'message':'the file is gone','type':'server_error','param':null,'code':"
	        "null}}");
	post("{" USER ",'stream':true}");
	fake_text(0, "a");
	fake_event(0, (job_event){ .kind = JOB_FAILED, .error = &err });
	BODY_HAS("\n\ndata: {'error':{'message':'the file is gone'");
	CHECK(&counts, fake.x.has_ended && !strstr(fake_body(), "[DONE]"), "%s", fake_body());
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	if (!fake_open(VOCABULARY_V3, "v3"))
		return 1;
	RUN(test_messages_are_encoded_by_the_chat_format());
	RUN(test_reasoning_is_dropped_where_the_format_has_none());
	RUN(fake_with("v13", test_reasoning_is_taken_back_where_the_format_has_it));
	RUN(test_every_field_reaches_the_job());
	RUN(test_defaults());
	RUN(test_wrong_values_are_refused_by_the_path_of_the_field());
	RUN(test_what_is_no_json_is_refused());
	RUN(test_damaged_requests_are_answered());
	RUN(test_a_full_queue_and_a_full_context());
	RUN(test_a_model_without_conversations_says_so());
	RUN(test_a_whole_reply());
	RUN(test_reasons_to_finish());
	RUN(test_a_stream());
	RUN(test_a_stream_with_its_usage());
	RUN(test_reasoning_has_a_field_of_its_own());
	RUN(test_several_answers());
	RUN(test_logprobs());
	RUN(test_calls_in_a_whole_reply());
	RUN(test_calls_in_a_stream());
	RUN(test_without_tools_none_is_called());
	if (has_grammars()) {
		RUN(test_a_choice_of_tools_is_a_grammar_behind_the_mark());
		RUN(fake_with("v13", test_calls_are_held_to_the_form_of_the_format));
		RUN(test_free_arguments_are_refused_or_said());
		RUN(test_forms_are_grammars_from_the_start());
		RUN(test_keys_have_grammars_of_their_own());
	} else {
		check_skip(&counts, "grammars", "they are not compiled yet");
	}
	RUN(test_a_client_that_goes_stops_its_jobs());
	RUN(test_a_job_that_fails());
	fake_close();
	return check_report("api_chat", &counts);
}
