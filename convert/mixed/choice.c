/* choice.c - see choice.h */
#include "convert/mixed/choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/closed/layer.h"
#include "convert/mixed/losses.h"
#include "convert/sample.h"
#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"

/* Fewer tokens say too little. */
#define TOKENS_LEAST 64u

#define LINE_MOST 400

#define MEGABYTE 1000000u

/* ---- memory beside the file ----------------------------------------------------------------- */

/* What brise info prints as memory for keys, values and scratch. */
static brise_status count_beside(const encode_job *job, uint64_t *bytes, brise_error *err)
{
	const format_config *config = &job->plan->source->config;
	const brise_engine_options options = { .size = sizeof options, .threads = CHOICE_THREADS };
	brise_sequence *sequence = NULL;
	layer_model shape; /* its configuration is enough */
	brise_status status;

	layer_init(&shape, config, job->name);
	shape.model.config.n_layers = config->n_layers;
	shape.model.windows = job->plan->source->windows;
	if ((status = brise_get_engine_bytes(&shape.model, &options, bytes, err)) == BRISE_OK &&
	    (status = brise_new_sequence(&sequence, &shape.model, NULL, err)) == BRISE_OK)
		*bytes += brise_get_sequence_facts(sequence)->kv_bytes;
	brise_free_sequence(sequence);
	return status;
}

static brise_status set_budget(choice *c, brise_error *err)
{
	const convert_options *o = c->job->options;
	brise_status status = BRISE_OK;

	if (o->bits > 0)
		c->most = (uint64_t)(o->bits * (double)plan_weights(c->job->plan) / 8);
	else if ((status = count_beside(c->job, &c->beside, err)) == BRISE_OK)
		c->most = o->memory > c->beside ? o->memory - c->beside : 0;
	return status;
}

/* ---- losses --------------------------------------------------------------------------------- */

/* Estimates of the errors that q3 and q4 make of a matrix. */
static brise_status sample_errors(const encode_job *job, const format_tensor *t, double *q3,
                                  double *q4, brise_error *err)
{
	const sample s = { job->plan->source, job->calibration, job->tools->book_errors };
	format_tensor typed = *t;
	brise_status status;

	typed.type = TYPE_Q3;
	if ((status = sample_measure(&s, &typed, q3, err)) != BRISE_OK)
		return status;
	typed.type = TYPE_Q4;
	return sample_measure(&s, &typed, q4, err);
}

static brise_status guess_losses(choice *c, brise_error *err)
{
	const file_plan *plan = c->job->plan;
	const format_config *config = &plan->source->config;
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < plan->n_tensors && status == BRISE_OK; i++) {
		const format_tensor *t = &plan->tensors[i];
		types_loss *loss = &c->losses[i];
		double q3, q4;

		if (!(loss->open = t->type == 0))
			continue;
		if ((status = sample_errors(c->job, t, &q3, &q4, err)) == BRISE_OK)
			status = encode_ask_cancel(c->job->options, c->job->name, err);
		loss->q3 = types_guess_loss(config, t->kind, q3);
		loss->q4 = types_guess_loss(config, t->kind, q4);
	}
	return status;
}

brise_status choice_new(choice **out, const encode_job *job, brise_error *err)
{
	choice *c = memory_new(1, sizeof *c);
	brise_status status;

	if (!(*out = c))
		return error_set(err, BRISE_ENOMEM, "no memory to choose types");
	c->job = job;
	c->losses = memory_new(job->plan->n_tensors, sizeof *c->losses);
	status = c->losses ? set_budget(c, err)
	                   : error_set(err, BRISE_ENOMEM, "no memory to choose types");
	return status == BRISE_OK ? guess_losses(c, err) : status;
}

void choice_free(choice *c)
{
	if (c)
		memory_free(c->losses);
	memory_free(c);
}

bool choice_can_measure(const choice *c)
{
	const calibration *text = c->job->calibration;
	const file_plan *plan = c->job->plan;
	uint32_t i, first = 0;

	if (!text || text->header.version < 2 || text->header.tokens < TOKENS_LEAST)
		return false;
	for (i = 0; i < plan->n_tensors; i++) {
		if (!c->losses[i].open)
			continue;
		if (first != 0 && plan->tensors[i].type != first)
			return true;
		first = plan->tensors[i].type;
	}
	return false;
}

/* Divergence grows with the squared error: q4's follows from q3's. */
brise_status choice_measure(choice *c, brise_error *err)
{
	file_plan *plan = c->job->plan;
	double *measured = memory_new(plan->n_tensors, sizeof *measured);
	brise_status status;
	uint32_t i;

	if (!measured)
		return error_set(err, BRISE_ENOMEM, "no memory to choose types");
	for (i = 0; i < plan->n_tensors; i++)
		if (c->losses[i].open) {
			plan->tensors[i].type = 0;
			measured[i] = c->losses[i].q3;
		}
	status = losses_measure(c->job, measured, &c->how, err);
	for (i = 0; i < plan->n_tensors && status == BRISE_OK; i++) {
		types_loss *loss = &c->losses[i];

		loss->q4 = loss->q3 > 0 ? measured[i] * loss->q4 / loss->q3 : 0;
		loss->q3 = measured[i];
	}
	memory_free(measured);
	return status;
}

