/* test_api_responses.c - the Responses API against its documents: requests become jobs, events
 * become objects and streams in the published order, and what is no request is refused by the path
 * of its field
 *
 * Expected names and orders are those of the Open Responses specification (2026-04-24) and OpenAI's
 * reference, not of what the code happens to write.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/serve/api_responses.h"
#include "runtime/serve/recent_items.h"
#include "test/check.h"
#include "test/fake_server.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TOOL                                                                                       \
	"{'type':'function','name':'weather','description':'Says it','strict':false,"              \
	"'parameters':{'type':'object','properties':{'city':{'type':'string'}}}}"

static check_counts counts;

/* ---- the stream as it was written ----------------------------------------------------------- */

#define MOST_EVENTS 64

typedef struct event_line {
	char name[64];
	const char *data; /* [n] */
	size_t n;
} event_line;

/* The events of the reply; 0: it is not a stream as it should be. */
static size_t read_events(event_line *events)
{
	const char *at = fake_body();
	size_t n = 0;

	while (*at && n < MOST_EVENTS) {
		event_line *e = &events[n++];
		const char *end;

		if (sscanf(at, "event: %63[^\n]\n", e->name) != 1)
			return 0;
		at += strlen("event: ") + strlen(e->name) + 1;
		if (strncmp(at, "data: ", 6) != 0 || !(end = strstr(at, "\n\n")))
			return 0;
		e->data = at + 6;
		e->n = (size_t)(end - e->data);
		at = end + 2;
	}
	return n;
}

/* Names without "response.", with spaces between; each event's type and number are checked. */
static void list_events(char *list, const event_line *events, size_t n)
{
	char head[128];
	size_t i;

	*list = 0;
	for (i = 0; i < n; i++) {
		(void)snprintf(head, sizeof head, "{'type':'%s','sequence_number':%zu,",
		               events[i].name, i);
		CHECK(&counts, !strncmp(events[i].data, head, strlen(head)), "event %zu: %.*s", i,
		      (int)events[i].n, events[i].data);
		strcat(list, i > 0 ? " " : "");
		strcat(list, events[i].name + (strncmp(events[i].name, "response.", 9) ? 0 : 9));
	}
}

static bool holds(const event_line *e, const char *part)
{
	const char *found = strstr(e->data, part);

	return found && found < e->data + e->n;
}

/* The part stands in the reply. */
static void expect(const char *part)
{
	CHECK(&counts, strstr(fake_body(), part) != NULL, "%s is not in %s", part, fake_body());
}

/* ---- requests ------------------------------------------------------------------------------- */

/* The prompt of the last job as text. */
static const char *prompt(void)
{
	static char text[8192];
	const struct job *j = &fake.jobs[fake.n_jobs - 1];

	chat_maker_spell(fake.vocabulary.t, j->plan.prompt, j->plan.n, text, sizeof text);
	return text;
}

static void expect_prompt(const char *json, const char *expected)
{
	fake_post(api_responses, json);
	CHECK(&counts, fake.n_jobs == 1, "%s: %s", json, fake_body());
	if (fake.n_jobs == 1)
		CHECK(&counts, !strcmp(prompt(), expected), "%s: %s", json, prompt());
}

static void test_input_becomes_the_prompt(void)
{
	expect_prompt("{'input':'Hello'}", "{<s>}{[INST]}_Hello{[/INST]}");
	expect_prompt("{'instructions':'Be brief.','input':'Hello'}",
	              "{<s>}{[INST]}_Be_brief.\n\nHello{[/INST]}");
	expect_prompt("{'input':[{'role':'user','content':'Hello'}]}",
	              "{<s>}{[INST]}_Hello{[/INST]}");
	expect_prompt(
	        "{'input':[{'type':'message','role':'developer','content':[{'type':'input_"
	        "text','text':'Be'},{'type':'input_text','text':'brief.'}]},{'type':"
	        "'message','role':'user','content':[{'type':'input_text','text':'Hello'}]},"
	        "{'type':'reasoning','id':'rs_1','summary':[],'content':null},"
	        "{'type':'message','id':'msg_1','status':'completed','role':'assistant',"
	        "'content':[{'type':'output_text','text':'Hi','annotations':[]}]},"
	        "{'role':'user','content':'Again'}]}",
	        "{<s>}{[INST]}_Hello{[/INST]}_Hi{</s>}{[INST]}_Be\n\nbrief.\n\nAgain{[/INST]}");
}

static void test_calls_and_results_become_the_prompt(void)
{
	expect_prompt(
	        "{'input':[{'role':'user','content':'Rain?'},{'type':'function_call','id':'fc_1',"
	        "'call_id':'abcdefghi','name':'weather','arguments':'{\\'city\\':\\'Pau\\'}',"
	        "'status':'completed'},{'type':'function_call_output','call_id':'abcdefghi',"
	        "'output':[{'type':'input_text','text':'dry'}]}],'tools':[" TOOL "]}",
	        "{<s>}{[AVAILABLE_TOOLS]}_[{\"type\":_\"function\",_\"function\":_{\"name\":_"
	        "\"weather\",_\"description\":_\"Says_it\",_\"parameters\":_{\"type\":_"
	        "\"object\",_\"properties\":_{\"city\":_{\"type\":_\"string\"}}}}}]"
	        "{[/AVAILABLE_TOOLS]}{[INST]}_Rain?{[/INST]}{[TOOL_CALLS]}_[{\"name\":_"
	        "\"weather\",_\"arguments\":_{\"city\":_\"Pau\"},_\"id\":_\"abcdefghi\"}]{</s>}"
	        "{[TOOL_RESULTS]}_{\"content\":_\"dry\",_\"call_id\":_\"abcdefghi\"}"
	        "{[/TOOL_RESULTS]}");
}

