/* api_slots.c - see api_slots.h
 *
 * By the names that llama.cpp's server has, where it has one. Where API keys are set, a client sees
 * of other clients' places no more than that they are taken.
 */
#include "runtime/serve/api_slots.h"

#include "runtime/serve/body.h"
#include "runtime/serve/scheduler.h"
#include "runtime/serve/service.h"
#include "runtime/text/json_writer.h"

static void put_place(json_writer *w, uint32_t index, const place_facts *f, bool is_own,
                      uint64_t context)
{
	static const char *const states[] = { "free", "preparing", "reading", "drawing" };

	json_open(w, NULL, '{');
	json_put_unsigned(w, "id", index);
	json_put_unsigned(w, "n_ctx", context);
	json_put_bool(w, "is_processing", f->state != PLACE_FREE);
	if (is_own) {
		json_put_string(w, "state", states[f->state]);
		json_put_unsigned(w, "id_task", f->number);
		json_put_unsigned(w, "n_prompt_tokens", f->n_prompt);
		json_put_unsigned(w, "n_prompt_tokens_cache", f->n_kept);
		json_put_unsigned(w, "n_prompt_tokens_processed", f->n_read);
		json_put_unsigned(w, "n_decoded", f->n_drawn);
		json_put_unsigned(w, "n_predict", f->limit);
		json_put_unsigned(w, "n_held", f->n_held);
		json_put_fixed(w, "seconds", f->seconds, 3);
	}
	json_close(w);
}

static void show_slots(exchange *x)
{
	const exchange_facts *request = exchange_get_facts(x);
	const service *s = request->service;
	body text = { .bytes = NULL };
	json_writer w = { .sink = body_add, .user = &text };
	scheduler_figures figures;
	place_facts facts;
	uint32_t i;

	scheduler_get_figures(s->scheduler, &figures);
	json_open(&w, NULL, '[');
	for (i = 0; i < figures.places; i++) {
		scheduler_get_place(s->scheduler, i, &facts);
		put_place(&w, i, &facts, facts.owner == request->who.key, figures.context);
	}
	json_close(&w);
	exchange_reply(x, text.failed ? 503 : 200, "application/json", text.bytes,
	               text.failed ? 0 : text.n);
	body_free(&text);
}

const exchange_route slots_routes[] = { { "GET", "/slots", show_slots } };
const size_t slots_n_routes = sizeof slots_routes / sizeof *slots_routes;
