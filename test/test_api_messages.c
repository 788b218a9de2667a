/* test_api_messages.c - the Messages API against its documents: requests become jobs, events become
 * messages and streams in the published order, and what is no request is refused by the path of its
 * field
 *
 * Expected names and orders are those of Anthropic's reference (Messages, streaming) and of the
 * types in its SDK, not of what the code happens to write.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/serve/api_messages.h"
#include "runtime/serve/changing_system.h"
#include "test/check.h"
#include "test/fake_server.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TOOL                                                                                       \
	"{'name':'weather','description':'Says it','input_schema':{'type':'object','properties':{" \
	"'city':{'type':'string'}}}}"
#define HELLO "'max_tokens':9,'messages':[{'role':'user','content':'Hello'}]"

static check_counts counts;

/* ---- what was replied ----------------------------------------------------------------------- */

/* The names of the stream's events, with spaces between; each is also its data's type. */
static void list_events(char *list)
{
	const char *at = fake_body();
	char name[64], head[128];

	*list = 0;
	while (sscanf(at, "event: %63[^\n]\n", name) == 1) {
		at += strlen("event: ") + strlen(name) + 1;
		(void)snprintf(head, sizeof head, "data: {'type':'%s'", name);
		CHECK(&counts, !strncmp(at, head, strlen(head)), "%s: %s", name, at);
		strcat(list, *list ? " " : "");
		strcat(list, name);
		if (!(at = strstr(at, "\n\n"))) {
			strcat(list, " cut");
			return;
		}
		at += 2;
	}
	if (*at)
		strcat(list, " and more");
}

static void expect_events(const char *expected)
{
	char list[4096];

	list_events(list);
	CHECK(&counts, !strcmp(list, expected), "%s", list);
}

static void expect(const char *part)
{
	CHECK(&counts, strstr(fake_body(), part) != NULL, "%s is not in %s", part, fake_body());
}

/* ---- requests ------------------------------------------------------------------------------- */

static const char *prompt(void)
{
	static char text[8192];
	const struct job *j = &fake.jobs[fake.n_jobs - 1];

	chat_maker_spell(fake.vocabulary.t, j->plan.prompt, j->plan.n, text, sizeof text);
	return text;
}

static void expect_prompt(const char *json, const char *expected)
{
	fake_post(api_messages, json);
	CHECK(&counts, fake.n_jobs == 1, "%s: %s", json, fake_body());
	if (fake.n_jobs == 1)
		CHECK(&counts, !strcmp(prompt(), expected), "%s: %s", json, prompt());
}

static void test_messages_become_the_prompt(void)
{
	expect_prompt("{" HELLO "}", "{<s>}{[INST]}_Hello{[/INST]}");
	expect_prompt("{'system':'Be.'," HELLO "}", "{<s>}{[INST]}_Be.\n\nHello{[/INST]}");
	expect_prompt("{" HELLO ",'system':[{'type':'text','text':'Be.','cache_control':{'type':"
	              "'ephemeral'}},{'type':'text','text':'Brief.'}]}",
	              "{<s>}{[INST]}_Be.\n\nBrief.\n\nHello{[/INST]}");
	expect_prompt("{'max_tokens':9,'messages':[{'content':[{'type':'text','text':'a'},{'type':"
	              "'text','text':'b'}],'role':'user'},{'role':'assistant','content':[{'type':"
	              "'thinking','thinking':'hm','signature':'x'},{'type':'redacted_thinking',"
	              "'data':'x'},{'type':'text','text':'c'}]},{'role':'user','content':'d'}]}",
	              "{<s>}{[INST]}_a\n\nb{[/INST]}_c{</s>}{[INST]}_d{[/INST]}");
	/* agents let the system speak between turns, too */
	expect_prompt("{'max_tokens':9,'messages':[{'role':'user','content':'a'},{'role':'system',"
	              "'content':'b'}]}",
	              "{<s>}{[INST]}_b\n\na{[/INST]}");
	/* the last message is an answer to be continued */
	expect_prompt("{'max_tokens':9,'messages':[{'role':'user','content':'a'},{'role':"
	              "'assistant','content':'b'}]}",
	              "{<s>}{[INST]}_a{[/INST]}_b");
}