#define ASKED      "{'input':[{'role':'user','content':'a'},"
#define ANSWERED   ",{'role':'assistant','content':'b'}]}"
#define WITH(text) "{<s>}{[INST]}a{[/INST]}" text "b"

static void test_reasoning_is_taken_back_where_the_format_has_it(void)
{
	/* as its text, in one part or more */
	expect_prompt(ASKED "{'type':'reasoning','id':'rs_1','summary':[],'status':'completed',"
	                    "'encrypted_content':'brise:no','content':[{'type':'reasoning_text',"
	                    "'text':'x'},{'type':'reasoning_text','text':'y'}]}" ANSWERED,
	              WITH("{[THINK]}x\n\ny{[/THINK]}"));
	/* sealed, as clients send it that keep no text of it, with the summary that they have */
	expect_prompt(ASKED "{'type':'reasoning','id':'rs_1','summary':[{'type':'summary_text',"
	                    "'text':'s'}],'content':null,'encrypted_content':'brise:x'}" ANSWERED,
	              WITH("{[THINK]}x{[/THINK]}"));
	/* another's */
	expect_prompt(ASKED "{'type':'reasoning','summary':[{'type':'summary_text','text':'s'}],"
	                    "'encrypted_content':'gAAAA'},{'type':'item_reference','id':"
	                    "'rs_nobodys'}" ANSWERED,
	              WITH(""));
	/* items in a row are one answer */
	expect_prompt(ASKED "{'type':'reasoning','encrypted_content':'brise:x'},{'type':"
	                    "'function_call','call_id':'abcdefghi','name':'f','arguments':'{}'},"
	                    "{'type':'reasoning','encrypted_content':'brise:y'},{'type':"
	                    "'function_call','call_id':'abcdefghj','name':'g','arguments':'{}'},"
	                    "{'type':'function_call_output','call_id':'abcdefghi','output':'1'},"
	                    "{'type':'function_call_output','call_id':'abcdefghj','output':'2'}]}",
	              "{<s>}{[INST]}a{[/INST]}{[THINK]}x{[/THINK]}{[THINK]}y{[/THINK]}"
	              "{[TOOL_CALLS]}f{[ARGS]}{}{[TOOL_CALLS]}g{[ARGS]}{}{</s>}"
	              "{[TOOL_RESULTS]}1{[/TOOL_RESULTS]}{[TOOL_RESULTS]}2{[/TOOL_RESULTS]}");
}

static void test_reasoning_is_found_by_its_id(void)
{
	static recent_items recent;
	char id[64], text[512];
	const char *at;

	fake.service.recent = &recent;
	fake_post(api_responses, "{'input':'a'}");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "x");
	fake_text(0, "b");
	fake_done(0, JOB_ENDED, 3, 0);
	at = strstr(fake_body(), "'rs_");
	CHECK(&counts, at && sscanf(at + 1, "%63[^']", id) == 1, "%s", fake_body());
	(void)snprintf(text, sizeof text, ASKED "{'type':'item_reference','id':'%s'}" ANSWERED, id);
	expect_prompt(text, WITH("{[THINK]}x{[/THINK]}"));
	(void)snprintf(text, sizeof text,
	               ASKED "{'type':'reasoning','id':'%s','summary':[]}" ANSWERED, id);
	expect_prompt(text, WITH("{[THINK]}x{[/THINK]}"));
	recent_items_free(&recent);
	expect_prompt(text, WITH(""));
	fake.service.recent = NULL;
}

static void test_sealed_reasoning_is_given_where_it_is_wanted(void)
{
	fake_post(api_responses, "{'input':'Hi','include':['reasoning.encrypted_content']}");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "Hm");
	fake_text(0, "a");
	fake_done(0, JOB_ENDED, 5, 0);
	expect("'status':'completed','encrypted_content':'brise:Hm','summary':[],'content':[{"
	       "'type':'reasoning_text','text':'Hm'}]}");
	fake_post(api_responses, "{'input':'Hi'}");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "Hm");
	fake_done(0, JOB_LIMITED, 5, 0);
	CHECK(&counts, !strstr(fake_body(), "encrypted_content"), "%s", fake_body());
	expect("'status':'incomplete'");
	expect("'incomplete_details':{'reason':'max_output_tokens'},'output':[{'id':'rs_");
}