brise_status choice_spend(const choice *c, uint64_t room, brise_error *err)
{
	const file_plan *plan = c->job->plan;

	return types_spend(plan->tensors, plan->n_tensors, c->losses, room, err);
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Of a number of megabytes: a small model's differ by less than one. */
static int decimals(uint64_t bytes)
{
	return bytes < 100 * (uint64_t)MEGABYTE ? 2 : 0;
}

/* " in layers 0-3,7": the layers whose matrix of that kind has the type. */
static bool list_layers(const choice *c, uint32_t kind, uint32_t type, char *out, size_t n)
{
	const file_plan *plan = c->job->plan;
	size_t at, begun;
	const char *comma;
	uint32_t i, first = 0, last = 0, n_layers = 0;
	bool found = false;

	for (i = 0; i < plan->n_tensors; i++)
		n_layers += plan->tensors[i].kind == kind && plan->tensors[i].type == type &&
		            c->losses[i].open;
	at = begun = (size_t)snprintf(out, n, " in layer%s ", n_layers == 1 ? "" : "s");

	for (i = 0; i <= plan->n_tensors; i++) {
		const format_tensor *t = i < plan->n_tensors ? &plan->tensors[i] : NULL;
		bool belongs = t && t->kind == kind && t->type == type && c->losses[i].open;

		if (t && !belongs)
			continue;
		if (found && belongs && t->layer == last + 1) {
			last++;
			continue;
		}
		comma = at > begun ? "," : "";
		if (found && at < n)
			at += (size_t)(first == last ? snprintf(out + at, n - at, "%s%" PRIu32,
			                                        comma, first)
			                             : snprintf(out + at, n - at,
			                                        "%s%" PRIu32 "-%" PRIu32, comma,
			                                        first, last));
		if (belongs) {
			first = last = t->layer;
			found = true;
		}
	}
	return found;
}

static void describe_kind(const choice *c, uint32_t kind, notes *lines)
{
	const file_plan *plan = c->job->plan;
	static const uint32_t types[] = { TYPE_Q3, TYPE_Q4, TYPE_Q8 };
	double least = 0, most = 0;
	char name[48], layers[LINE_MOST / 2], line[LINE_MOST] = "";
	const char *last;
	uint32_t i, n = 0;
	size_t at = 0;

	for (i = 0; i < plan->n_tensors; i++)
		if (plan->tensors[i].kind == kind && c->losses[i].open) {
			double loss = c->losses[i].q3;

			least = n == 0 || loss < least ? loss : least;
			most = n == 0 || loss > most ? loss : most;
			n++;
		}
	if (n == 0)
		return;
	for (i = 0; i < 3; i++)
		if (list_layers(c, kind, types[i], layers, sizeof layers) && at < sizeof line)
			at += (size_t)snprintf(line + at, sizeof line - at, "%s %s%s",
			                       at > 0 ? "," : "", type_name(types[i]),
			                       order_is_in_layer(kind) ? layers : "");
	model_tensor_name(name, kind, 0);
	last = strrchr(name, '.') ? strrchr(name, '.') + 1 : name;
	if (n == 1)
		notes_add(lines, "%s:%s; q3 loses %.3g", last, line, least);
	else
		notes_add(lines, "%s:%s; q3 loses %.3g to %.3g each", last, line, least, most);
}

void choice_describe(const choice *c, notes *lines)
{
	const convert_options *o = c->job->options;
	char budget[96];
	uint32_t kind;

	if (o->bits > 0)
		(void)snprintf(budget, sizeof budget, "%g bits per weight", o->bits);
	else
		(void)snprintf(budget, sizeof budget,
		               "%.*f MB of memory (%.*f of it cache and scratch)",
		               decimals(o->memory), (double)o->memory / 1e6, decimals(c->beside),
		               (double)c->beside / 1e6);
	if (c->how.tokens > 0)
		notes_add(
		        lines,
		        "types chosen for %s by the divergence that %s, measured on %zu tokens of "
		        "the calibration (nats per token)",
		        budget,
		        c->how.by_layer ? "each layer as a whole, embedding and output cause, and "
		                          "by kinds and errors within a layer"
		                        : "each matrix alone causes",
		        c->how.tokens);
	else
		notes_add(lines,
		          "types chosen for %s by kind of matrix and error; losses are measured "
		          "where there is a choice and a calibration with a text",
		          budget);
	for (kind = 1; kind < TENSOR_KINDS; kind++)
		describe_kind(c, kind, lines);
}

/* The lines of a larger budget have more digits, which may take a page more. Rounded up, so that
 * what the message says is enough. */
brise_status choice_check(const choice *c, brise_error *err)
{
	const file_plan *plan = c->job->plan;
	uint64_t least, asked = c->job->options->memory, unit;

	if (c->job->options->bits > 0 || plan->file_bytes <= c->most)
		return BRISE_OK;
	least = plan->file_bytes + c->beside + FORMAT_PAGE;
	unit = decimals(least) > 0 ? MEGABYTE / 100 : MEGABYTE;
	least = (least + unit - 1) / unit * unit;
	return error_set(err, BRISE_EINVAL,
	                 "%s: %.*f MB of memory are too few: the smallest file, its cache "
	                 "and scratch take %.*f MB",
	                 c->job->name, decimals(least), (double)asked / 1e6, decimals(least),
	                 (double)least / 1e6);
}