static void test_thinking_is_taken_back_where_the_format_has_it(void)
{
	expect_prompt("{'max_tokens':9,'messages':[{'role':'user','content':'a'},{'role':"
	              "'assistant','content':[{'type':'thinking','thinking':'hm','signature':"
	              "'brise'},{'type':'text','text':'c'},{'type':'text','text':'d'},{'type':"
	              "'thinking','thinking':'so','signature':''},{'type':'text','text':'e'},"
	              "{'type':'tool_use','id':'toolu_1','name':'f','input':{}}]},{'role':'user',"
	              "'content':[{'type':'tool_result','tool_use_id':'toolu_1','content':'1'}]}]}",
	              "{<s>}{[INST]}a{[/INST]}{[THINK]}hm{[/THINK]}c\n\nd{[THINK]}so{[/THINK]}"
	              "e{[TOOL_CALLS]}f{[ARGS]}{}{</s>}{[TOOL_RESULTS]}1{[/TOOL_RESULTS]}");
	/* hidden, left out, or another's that cannot be read */
	expect_prompt("{'max_tokens':9,'messages':[{'role':'user','content':'a'},{'role':"
	              "'assistant','content':[{'type':'thinking','thinking':'','signature':'x'},"
	              "{'type':'redacted_thinking','data':'x'}]},{'role':'user','content':'b'}]}",
	              "{<s>}{[INST]}a\n\nb{[/INST]}");
	expect_prompt("{'max_tokens':9,'messages':[{'role':'user','content':'a'},{'role':"
	              "'assistant','content':[{'type':'thinking','thinking':'hm'}]},{'role':'user',"
	              "'content':'b'}]}",
	              "{<s>}{[INST]}a{[/INST]}{[THINK]}hm{[/THINK]}{</s>}{[INST]}b{[/INST]}");
	fake_post(api_messages, "{'max_tokens':9,'messages':[{'role':'assistant','content':[{"
	                        "'type':'thinking','signature':'x'}]}]}");
	CHECK(&counts, strstr(fake_body(), "messages[0].content[0].thinking"), "%s", fake_body());
}

/* An agent's turn: text and calls in one answer, results and text in one message of the user. */
#define TURN                                                                                       \
	"'max_tokens':9,'messages':[{'role':'user','content':'Rain?'},{'role':'assistant',"        \
	"'content':[{'type':'text','text':'I look.'},{'type':'tool_use','id':'toolu_1','name':"    \
	"'weather','input':{'city':'Pau'}},{'type':'tool_use','id':'toolu_2','name':'weather',"    \
	"'input':{}}]},{'role':'user','content':[{'type':'tool_result','tool_use_id':'toolu_1',"   \
	"'content':'dry'},{'type':'tool_result','tool_use_id':'toolu_2','is_error':true,"          \
	"'content':[{'type':'text','text':'no city'}]},{'type':'text','text':'Well?'}]}]"

static void test_calls_and_results_become_the_prompt(void)
{
	fake_post(api_messages, "{" TURN "}");
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
	if (fake.n_jobs == 0)
		return;
	CHECK(&counts,
	      strstr(prompt(), "{[TOOL_CALLS]}_[{\"name\":_\"weather\",_\"arguments\":_{"
	                       "\"city\":_\"Pau\"}") != NULL,
	      "%s", prompt());
	CHECK(&counts, strstr(prompt(), "{[TOOL_RESULTS]}_{\"content\":_\"dry\"") != NULL, "%s",
	      prompt());
	CHECK(&counts, strstr(prompt(), "\"Error:\\n\\nno_city\\n\\nWell?\"") != NULL, "%s",
	      prompt());
}

static void test_settings_become_the_plan(void)
{
	const job_plan *plan = &fake.jobs[0].plan;

	fake_post(api_messages,
	          "{" HELLO ",'temperature':0.5,'top_p':0.5,'top_k':3,'min_p':0.25,'seed':11,"
	          "'stop_sequences':['END','', 'Stop'],'metadata':{'user_id':'u'},'stop':7,'n':'x',"
	          "'thinking':{'type':'enabled','budget_tokens':1024},'service_tier':'auto',"
	          "'cache_control':{'type':'ephemeral'}}");
	CHECK(&counts, fake.n_jobs == 1, "%s", fake_body());
	CHECK(&counts,
	      plan->limit == 9 && plan->sampling->top_k == 3 && plan->sampling->seed == 11 &&
	              plan->sampling->min_p > 0,
	      "limit %llu", (unsigned long long)plan->limit);
	CHECK(&counts, plan->n_stops == 2 && !strcmp(plan->stops[1], "Stop"), "%zu stops",
	      plan->n_stops);
}