/* What codex sends: its fields, hosted tools, and items of tools that are passed over. */
static void test_codex_is_understood(void)
{
	fake_post(
	        api_responses,
	        "{'model':'small','instructions':'You are a coding agent.','input':[{'type':"
	        "'message','role':'developer','content':[{'type':'input_text','text':'<permissions>"
	        "'"
	        "}]},{'type':'message','role':'user','content':[{'type':'input_text','text':'List "
	        "files'}]},{'type':'reasoning','summary':[{'type':'summary_text','text':'hm'}],"
	        "'encrypted_content':'gAAA'},{'type':'message','role':'assistant','content':[{"
	        "'type':'output_text','text':'I list them.'}]},{'type':'function_call','name':"
	        "'weather','arguments':'{}','call_id':'call_1'},{'type':'custom_tool_call','status'"
	        ":"
	        "'completed','call_id':'call_2','name':'apply_patch','input':'***'},{'type':"
	        "'function_call_output','call_id':'call_1','output':'a b'},{'type':"
	        "'custom_tool_call_output','call_id':'call_2','output':'Done'},{'type':"
	        "'function_call_output','name':'goal','namespace':'agent','output':'Win'},{'type':'"
	        "message',"
	        "'role':'user','content':[{'type':'input_text','text':'Go on'}]}],'tools':[" TOOL
	        ",{'type':'custom','name':'apply_patch','format':{'type':'grammar','syntax':'lark',"
	        "'definition':'x'}},{'type':'web_search','external_web_access':false},{'type':"
	        "'local_shell'}],'tool_choice':'auto','parallel_tool_calls':false,'reasoning':{"
	        "'effort':'medium','summary':'auto'},'store':false,'stream':true,'include':["
	        "'reasoning.encrypted_content'],'prompt_cache_key':'019a','text':{'verbosity':"
	        "'medium'},'service_tier':'auto','client_metadata':{'x':1}}");
	CHECK(&counts, fake.n_jobs == 1 && fake.x.status == 200, "%s", fake_body());
	if (fake.n_jobs == 0)
		return;
	CHECK(&counts, strstr(prompt(), "a_b\\n\\nWin\\n\\nGo_on") != NULL, "%s", prompt());
	CHECK(&counts, strstr(prompt(), "apply_patch") == NULL, "%s", prompt());
	CHECK(&counts, strstr(prompt(), "You_are_a_coding_agent.") != NULL, "%s", prompt());
}

static void test_settings_become_the_plan(void)
{
	const job_plan *plan = &fake.jobs[0].plan;

	fake_post(api_responses,
	          "{'input':'Hello','temperature':0,'top_p':0.5,'max_output_tokens':9,'top_k':3,"
	          "'min_p':0.25,'seed':11,'stop':['END'],'presence_penalty':1,'logit_bias':{'5':2},"
	          "'include':['message.output_text.logprobs'],'top_logprobs':2,'n':3,"
	          "'response_format':7,'max_tokens':'x'}");
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
	CHECK(&counts,
	      plan->limit == 9 && plan->sampling->temperature <= 0 && plan->sampling->top_k == 3 &&
	              plan->sampling->seed == 11 && plan->sampling->n_bias >= 1,
	      "limit %llu, temperature %g, %u, seed %llu, %zu biases",
	      (unsigned long long)plan->limit, (double)plan->sampling->temperature,
	      plan->sampling->top_k, (unsigned long long)plan->sampling->seed,
	      plan->sampling->n_bias);
	CHECK(&counts, plan->has_logprobs && plan->n_top == 2, "%u of the top", plan->n_top);
	CHECK(&counts, plan->n_stops == 1 && !strcmp(plan->stops[0], "END"), "stop");
	CHECK(&counts, plan->chat == fake.chat && plan->keeps, "chat or keeps");
	fake_post(api_responses, "{'input':'Hello'}");
	CHECK(&counts, fake.n_jobs == 1 && !plan->has_logprobs, "%s", fake_body());
}

/* The model is shown the tools that may be called; the reply repeats all of them. */
static void test_allowed_tools_are_those_that_are_shown(void)
{
	static const char text[] =
	        "{'input':'Hi','tools':[" TOOL
	        ",{'type':'function','name':'other'}],'tool_choice':{"
	        "'type':'allowed_tools','mode':'%s','tools':[{'type':'function','name':'other'}]}}";
	char json[sizeof text + 16];

	(void)snprintf(json, sizeof json, text, "auto");
	fake_post(api_responses, json);
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
	if (fake.n_jobs == 0)
		return;
	CHECK(&counts, strstr(prompt(), "\"other\"") && !strstr(prompt(), "\"weather\""), "%s",
	      prompt());
	fake_begin(0, 0);
	fake_done(0, JOB_ENDED, 0, 0);
	expect("'name':'weather'");
	expect("'name':'other','description':null,'parameters':null,'strict':false}]");
	expect("'tool_choice':{'type':'allowed_tools','mode':'auto','tools':[{");
	(void)snprintf(json, sizeof json, text, "none");
	fake_post(api_responses, json);
	CHECK(&counts, fake.n_jobs == 1 && !strstr(prompt(), "\"other\""), "%s", prompt());
}

