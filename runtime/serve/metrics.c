/* metrics.c - GET /metrics: counters and gauges in Prometheus' text format, version 0.0.4 */
#include <inttypes.h>

#include "runtime/os/os.h"
#include "runtime/serve/about.h"
#include "runtime/serve/exchange_life.h"
#include "runtime/serve/scheduler.h"
#include "runtime/serve/service.h"

static void put_head(output *o, const char *name, const char *type, const char *help)
{
	output_format(o, "# HELP brise_%s %s\n# TYPE brise_%s %s\n", name, help, name, type);
}

static void put_counter(output *o, const char *name, uint64_t value, const char *help)
{
	put_head(o, name, "counter", help);
	output_format(o, "brise_%s %" PRIu64 "\n", name, value);
}

static void put_gauge(output *o, const char *name, uint64_t value, const char *help)
{
	put_head(o, name, "gauge", help);
	output_format(o, "brise_%s %" PRIu64 "\n", name, value);
}

static void put_seconds(output *o, const char *name, double value, const char *help)
{
	put_head(o, name, "counter", help);
	output_format(o, "brise_%s %.6f\n", name, value);
}

static void put_requests(output *o, const site_figures *f)
{
	static const char *const classes[] = { "left", "1xx", "2xx", "3xx", "4xx", "5xx" };
	size_t i;

	put_head(o, "http_replies_total", "counter",
	         "Replies by class of status; left: the client went away before the end.");
	for (i = 0; i < sizeof classes / sizeof *classes; i++)
		output_format(o, "brise_http_replies_total{status=\"%s\"} %" PRIu64 "\n",
		              classes[i], f->statuses[i]);
	put_counter(o, "http_requests_total", f->requests, "Requests that could be read.");
	put_gauge(o, "http_requests_active", f->exchanges, "Requests being answered.");
	put_counter(o, "http_connections_total", f->accepted, "Connections accepted.");
	put_counter(o, "http_connections_refused_total", f->turned_away,
	            "Connections answered with 503, being too many.");
	put_gauge(o, "http_connections", f->connections, "Connections now.");
}

static void put_jobs(output *o, const scheduler_figures *f)
{
	put_gauge(o, "places", f->places, "Answers that can be drawn at once.");
	put_gauge(o, "jobs_running", f->n_running, "Answers being drawn, or their prompts read.");
	put_gauge(o, "jobs_waiting", f->n_waiting, "Jobs in the queue.");
	put_counter(o, "jobs_done_total", f->jobs_done, "Jobs that ended as they should.");
	put_counter(o, "jobs_failed_total", f->jobs_failed, "Jobs that failed.");
	put_counter(o, "jobs_cancelled_total", f->jobs_cancelled, "Jobs whose client went away.");
	put_counter(o, "jobs_refused_total", f->jobs_refused,
	            "Jobs refused, the queue being full.");
	put_counter(o, "prompt_tokens_total", f->prompt_tokens, "Tokens of prompts.");
	put_counter(o, "prompt_tokens_kept_total", f->kept_tokens,
	            "Tokens of prompts that needed no evaluation.");
	put_counter(o, "answer_tokens_total", f->answer_tokens, "Tokens drawn.");
	put_counter(o, "passes_total", f->passes, "Passes over the weights.");
	put_counter(o, "rows_total", f->rows, "Tokens evaluated in passes.");
	put_counter(o, "drafts_total", f->drafts, "Drafts evaluated.");
	put_counter(o, "drafts_accepted_total", f->accepted, "Drafts that were drawn.");
	put_gauge(o, "prompt_tokens_between", f->most_between,
	          "Most tokens of prompts read so far between two tokens of an answer.");
	put_seconds(o, "prompt_seconds_total", f->prompt_s, "Time of passes with prompts.");
	put_seconds(o, "answer_seconds_total", f->answer_s, "Time of other passes.");
	put_counter(o, "loads_total", f->loads, "Times that the weights were loaded.");
	put_counter(o, "idle_total", f->idle_times, "Times that the weights were given back.");
}

void about_metrics(exchange *x)
{
	const service *s = exchange_get_facts(x)->service;
	output text = { .bytes = NULL };
	scheduler_figures figures;

	scheduler_get_figures(s->scheduler, &figures);
	put_requests(&text, &x->site->figures);
	put_jobs(&text, &figures);
	put_head(&text, "start_time_seconds", "gauge", "When the model was loaded.");
	output_format(&text, "brise_start_time_seconds %" PRId64 "\n", s->created);
	exchange_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", text.bytes + text.start,
	               output_size(&text));
	output_free(&text);
}