static void test_what_is_no_request_is_refused_by_its_path(void)
{
	static const struct {
		const char *json, *path;
	} cases[] = {
		{ "", "" },
		{ "[]", "" },
		{ "{" HELLO "", "" },
		{ "{'max_tokens':9}", "'messages'" },
		{ "{'messages':[{'role':'user','content':'a'}]}", "'max_tokens'" },
		{ "{'max_tokens':'9','messages':[]}", "'max_tokens'" },
		{ "{'max_tokens':0,'messages':[]}", "'max_tokens'" },
		{ "{'max_tokens':9,'messages':[]}", "'messages'" },
		{ "{'max_tokens':9,'messages':{}}", "'messages'" },
		{ "{'max_tokens':9,'messages':['a']}", "'messages[0]'" },
		{ "{'max_tokens':9,'messages':[{'content':'a'}]}", "'messages[0].role'" },
		{ "{'max_tokens':9,'messages':[{'role':'tool','content':'a'}]}", "'tool'" },
		{ "{'max_tokens':9,'messages':[{'role':7,'content':'a'}]}", "'messages[0].role'" },
		{ "{'max_tokens':9,'messages':[{'role':'user'}]}", "'messages[0].content'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':7}]}",
		  "'messages[0].content'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':[7]}]}",
		  "'messages[0].content[0]'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':[{'type':'image','source':{"
		  "'type':'base64','media_type':'image/png','data':''}}]}]}",
		  "'image'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':[{'type':'document'}]}]}",
		  "'document'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':[{'text':'a'}]}]}",
		  "'messages[0].content[0].type'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':[{'type':'text','text':7}]}"
		  "]}",
		  "'messages[0].content[0].text'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':[{'type':'tool_use','id':"
		  "'a','name':'f','input':{}}]}]}",
		  "'messages[0].content[0]'" },
		{ "{'max_tokens':9,'messages':[{'role':'assistant','content':[{'type':'tool_use',"
		  "'id':'a','name':'f','input':'{}'}]}]}",
		  "'messages[0].content[0].input'" },
		{ "{'max_tokens':9,'messages':[{'role':'assistant','content':[{'type':'tool_use',"
		  "'id':'a','input':{}}]}]}",
		  "'messages[0].content[0].name'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':[{'type':'tool_result',"
		  "'content':'a'}]}]}",
		  "'messages[0].content[0].tool_use_id'" },
		{ "{'max_tokens':9,'messages':[{'role':'user','content':[{'type':'tool_result',"
		  "'tool_use_id':'a','content':[{'type':'image'}]}]}]}",
		  "'messages[0].content[0].content[0]'" },
		{ "{" HELLO ",'system':7}", "'system'" },
		{ "{" HELLO ",'system':[{'type':'image'}]}", "'system[0]'" },
		{ "{" HELLO ",'stream':'yes'}", "'stream'" },
		{ "{" HELLO ",'temperature':'1'}", "'temperature'" },
		{ "{" HELLO ",'top_k':-1}", "'top_k'" },
		{ "{" HELLO ",'stop_sequences':'a'}", "'stop_sequences'" },
		{ "{" HELLO ",'stop_sequences':[7]}", "'stop_sequences[0]'" },
		{ "{" HELLO ",'tools':{}}", "'tools'" },
		{ "{" HELLO ",'tools':[{'name':'f','input_schema':7}]}",
		  "'tools[0].input_schema'" },
		{ "{" HELLO ",'tools':[{'input_schema':{}}]}", "'tools[0].name'" },
		{ "{" HELLO ",'tool_choice':'auto'}", "'tool_choice'" },
		{ "{" HELLO ",'tool_choice':{}}", "'tool_choice.type'" },
		{ "{" HELLO ",'tool_choice':{'type':'all'}}", "'all'" },
		{ "{" HELLO ",'tools':[" TOOL "],'tool_choice':{'type':'tool'}}",
		  "'tool_choice.name'" },
		{ "{" HELLO ",'tools':[" TOOL "],'tool_choice':{'type':'tool','name':'g'}}",
		  "'tool_choice'" },
		{ "{" HELLO ",'tool_choice':{'type':'any'}}", "'tool_choice'" },
		{ "{" HELLO ",'output_config':{'format':{'type':'json_schema'}}}",
		  "'output_config.format.schema'" },
		{ "{" HELLO ",'output_config':{'format':{'type':'xml','schema':{}}}}", "'xml'" },
	};
	static const char head[] = "{'type':'error','error':{'type':'invalid_request_error',"
	                           "'message':'";
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		fake_post(api_messages, cases[i].json);
		CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0 && fake.x.has_ended,
		      "%s: status %d", cases[i].json, fake.x.status);
		CHECK(&counts, !strncmp(fake_body(), head, strlen(head)), "%s", fake_body());
		CHECK(&counts, strstr(fake_body(), cases[i].path) != NULL, "%s: %s", cases[i].json,
		      fake_body());
	}
}