/* An answer is a text of its form or calls, where the model is free to call. */
static void test_a_form_goes_together_with_tools(void)
{
	fake_post(api_responses, "{'input':'Hi','text':{'format':{'type':'json_object'}},'tools':[{"
	                         "'type':'function','name':'f','parameters':{}}]}");
	CHECK(&counts,
	      fake.n_jobs == 1 && fake.jobs[0].plan.grammar && fake.jobs[0].plan.text_grammar &&
	              fake.jobs[0].plan.grammar_after >= 0,
	      "%s", fake_body());
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
	fake_post(api_responses, "{'input':'Hi','tools':[{'type':'function','name':'f','parameters'"
	                         ":{'unknown':{}}}]}");
	CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0, "status %d", fake.x.status);
	CHECK(&counts, strstr(fake_body(), "f: parameters: #/unknown: a keyword"), "%s",
	      fake_body());
	CHECK(&counts, strstr(fake_body(), "--loose-tools"), "%s", fake_body());
	fake.service.loose_tools = true;
	fake.service.advise = note_loose;
	fake_post(api_responses, "{'input':'Hi','tools':[{'type':'function','name':'f','parameters'"
	                         ":{'unknown':{}}}]}");
	fake_post(api_responses, "{'input':'Hi','tools':[{'type':'function','name':'f','parameters'"
	                         ":{'unknown':{}}}]}");
	body_add(&fake.x.headers, "", 1);
	CHECK(&counts,
	      fake.n_jobs == 1 && fake.jobs[0].plan.grammar &&
	              strstr(fake.x.headers.bytes,
	                     "X-Brise-Unconstrained-Tools: f: parameters: #/unknown: "),
	      "%s", fake.x.headers.bytes);
	CHECK(&counts, said == 1, "said %u times in the log", said);
	fake_post(api_responses, "{'input':'Hi','tools':[{'type':'function','name':'f','strict':"
	                         "true,'parameters':{'unknown':{}}}]}");
	CHECK(&counts, fake.x.status == 400 && !strstr(fake_body(), "--loose"), "%s", fake_body());
	fake.service.loose_tools = fake.service.has_said_loose = false;
	fake.service.advise = NULL;
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void test_what_is_no_request_is_refused_by_its_path(void)
{
	static const struct {
		const char *json, *param;
	} cases[] = {
		{ "", "" },
		{ "[]", "" },
		{ "{'input':'a'", "" },
		{ "{'input':'a'}x", "" },
		{ "{}", "input" },
		{ "{'input':null}", "input" },
		{ "{'input':7}", "input" },
		{ "{'input':[]}", "input" },
		{ "{'input':['a']}", "input[0]" },
		{ "{'input':[{'role':'user','content':7}]}", "input[0].content" },
		{ "{'input':[{'role':'user'}]}", "input[0].content" },
		{ "{'input':[{'content':'a'}]}", "input[0].role" },
		{ "{'input':[{'role':'critic','content':'a'}]}", "input[0].role" },
		{ "{'input':[{'role':'user','content':[{'type':'input_image','image_url':'x'}]}]}",
		  "input[0].content[0]" },
		{ "{'input':[{'role':'user','content':[{'type':'input_text'}]}]}",
		  "input[0].content[0].text" },
		{ "{'input':[{'role':'user','content':[{'type':'input_text','text':[]}]}]}",
		  "input[0].content[0].text" },
		{ "{'input':[{'type':'function_call','name':'f','arguments':'{}'}]}",
		  "input[0].call_id" },
		{ "{'input':[{'type':'function_call','name':'f','call_id':'a','arguments':{}}]}",
		  "input[0].arguments" },
		{ "{'input':[{'type':'function_call_output','call_id':'a'}]}", "input[0].output" },
		{ "{'input':[{'type':'function_call_output','call_id':'a','output':{}}]}",
		  "input[0].output" },
		{ "{'input':[{'type':'item_reference','id':'msg_1'}]}", "input[0]" },
		{ "{'input':'a','instructions':['a']}", "instructions" },
		{ "{'input':'a','stream':'yes'}", "stream" },
		{ "{'input':'a','store':true}", "store" },
		{ "{'input':'a','store':'no'}", "store" },
		{ "{'input':'a','background':true}", "background" },
		{ "{'input':'a','previous_response_id':'resp_1'}", "previous_response_id" },
		{ "{'input':'a','conversation':'conv_1'}", "conversation" },
		{ "{'input':'a','max_output_tokens':0}", "max_output_tokens" },
		{ "{'input':'a','max_output_tokens':1.5}", "max_output_tokens" },
		{ "{'input':'a','temperature':3}", "temperature" },
		{ "{'input':'a','top_p':'1'}", "top_p" },
		{ "{'input':'a','top_logprobs':21}", "top_logprobs" },
		{ "{'input':'a','include':'x'}", "include" },
		{ "{'input':'a','include':[7]}", "include[0]" },
		{ "{'input':'a','metadata':[]}", "metadata" },
		{ "{'input':'a','prompt_cache_key':7}", "prompt_cache_key" },
		{ "{'input':'a','tools':{}}", "tools" },
		{ "{'input':'a','tools':['f']}", "tools[0]" },
		{ "{'input':'a','tools':[{'type':'function'}]}", "tools[0].name" },
		{ "{'input':'a','tools':[{'type':'function','name':7}]}", "tools[0].name" },
		{ "{'input':'a','tools':[{'type':'function','name':'f','parameters':'{}'}]}",
		  "tools[0].parameters" },
		{ "{'input':'a','tool_choice':'all'}", "tool_choice" },
		{ "{'input':'a','tool_choice':7}", "tool_choice" },
		{ "{'input':'a','tool_choice':'required'}", "tool_choice" },
		{ "{'input':'a','tools':[" TOOL "],'tool_choice':{'type':'function'}}",
		  "tool_choice.name" },
		{ "{'input':'a','tools':[" TOOL "],'tool_choice':{'type':'function','name':'g'}}",
		  "tool_choice" },
		{ "{'input':'a','tools':[" TOOL "],'tool_choice':{'type':'file_search'}}",
		  "tool_choice" },
		{ "{'input':'a','parallel_tool_calls':0}", "parallel_tool_calls" },
		{ "{'input':'a','text':'json'}", "text" },
		{ "{'input':'a','text':{'format':'json'}}", "text.format" },
		{ "{'input':'a','text':{'format':{'type':'xml'}}}", "text.format" },
		{ "{'input':'a','text':{'format':{'type':'json_schema','name':'x'}}}",
		  "text.format.schema" },
		{ "{'input':'a','text':{'format':{'type':'json_schema','schema':'x'}}}",
		  "text.format.schema" },
	};
	char param[128];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		fake_post(api_responses, cases[i].json);
		(void)snprintf(param, sizeof param,
		               *cases[i].param ? "'param':'%s'" : "'param':null", cases[i].param);
		CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0 && fake.x.has_ended,
		      "%s: status %d", cases[i].json, fake.x.status);
		CHECK(&counts, strstr(fake_body(), param) != NULL, "%s: %s", cases[i].json,
		      fake_body());
		CHECK(&counts, !strncmp(fake_body(), "{'error':{'message':", 20), "%s",
		      fake_body());
	}
}

