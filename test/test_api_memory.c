/* test_api_memory.c - chat completions, the Responses and the Messages API without memory
 *
 * The n-th request for memory fails (test/failing_heap.h). Whatever n is, the exchange ends: with a
 * reply, an error, or cut off where a stream has begun; and all memory is given back.
 */
#include "runtime/serve/api_chat.h"
#include "runtime/serve/api_messages.h"
#include "runtime/serve/api_responses.h"
#include "runtime/serve/recent_items.h"
#include "test/check.h"
#include "test/failing_heap.h"
#include "test/fake_server.h"

#define MOST_REQUESTS 2000

static check_counts counts;
static recent_items recent;

static void give_answer(void)
{
	fake_begin(0, 1);
	fake_piece(0, BRISE_ANSWER_THOUGHT, 0, "Hm");
	fake_text(0, "I look.");
	fake_piece(0, BRISE_ANSWER_CALL, 0, "weather");
	fake_piece(0, BRISE_ANSWER_ARGUMENTS, 0, "{\"city\": \"Pau\"}");
	fake_piece(0, BRISE_ANSWER_CALL_END, 0, "");
	fake_text(0, "Done.");
	fake_done(0, JOB_ENDED, 9, 1);
}

/* Whether the reply is what it should be; the fake's own copy of it may be incomplete. */
static bool is_right(bool streams)
{
	const char *end = streams ? "\n\n" : "}";
	const body *b = &fake.x.body;

	if (!fake.x.has_ended)
		return false;
	if (fake.x.status == 500 || fake.x.status == 400)
		return fake.n_jobs == 0 || !streams;
	return fake.x.status == 200 &&
	       (b->failed ||
	        (b->n > 2 && !memcmp(b->bytes + b->n - strlen(end), end, strlen(end))));
}

static void fail_each(const char *name, exchange_handler *handle, const char *json, bool streams)
{
	long n, before, failed = 0, used;

	/* Once without failures: what is made at its first use and kept, such as the vocabulary of
	 * grammars (test_grammar.c). */
	fake_forget();
	fake_post(handle, json);
	if (fake.n_jobs == 1)
		give_answer();
	recent_items_free(&recent);
	for (n = 1; n < MOST_REQUESTS; n++) {
		fake_forget();
		before = atomic_load(&in_use);
		fail_request(n);
		fake_post(handle, json);
		if (fake.n_jobs == 1)
			give_answer();
		used = atomic_load(&requests);
		fail_request(0);
		CHECK(&counts, is_right(streams), "%s: request %ld: status %d, ended %d", name, n,
		      fake.x.status, fake.x.has_ended);
		fake_forget();
		recent_items_free(&recent);
		CHECK(&counts, atomic_load(&in_use) == before, "%s: request %ld: %ld in use", name,
		      n, atomic_load(&in_use) - before);
		failed += used >= n;
		if (used < n)
			break;
	}
	CHECK(&counts, failed > 20 && n < MOST_REQUESTS, "%s: %ld requests failed", name, failed);
}

#define ITEMS                                                                                      \
	"'input':[{'role':'user','content':[{'type':'input_text','text':'a'},{'type':"             \
	"'input_text','text':'b'}]},{'type':'function_call','call_id':'c','name':'f',"             \
	"'arguments':'{}'},{'type':'function_call_output','call_id':'c','output':'d'},{'role':"    \
	"'user','content':'e'}],'metadata':{'a':'b'},'tool_choice':{'type':'allowed_tools',"       \
	"'mode':'auto','tools':[{'name':'f'}]},'tools':[{'type':'function','name':'f',"            \
	"'parameters':{}}]"
#define MESSAGES                                                                                   \
	"'max_tokens':9,'system':[{'type':'text','text':'a'}],'messages':[{'role':'user',"         \
	"'content':'b'},{'role':'assistant','content':[{'type':'text','text':'c'},{'type':"        \
	"'tool_use','id':'d','name':'f','input':{}}]},{'role':'user','content':[{'type':"          \
	"'tool_result','tool_use_id':'d','is_error':true,'content':'e'},{'type':'text','text':"    \
	"'f'}]}],'tools':[{'name':'f','input_schema':{}}]"

static void test_responses_end_without_memory(void)
{
	fake.service.recent = &recent;
	fail_each("an object", api_responses, "{" ITEMS "}", false);
	fail_each("a stream", api_responses, "{" ITEMS ",'stream':true}", true);
	fail_each("a count", api_responses_count, "{" ITEMS "}", false);
	fake.service.recent = NULL;
}

static void test_messages_end_without_memory(void)
{
	fail_each("a message", api_messages, "{" MESSAGES "}", false);
	fail_each("its stream", api_messages, "{" MESSAGES ",'stream':true}", true);
	fail_each("its count", api_messages_count, "{" MESSAGES "}", false);
}

/* Reasoning that is sent back, in a format that has it. */
static void test_reasoning_ends_without_memory(void)
{
	fail_each("chat completions", api_chat,
	          "{'messages':[{'role':'system','content':[{'type':'text','text':'a'},{'type':"
	          "'thinking','thinking':[{'type':'text','text':'b'}]},{'type':'text','text':'c'}]"
	          "},{'role':'user','content':'d'},{'role':'assistant','content':'e',"
	          "'reasoning_content':'f'},{'role':'assistant','reasoning':'g','content':'h'}],"
	          "'tools':[{'type':'function','function':{'name':'f'}}]}",
	          false);
	fail_each("their responses", api_responses,
	          "{'include':['reasoning.encrypted_content'],'input':[{'role':'user','content':"
	          "'a'},{'type':'reasoning','content':[{'type':'reasoning_text','text':'b'}]},"
	          "{'type':'reasoning','encrypted_content':'brise:c'},{'role':'assistant',"
	          "'content':'d'}]}",
	          false);
	fail_each("their messages", api_messages,
	          "{'max_tokens':9,'messages':[{'role':'user','content':'a'},{'role':'assistant',"
	          "'content':[{'type':'thinking','thinking':'b'},{'type':'text','text':'c'}]}],"
	          "'stream':true}",
	          true);
}

/* Would fail if each part of a text were joined into a new copy of all before it. */
static void test_memory_is_in_proportion_to_the_request(void)
{
	static const char head[] = "{'max_tokens':9,'messages':[{'role':'user','content':[",
	                  part[] = "{'type':'text','text':'a'},", end[] = "]}]}";
	enum { PARTS = 10000 };
	size_t n = sizeof head + PARTS * (sizeof part - 1) + sizeof end, i, before;
	char *json = malloc(n), *at = json;

	if (!json)
		return;
	at += sprintf(at, "%s", head);
	for (i = 0; i < PARTS; i++)
		at += sprintf(at, "%s", part);
	(void)sprintf(at - 1, "%s", end);
	fake_forget();
	before = atomic_load(&bytes_asked);
	fake_post(api_messages, json);
	CHECK(&counts, fake.n_jobs == 1, "status %d", fake.x.status);
	CHECK(&counts, atomic_load(&bytes_asked) - before < 40 * n, "%zu bytes for %zu",
	      atomic_load(&bytes_asked) - before, n);
	fake_forget();
	free(json);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	if (!fake_open(VOCABULARY_V3, "v3"))
		return 1;
	RUN(test_responses_end_without_memory());
	RUN(test_messages_end_without_memory());
	RUN(test_memory_is_in_proportion_to_the_request());
	RUN(fake_with("v13", test_reasoning_ends_without_memory));
	fake_close();
	return check_report("api_memory", &counts);
}