/* An answer is a text of its form or calls, where the model is free to call. */
static void test_a_form_goes_together_with_tools(void)
{
	fake_post(api_messages,
	          "{" HELLO ",'output_config':{'format':{'type':'json_schema','schema':{'type':'"
	          "object'}}},'tools':[{'name':'f','input_schema':{}}]}");
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
	fake_post(api_messages, "{" HELLO ",'tools':[{'name':'f','input_schema':{'unknown':{}}}]}");
	CHECK(&counts, fake.x.status == 400 && fake.n_jobs == 0, "status %d", fake.x.status);
	CHECK(&counts, strstr(fake_body(), "f: parameters: #/unknown: a keyword"), "%s",
	      fake_body());
	CHECK(&counts, strstr(fake_body(), "--loose-tools"), "%s", fake_body());
	fake.service.loose_tools = true;
	fake.service.advise = note_loose;
	fake_post(api_messages, "{" HELLO ",'tools':[{'name':'f','input_schema':{'unknown':{}}}]}");
	fake_post(api_messages, "{" HELLO ",'tools':[{'name':'f','input_schema':{'unknown':{}}}]}");
	body_add(&fake.x.headers, "", 1);
	CHECK(&counts,
	      fake.n_jobs == 1 && fake.jobs[0].plan.grammar &&
	              strstr(fake.x.headers.bytes,
	                     "X-Brise-Unconstrained-Tools: f: parameters: #/unknown: "),
	      "%s", fake.x.headers.bytes);
	CHECK(&counts, said == 1, "said %u times in the log", said);
	fake.service.loose_tools = fake.service.has_said_loose = false;
	fake.service.advise = NULL;
}

static void test_full_queue_is_an_overload(void)
{
	fake.room = 0;
	fake_post(api_messages, "{" HELLO ",'stream':true}");
	CHECK(&counts, fake.x.status == 503 && fake.x.has_ended, "status %d", fake.x.status);
	expect("{'type':'error','error':{'type':'overloaded_error','message':'");
	fake.room = FAKE_JOBS;
}

static void test_tokens_are_counted(void)
{
	fake_post(api_messages_count,
	          "{'model':'m','messages':[{'role':'user','content':'Hello'}]}");
	CHECK(&counts, fake.x.status == 200 && fake.n_jobs == 0, "%d: %s", fake.x.status,
	      fake_body());
	/* <s>, [INST], the space, five bytes, [/INST] */
	CHECK(&counts, !strcmp(fake_body(), "{'input_tokens':9}"), "%s", fake_body());
	fake_post(api_messages_count, "{'messages':7}");
	CHECK(&counts, fake.x.status == 400, "status %d", fake.x.status);
}

/* ---- replies -------------------------------------------------------------------------------- */