static void test_full_queue_is_503(void)
{
	fake.room = 0;
	fake_post(api_responses, "{'input':'a','stream':true}");
	CHECK(&counts, fake.x.status == 503 && fake.x.has_ended, "status %d", fake.x.status);
	fake.room = FAKE_JOBS;
}

/* ---- replies -------------------------------------------------------------------------------- */

static void test_object_has_what_the_specification_requires(void)
{
	static const char *const required[] = {
		"'id':'resp_",
		"'object':'response'",
		"'created_at':",
		"'completed_at':",
		"'status':'completed'",
		"'incomplete_details':null",
		"'model':'mine'",
		"'previous_response_id':null",
		"'instructions':'Be.'",
		"'error':null",
		"'tools':[{'type':'function','name':'weather','description':'Says it','parameters':"
		"{'type':'object','properties':{'city':{'type':'string'}}},'strict':false}]",
		"'tool_choice':'auto'",
		"'truncation':'disabled'",
		"'parallel_tool_calls':true",
		"'text':{'format':{'type':'text'}}",
		"'top_p':0.5",
		"'presence_penalty':0.0",
		"'frequency_penalty':0.0",
		"'top_logprobs':0",
		"'temperature':1.0",
		"'reasoning':null",
		"'usage':{'input_tokens':",
		"'input_tokens_details':{'cached_tokens':2}",
		"'output_tokens':3,'output_tokens_details':{'reasoning_tokens':0}",
		"'max_output_tokens':null",
		"'max_tool_calls':null",
		"'store':false",
		"'background':false",
		"'service_tier':'default'",
		"'metadata':{'a':'b'}",
		"'safety_identifier':null",
		"'prompt_cache_key':'k'",
		"'status':'completed','role':'assistant','content':[{'type':'output_text','text':"
		"'Hello.','annotations':[],'logprobs':[]}]}]",
	};
	size_t i;

	fake_post(api_responses, "{'model':'mine','input':'Hi','instructions':'Be.','tools':[" TOOL
	                         "],'temperature':1,'top_p':0.5,'metadata':{ 'a' : 'b' },"
	                         "'prompt_cache_key':'k'}");
	CHECK(&counts, fake.n_jobs == 1 && fake.x.status == 0, "status %d", fake.x.status);
	fake_begin(0, 2);
	fake_text(0, "Hel");
	fake_text(0, "lo.");
	fake_done(0, JOB_ENDED, 3, 2);
	CHECK(&counts, fake.x.status == 200 && !strcmp(fake.x.type, "application/json"), "%d %s",
	      fake.x.status, fake.x.type);
	for (i = 0; i < LENGTH(required); i++)
		expect(required[i]);
	CHECK(&counts, fake.x.noted_kept == 2 && fake.x.noted_answer == 3, "noted");
}

static void test_text_streams_in_the_published_order(void)
{
	event_line events[MOST_EVENTS];
	char list[4096];
	size_t n;

	fake_post(api_responses, "{'input':'Hi','stream':true}");
	CHECK(&counts, !strncmp(fake.x.type, "text/event-stream", 17), "%s", fake.x.type);
	fake_begin(0, 1);
	fake_text(0, "Hel");
	fake_text(0, "lo.");
	fake_done(0, JOB_ENDED, 3, 1);
	n = read_events(events);
	list_events(list, events, n);
	CHECK(&counts,
	      !strcmp(list, "created in_progress output_item.added content_part.added "
	                    "output_text.delta output_text.delta output_text.done "
	                    "content_part.done output_item.done completed"),
	      "%s", list);
	if (n != 10)
		return;
	CHECK(&counts,
	      holds(&events[0], "'response':{'id':'resp_") &&
	              holds(&events[0], "'status':'in_progress'") &&
	              holds(&events[0], "'output':[],'usage':null"),
	      "%.*s", (int)events[0].n, events[0].data);
	CHECK(&counts,
	      holds(&events[2], "'output_index':0,'item':{'id':'msg_") &&
	              holds(&events[2], "'status':'in_progress'") &&
	              holds(&events[2], "'content':[]"),
	      "%.*s", (int)events[2].n, events[2].data);
	CHECK(&counts,
	      holds(&events[3], "'content_index':0,'part':{'type':'output_text','text':''"), "%.*s",
	      (int)events[3].n, events[3].data);
	CHECK(&counts,
	      holds(&events[4], "'item_id':'msg_") && holds(&events[4], "'delta':'Hel'") &&
	              holds(&events[4], "'output_index':0,'content_index':0"),
	      "%.*s", (int)events[4].n, events[4].data);
	CHECK(&counts, holds(&events[6], "'text':'Hello.'"), "%.*s", (int)events[6].n,
	      events[6].data);
	CHECK(&counts, holds(&events[7], "'part':{'type':'output_text','text':'Hello.'"), "%.*s",
	      (int)events[7].n, events[7].data);
	CHECK(&counts, holds(&events[8], "'status':'completed'") && holds(&events[8], "'Hello.'"),
	      "%.*s", (int)events[8].n, events[8].data);
	CHECK(&counts, holds(&events[9], "'total_tokens':") && holds(&events[9], "'Hello.'"),
	      "%.*s", (int)events[9].n, events[9].data);
	CHECK(&counts, fake.x.has_ended, "the stream goes on");
}

static void call_weather(size_t call, const char *first, const char *second)
{
	fake_piece(0, BRISE_ANSWER_CALL, call, "weather");
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, call, first);
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, call, second);
	fake_piece(0, BRISE_ANSWER_CALL_END, call, "");
}

static void test_reasoning_is_an_item_of_its_own(void)
{
	event_line events[MOST_EVENTS];
	char list[4096];
	size_t n;

	fake_post(api_responses, "{'input':'Hi','stream':true}");
	fake_begin(0, 0);
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "Hm");
	fake_text(0, "a");
	fake_event(0, (job_event){ .kind = JOB_DONE, .n_tokens = 5, .n_thought = 3 });
	n = read_events(events);
	list_events(list, events, n);
	CHECK(&counts,
	      !strcmp(list, "created in_progress output_item.added content_part.added "
	                    "reasoning_text.delta reasoning_text.done content_part.done "
	                    "output_item.done output_item.added content_part.added "
	                    "output_text.delta output_text.done content_part.done "
	                    "output_item.done completed"),
	      "%s", list);
	if (n != 15)
		return;
	CHECK(&counts,
	      holds(&events[2], "'item':{'id':'rs_") &&
	              holds(&events[2], "'type':'reasoning','status':'in_progress','summary':[],"
	                                "'content':[]}"),
	      "%.*s", (int)events[2].n, events[2].data);
	CHECK(&counts,
	      holds(&events[4], "'item_id':'rs_") &&
	              holds(&events[4], "'output_index':0,'content_index':0,'delta':'Hm'}"),
	      "%.*s", (int)events[4].n, events[4].data);
	CHECK(&counts,
	      holds(&events[7], "'status':'completed','summary':[],'content':[{'type':"
	                        "'reasoning_text','text':'Hm'}]"),
	      "%.*s", (int)events[7].n, events[7].data);
	CHECK(&counts, holds(&events[14], "'output_tokens_details':{'reasoning_tokens':3}"), "%.*s",
	      (int)events[14].n, events[14].data);
	/* what clients send back, by its id too, is passed over where the format has none */
	fake_post(api_responses,
	          "{'input':[{'role':'user','content':'Hi'},{'type':'item_reference',"
	          "'id':'rs_1_0'},{'role':'user','content':'a'}]}");
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
}

static void test_calls_stream_in_the_published_order(void)
{
	event_line events[MOST_EVENTS];
	char list[4096], id[10];
	size_t n;

	fake_post(api_responses, "{'input':'Hi','stream':true,'tools':[" TOOL "]}");
	fake_begin(0, 0);
	fake_text(0, "I look.");
	call_weather(0, "{\"city\":", "\"Pau\"}");
	call_weather(1, "{}", "");
	fake_done(0, JOB_CALLED, 9, 0);
	n = read_events(events);
	list_events(list, events, n);
	CHECK(&counts,
	      !strcmp(list, "created in_progress output_item.added content_part.added "
	                    "output_text.delta output_text.done content_part.done "
	                    "output_item.done output_item.added function_call_arguments.delta "
	                    "function_call_arguments.delta function_call_arguments.done "
	                    "output_item.done output_item.added function_call_arguments.delta "
	                    "function_call_arguments.done output_item.done completed"),
	      "%s", list);
	if (n != 18)
		return;
	request_name_call(&fake.service, 7, 0, 0, id);
	CHECK(&counts,
	      holds(&events[8], "'type':'function_call','status':'in_progress'") &&
	              holds(&events[8], "'output_index':1") &&
	              holds(&events[8], "'name':'weather','arguments':''") && holds(&events[8], id),
	      "%.*s", (int)events[8].n, events[8].data);
	CHECK(&counts,
	      holds(&events[9], "'item_id':'fc_") && holds(&events[9], "'delta':'{\\'city\\':'"),
	      "%.*s", (int)events[9].n, events[9].data);
	CHECK(&counts, holds(&events[11], "'arguments':'{\\'city\\':\\'Pau\\'}'"), "%.*s",
	      (int)events[11].n, events[11].data);
	CHECK(&counts, holds(&events[12], "'status':'completed'"), "%.*s", (int)events[12].n,
	      events[12].data);
	CHECK(&counts, holds(&events[13], "'output_index':2"), "%.*s", (int)events[13].n,
	      events[13].data);
}