static void test_message_has_the_published_fields(void)
{
	static const char *const expected[] = {
		"{'id':'msg_",
		"'type':'message','role':'assistant','model':'claude'",
		"'content':[{'type':'text','text':'Hello.','citations':null}]",
		"'stop_reason':'end_turn','stop_sequence':null",
		"'cache_read_input_tokens':2,'output_tokens':3",
		"'cache_creation_input_tokens':0",
		"'input_tokens':7",
	};
	size_t i;

	fake_post(api_messages, "{'model':'claude'," HELLO "}");
	fake_begin(0, 2);
	fake_text(0, "Hel");
	fake_text(0, "lo.");
	fake_done(0, JOB_ENDED, 3, 2);
	CHECK(&counts, fake.x.status == 200 && !strcmp(fake.x.type, "application/json"), "%d %s",
	      fake.x.status, fake.x.type);
	for (i = 0; i < LENGTH(expected); i++)
		expect(expected[i]);
	CHECK(&counts, fake.x.noted_prompt == 9 && fake.x.noted_kept == 2, "noted");
}

static void test_text_streams_in_the_published_order(void)
{
	fake_post(api_messages, "{" HELLO ",'stream':true}");
	CHECK(&counts, !strncmp(fake.x.type, "text/event-stream", 17), "%s", fake.x.type);
	fake_begin(0, 1);
	fake_text(0, "Hel");
	fake_text(0, "lo.");
	fake_done(0, JOB_ENDED, 3, 1);
	expect_events("ping message_start content_block_start content_block_delta "
	              "content_block_delta content_block_stop message_delta message_stop");
	expect("'type':'message_start','message':{'id':'msg_");
	expect("'content':[],'stop_reason':null,'stop_sequence':null");
	expect("'usage':{'input_tokens':8,'cache_creation_input_tokens':0,"
	       "'cache_read_input_tokens':1,'output_tokens':0");
	expect("'index':0,'content_block':{'type':'text','text':''");
	expect("'index':0,'delta':{'type':'text_delta','text':'Hel'}}");
	expect("{'type':'content_block_stop','index':0}");
	expect("'delta':{'stop_reason':'end_turn','stop_sequence':null");
	expect("'output_tokens':3");
	expect("{'type':'message_stop'}");
	CHECK(&counts, fake.x.has_ended, "the stream goes on");
}

static void call_weather(size_t call, const char *first, const char *second)
{
	fake_piece(0, BRISE_ANSWER_CALL, call, "weather");
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, call, first);
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, call, second);
	fake_piece(0, BRISE_ANSWER_CALL_END, call, "");
}

static void test_reasoning_is_a_block_of_its_own(void)
{
	char list[4096];

	fake_post(api_messages, "{" HELLO ",'stream':true}");
	fake_begin(0, 0);
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "H");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "m");
	fake_text(0, "a");
	fake_done(0, JOB_ENDED, 5, 0);
	list_events(list);
	CHECK(&counts,
	      strstr(list, "message_start content_block_start content_block_delta "
	                   "content_block_delta content_block_delta content_block_stop "
	                   "content_block_start content_block_delta content_block_stop "
	                   "message_delta message_stop"),
	      "%s", list);
	CHECK(&counts,
	      strstr(fake_body(), "'index':0,'delta':{'type':'signature_delta','signature':"
	                          "'brise'}"),
	      "%s", fake_body());
	CHECK(&counts,
	      strstr(fake_body(), "'index':0,'content_block':{'type':'thinking','thinking':'',"
	                          "'signature':''}"),
	      "%s", fake_body());
	CHECK(&counts,
	      strstr(fake_body(), "'index':0,'delta':{'type':'thinking_delta','thinking':'m'}") &&
	              strstr(fake_body(), "'index':1,'delta':{'type':'text_delta','text':'a'}"),
	      "%s", fake_body());
	fake_post(api_messages, "{" HELLO "}");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "Hm");
	fake_done(0, JOB_LIMITED, 9, 0);
	CHECK(&counts,
	      strstr(fake_body(), "'content':[{'type':'thinking','thinking':'Hm','signature':"
	                          "'brise'}],'stop_reason':'max_tokens'"),
	      "%s", fake_body());
}

static void test_reasoning_stands_where_it_came(void)
{
	fake_post(api_messages, "{" HELLO "}");
	fake_text(0, "a");
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "b");
	fake_text(0, "c");
	fake_done(0, JOB_ENDED, 9, 0);
	expect("'content':[{'type':'text','text':'a','citations':null},{'type':'thinking',"
	       "'thinking':'b','signature':'brise'},{'type':'text','text':'c',");
}