static void test_limit_is_incomplete(void)
{
	event_line events[MOST_EVENTS];
	size_t n;

	fake_post(api_responses, "{'input':'Hi','stream':true,'max_output_tokens':2}");
	fake_begin(0, 0);
	fake_text(0, "Hel");
	fake_done(0, JOB_LIMITED, 2, 0);
	n = read_events(events);
	CHECK(&counts, n > 2 && !strcmp(events[n - 1].name, "response.incomplete"), "%s",
	      fake_body());
	expect("'incomplete_details':{'reason':'max_output_tokens'}");
	expect("'status':'incomplete','role':'assistant'");
	expect("'max_output_tokens':2");
}

/* A client must not take what there is of the arguments for all of them. */
static void test_call_that_is_cut_off_is_incomplete(void)
{
	const char *starts[] = { "", "{\"city\":" };
	size_t i;

	for (i = 0; i < LENGTH(starts); i++) {
		fake_post(api_responses, "{'input':'Hi','max_output_tokens':2,'tools':[" TOOL "]}");
		fake_begin(0, 0);
		fake_piece(0, BRISE_ANSWER_CALL, 0, "weather");
		fake_piece(0, BRISE_ANSWER_ARGUMENTS, 0, starts[i]);
		fake_piece(0, BRISE_ANSWER_CALL_END, 0, "");
		fake_done(0, JOB_LIMITED, 2, 0);
		expect("'type':'function_call','status':'incomplete'");
		expect(i == 0 ? "'arguments':''" : "'arguments':'{\\'city\\':'");
	}
}

static void fail_job(void)
{
	brise_error err = { BRISE_EIO, "the disk went away" };

	fake_event(0, (job_event){ .kind = JOB_FAILED, .error = &err });
}

static void test_failure_ends_the_stream(void)
{
	event_line events[MOST_EVENTS];
	size_t n;

	fake_post(api_responses, "{'input':'Hi','stream':true}");
	fake_begin(0, 0);
	fake_text(0, "Hel");
	fail_job();
	n = read_events(events);
	CHECK(&counts, n > 2 && !strcmp(events[n - 1].name, "response.failed"), "%s", fake_body());
	expect("'error':{'code':'server_error','message':'the disk went away'}");
	expect("'status':'failed'");
	CHECK(&counts, holds(&events[n - 1], "'status':'incomplete','role':'assistant'"), "%.*s",
	      (int)events[n - 1].n, events[n - 1].data);
	CHECK(&counts, fake.x.has_ended, "the stream goes on");
	fake_post(api_responses, "{'input':'Hi'}");
	fail_job();
	CHECK(&counts, fake.x.status == 500, "status %d", fake.x.status);
	expect("'message':'the disk went away'");
}

static void test_logprobs_go_with_their_text(void)
{
	const job_token top = { 5, "Hi", 2, -1.5f };
	job_event token = {
		.kind = JOB_TOKEN, .token = { 4, "He", 2, -0.5f }, .top = &top, .n_top = 1
	};
	static const char expected[] =
	        "[{'token':'He','logprob':-0.5,'bytes':[72,101],'top_logprobs':[{'token':'Hi',"
	        "'logprob':-1.5,'bytes':[72,105]}]},{'token':'He','logprob':-0.5,'bytes':[72,101],"
	        "'top_logprobs':[{'token':'Hi','logprob':-1.5,'bytes':[72,105]}]}]";
	char part[512];

	fake_post(api_responses, "{'input':'Hi','stream':true,'include':['message.output_text."
	                         "logprobs'],'top_logprobs':1}");
	fake_begin(0, 0);
	fake_event(0, token);
	fake_event(0, token);
	fake_text(0, "HeHe");
	fake_done(0, JOB_ENDED, 2, 0);
	(void)snprintf(part, sizeof part, "'delta':'HeHe','logprobs':%s}", expected);
	expect(part);
	(void)snprintf(part, sizeof part, "'text':'HeHe','annotations':[],'logprobs':%s}",
	               expected);
	expect(part);
}

static void test_empty_answer_is_a_message(void)
{
	event_line events[MOST_EVENTS];
	char list[4096];
	size_t n;

	fake_post(api_responses, "{'input':'Hi','stream':true}");
	fake_begin(0, 0);
	fake_done(0, JOB_ENDED, 0, 0);
	n = read_events(events);
	list_events(list, events, n);
	CHECK(&counts,
	      !strcmp(list,
	              "created in_progress output_item.added content_part.added output_text.done "
	              "content_part.done output_item.done completed"),
	      "%s", list);
}

/* A client that takes answers for stored sends their ids, which are found for a while. */
static void test_items_are_found_by_reference(void)
{
	static recent_items recent;
	char text[512], id[64];
	const char *at;

	fake.service.recent = &recent;
	fake_post(api_responses, "{'input':'Hi'}");
	fake_begin(0, 0);
	fake_text(0, "Hello.");
	fake_done(0, JOB_ENDED, 3, 0);
	at = strstr(fake_body(), "'msg_");
	CHECK(&counts, at && sscanf(at + 1, "%63[^']", id) == 1, "%s", fake_body());
	(void)snprintf(text, sizeof text,
	               "{'input':[{'role':'user','content':'Hi'},{'type':'item_reference','id':"
	               "'%s'},{'role':'user','content':'Again'}]}",
	               id);
	expect_prompt(text, "{<s>}{[INST]}_Hi{[/INST]}_Hello.{</s>}{[INST]}_Again{[/INST]}");
	recent_items_free(&recent);
	fake_post(api_responses, text);
	CHECK(&counts, fake.x.status == 400, "status %d", fake.x.status);
	expect("'code':'item_not_found'");
	fake.service.recent = NULL;
}

static void test_tokens_are_counted(void)
{
	fake_post(api_responses_count, "{'model':'m','input':'Hello'}");
	/* <s>, [INST], the space, five bytes, [/INST] */
	CHECK(&counts,
	      fake.x.status == 200 &&
	              !strcmp(fake_body(), "{'object':'response.input_tokens','input_tokens':9}"),
	      "%d: %s", fake.x.status, fake_body());
	fake_post(api_responses_count, "{'input':[{'role':'assistant','content':''}]}");
	CHECK(&counts, fake.x.status == 400, "status %d", fake.x.status);
	expect("'param':'input'");
}

static void test_gone_client_stops_the_job(void)
{
	fake_post(api_responses, "{'input':'Hi','stream':true}");
	fake_begin(0, 0);
	fake_text(0, "Hel");
	CHECK(&counts, fake.x.gone != NULL, "nothing is called");
	fake_go();
	CHECK(&counts, fake.jobs[0].is_cancelled, "the job goes on");
}

/* Whatever stands in place of any byte, the reply is an error or a job. */
static void test_damaged_requests_are_refused_or_answered(void)
{
	static const char text[] =
	        "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
	        "\"a\"}]},{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"f\","
	        "\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"a\","
	        "\"output\":\"b\"}],\"tools\":[{\"type\":\"function\",\"name\":\"f\","
	        "\"parameters\":"
	        "{}}],\"tool_choice\":{\"type\":\"allowed_tools\",\"tools\":[{\"name\":\"f\"}]},"
	        "\"text\":{\"format\":{\"type\":\"text\"}},\"metadata\":{}}";
	static const char bytes[] = "{}[]\",:0-e\\ntu \x80\xff";
	char copy[sizeof text];
	uint64_t random = 17;
	size_t i, k, wrong = 0;

	for (i = 0; i < 4000; i++) {
		memcpy(copy, text, sizeof text);
		for (k = 0; k < 1 + i % 3; k++)
			copy[random_next(&random) % (sizeof text - 1)] =
			        bytes[random_next(&random) % sizeof bytes];
		fake_post_bytes(api_responses, copy, sizeof text - 1 - i % 7);
		wrong += !(fake.x.status == 400 || (fake.n_jobs == 1 && fake.x.status == 0));
	}
	CHECK(&counts, wrong == 0, "%zu wrong replies", wrong);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	if (!fake_open(VOCABULARY_V3, "v3"))
		return 1;
	RUN(test_input_becomes_the_prompt());
	RUN(test_calls_and_results_become_the_prompt());
	RUN(test_codex_is_understood());
	RUN(test_settings_become_the_plan());
	RUN(test_allowed_tools_are_those_that_are_shown());
	RUN(test_a_form_goes_together_with_tools());
	RUN(test_free_arguments_are_refused_or_said());
	RUN(test_what_is_no_request_is_refused_by_its_path());
	RUN(test_full_queue_is_503());
	RUN(test_object_has_what_the_specification_requires());
	RUN(test_text_streams_in_the_published_order());
	RUN(test_reasoning_is_an_item_of_its_own());
	RUN(test_sealed_reasoning_is_given_where_it_is_wanted());
	RUN(fake_with("v13", test_reasoning_is_found_by_its_id));
	RUN(fake_with("v13", test_reasoning_is_taken_back_where_the_format_has_it));
	RUN(test_calls_stream_in_the_published_order());
	RUN(test_limit_is_incomplete());
	RUN(test_call_that_is_cut_off_is_incomplete());
	RUN(test_failure_ends_the_stream());
	RUN(test_logprobs_go_with_their_text());
	RUN(test_empty_answer_is_a_message());
	RUN(test_items_are_found_by_reference());
	RUN(test_tokens_are_counted());
	RUN(test_gone_client_stops_the_job());
	RUN(test_damaged_requests_are_refused_or_answered());
	fake_close();
	return check_report("api_responses", &counts);
}