static void test_calls_stream_in_the_published_order(void)
{
	char id[10], part[256];

	fake_post(api_messages, "{" HELLO ",'stream':true}");
	fake_begin(0, 0);
	fake_text(0, "I look.");
	call_weather(0, "{\"city\":", "\"Pau\"}");
	call_weather(1, "{}", "");
	fake_done(0, JOB_CALLED, 9, 0);
	expect_events("ping message_start content_block_start content_block_delta "
	              "content_block_stop content_block_start content_block_delta "
	              "content_block_delta content_block_stop content_block_start "
	              "content_block_delta content_block_stop message_delta message_stop");
	request_name_call(&fake.service, 7, 0, 0, id);
	(void)snprintf(part, sizeof part,
	               "'index':1,'content_block':{'type':'tool_use','id':'%s','name':'weather',"
	               "'input':{}",
	               id);
	expect(part);
	expect("'index':1,'delta':{'type':'input_json_delta','partial_json':'{\\'city\\':'}}");
	expect("'index':2,'content_block':{'type':'tool_use'");
	expect("'stop_reason':'tool_use'");
}

static void test_calls_are_blocks_of_the_message(void)
{
	fake_post(api_messages, "{" HELLO "}");
	fake_begin(0, 0);
	fake_text(0, "I look.");
	call_weather(0, "{\"city\": ", "\"Pau\"}");
	fake_done(0, JOB_CALLED, 9, 0);
	expect("'content':[{'type':'text','text':'I look.','citations':null},{'type':'tool_use'");
	expect("'name':'weather','input':{'city':'Pau'}");
	expect("'stop_reason':'tool_use'");
	/* arguments that are no JSON do not break the message's */
	fake_post(api_messages, "{" HELLO "}");
	call_weather(0, "{\"city\": NaN", "}");
	fake_done(0, JOB_LIMITED, 9, 0);
	expect("'name':'weather','input':{}");
	expect("'stop_reason':'max_tokens'");
}

static void test_ends_have_the_published_reasons(void)
{
	fake_post(api_messages, "{" HELLO ",'stop_sequences':['A','END']}");
	fake_event(0, (job_event){ .kind = JOB_DONE, .reason = JOB_STOPPED, .stop = 1 });
	expect("'stop_reason':'stop_sequence','stop_sequence':'END'");
	fake_post(api_messages, "{" HELLO "}");
	fake_done(0, JOB_LIMITED, 9, 0);
	expect("'stop_reason':'max_tokens','stop_sequence':null");
	expect("'content':[]");
	fake_post(api_messages, "{" HELLO ",'stream':true}");
	fake_begin(0, 0);
	fake_done(0, JOB_FULL, 9, 0);
	expect("'stop_reason':'model_context_window_exceeded'");
	expect_events("ping message_start message_delta message_stop");
}

static void fail_job(void)
{
	brise_error err = { BRISE_EIO, "the disk went away" };

	fake_event(0, (job_event){ .kind = JOB_FAILED, .error = &err });
}

static void test_failure_is_an_error(void)
{
	static const char error[] =
	        "{'type':'error','error':{'type':'api_error','message':'the disk went away'},"
	        "'request_id':null}";

	fake_post(api_messages, "{" HELLO "}");
	fail_job();
	CHECK(&counts, fake.x.status == 500 && !strcmp(fake_body(), error), "%d: %s", fake.x.status,
	      fake_body());
	fake_post(api_messages, "{" HELLO ",'stream':true}");
	fake_begin(0, 0);
	fake_text(0, "Hel");
	fail_job();
	expect_events("ping message_start content_block_start content_block_delta error");
	expect(error);
	CHECK(&counts, fake.x.has_ended, "the stream goes on");
}

/* Would fail if what the client asked for were called a failure of the server's. */
static void test_what_a_client_asks_for_is_no_failure(void)
{
	brise_error err = { BRISE_EUNSUPPORTED, "logit_bias bans every token" };

	fake_post(api_messages, "{" HELLO "}");
	fake_event(0, (job_event){ .kind = JOB_FAILED, .error = &err });
	CHECK(&counts,
	      fake.x.status == 400 && strstr(fake_body(), "invalid_request_error") &&
	              strstr(fake_body(), "logit_bias bans"),
	      "%d: %s", fake.x.status, fake_body());
}

static unsigned advised;

static void note_advice(const service *s, const char *line)
{
	(void)s;
	advised += strstr(line, "--move-changing-system") != NULL;
}

/* Requests that differ in the first line of a long system prompt. */
static const char *post_changing(const char *first)
{
	static char text[2048];
	size_t n = (size_t)snprintf(text, sizeof text,
	                            "{" HELLO ",'system':[{'type':'text',"
	                            "'text':'%s'},{'type':'text','text':'",
	                            first);

	for (; n < 1200; n++)
		text[n] = (char)(n % 60 ? 'a' + n % 26 : ' ');
	strcpy(text + n, "'}]}");
	fake_post(api_messages, text);
	return fake.n_jobs == 1 ? prompt() : "";
}

static void test_changing_lines_move_if_they_may(void)
{
	static changing_system systems;
	const char *text;

	fake.service.systems = &systems;
	fake.service.advise = note_advice;
	(void)post_changing("id: 1;");
	text = post_changing("id: 2;");
	CHECK(&counts, strstr(text, "_id:_2;\n\n") != NULL && advised == 1, "%u: %s", advised,
	      text);
	(void)post_changing("id: 3;");
	CHECK(&counts, advised == 1, "advised %u times", advised);
	fake.service.moves_systems = true;
	text = post_changing("id: 4;");
	CHECK(&counts, strstr(text, "\n\nid:_4;\n\nHello{[/INST]}") != NULL, "%s", text);
	fake.service.moves_systems = false;
	fake.service.systems = NULL;
	fake.service.advise = NULL;
}

static void test_gone_client_stops_the_job(void)
{
	fake_post(api_messages, "{" HELLO ",'stream':true}");
	CHECK(&counts, fake.x.gone != NULL, "nothing is called");
	fake_go();
	CHECK(&counts, fake.jobs[0].is_cancelled, "the job goes on");
}

/* Whatever stands in place of any byte, the reply is an error or a job. */
static void test_damaged_requests_are_refused_or_answered(void)
{
	static const char bytes[] = "{}[]',:0-e\\ntu \x80\xff";
	static const char text[] = "{'system':[{'type':'text','text':'a'}],'tool_choice':{'type':"
	                           "'none'},'stop_sequences':['a']," TURN "}";
	char copy[sizeof text];
	uint64_t random = 17;
	size_t i, k, wrong = 0;

	for (i = 0; i < 4000; i++) {
		memcpy(copy, text, sizeof text);
		for (k = 0; k < 1 + i % 3; k++)
			copy[random_next(&random) % (sizeof text - 1)] =
			        bytes[random_next(&random) % sizeof bytes];
		for (k = 0; k < sizeof text; k++)
			copy[k] = copy[k] == '\'' ? '"' : copy[k];
		fake_post_bytes(api_messages, copy, sizeof text - 1 - i % 7);
		wrong += !(fake.x.status == 400 || (fake.n_jobs == 1 && fake.x.status == 0));
	}
	CHECK(&counts, wrong == 0, "%zu wrong replies", wrong);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	if (!fake_open(VOCABULARY_V3, "v3"))
		return 1;
	RUN(test_messages_become_the_prompt());
	RUN(test_calls_and_results_become_the_prompt());
	RUN(fake_with("v13", test_thinking_is_taken_back_where_the_format_has_it));
	RUN(test_settings_become_the_plan());
	RUN(test_what_is_no_request_is_refused_by_its_path());
	RUN(test_a_form_goes_together_with_tools());
	RUN(test_free_arguments_are_refused_or_said());
	RUN(test_full_queue_is_an_overload());
	RUN(test_tokens_are_counted());
	RUN(test_message_has_the_published_fields());
	RUN(test_text_streams_in_the_published_order());
	RUN(test_reasoning_is_a_block_of_its_own());
	RUN(test_reasoning_stands_where_it_came());
	RUN(test_calls_stream_in_the_published_order());
	RUN(test_calls_are_blocks_of_the_message());
	RUN(test_ends_have_the_published_reasons());
	RUN(test_failure_is_an_error());
	RUN(test_what_a_client_asks_for_is_no_failure());
	RUN(test_changing_lines_move_if_they_may());
	RUN(test_gone_client_stops_the_job());
	RUN(test_damaged_requests_are_refused_or_answered());
	fake_close();
	return check_report("api_messages", &counts);
}
