/* losses_progress.c - work in bytes of weights that passes read */
#include "convert/mixed/losses_progress.h"

#include <stdio.h>

#include "convert/mixed/parts.h"
#include "runtime/model/model.h"
#include "runtime/model/order.h"
#include "runtime/os/os.h"

/* Encoding a matrix twice takes about as long as multiplying it by so many tokens. */
#define ENCODE_TOKENS 4000u

static const format_config *config_of(const losses_progress *p)
{
	return &p->job->plan->source->config;
}

static uint64_t layer_bytes(const losses_progress *p)
{
	uint32_t kind, rows, cols;
	uint64_t bytes = 0;

	for (kind = TENSOR_ATTENTION_NORM; kind <= TENSOR_W2; kind++) {
		(void)model_tensor_shape(config_of(p), kind, &rows, &cols);
		bytes += 2 * (uint64_t)rows * cols;
	}
	return bytes;
}

static uint64_t output_bytes(const losses_progress *p)
{
	return 2 * (uint64_t)config_of(p)->vocab * config_of(p)->dim;
}

/* Encoding `bytes` of matrices, as that many bytes of passes. */
static uint64_t encode_work(const losses_progress *p, uint64_t bytes)
{
	return bytes * ENCODE_TOKENS / p->tokens;
}

void losses_begin(losses_progress *p, const encode_job *job, bool by_layer, size_t tokens)
{
	const file_plan *plan = job->plan;
	uint64_t inside, outside, streams = 1;
	uint32_t i;

	*p = (losses_progress){ .job = job, .tokens = tokens, .start = os_clock() };
	inside = layer_bytes(p);
	outside = output_bytes(p);
	p->total = config_of(p)->n_layers * encode_work(p, inside) + encode_work(p, outside);
	for (i = 0; i < plan->n_tensors; i++) {
		const format_tensor *t = &plan->tensors[i];

		p->total += t->kind == TENSOR_ATTENTION_NORM ? streams * inside : 0;
		if (parts_begin(plan, by_layer, i)) {
			streams++;
			p->total += order_is_in_layer(t->kind) ? inside : 0;
		}
	}
	p->total += streams * outside;
}

void losses_name_layer(losses_progress *p, uint32_t layer)
{
	(void)snprintf(p->name, sizeof p->name, "measuring layer %u", (unsigned)layer);
}

void losses_name_output(losses_progress *p)
{
	(void)snprintf(p->name, sizeof p->name, "measuring output");
}

void losses_pass_done(losses_progress *p, double seconds)
{
	p->passing += seconds;
	p->done += layer_bytes(p);
}

void losses_layer_encoded(losses_progress *p)
{
	p->done += encode_work(p, layer_bytes(p));
}

void losses_output_encoded(losses_progress *p)
{
	p->done += encode_work(p, output_bytes(p));
}

void losses_prediction_done(losses_progress *p)
{
	p->done += output_bytes(p);
}

brise_status losses_report(const losses_progress *p, brise_error *err)
{
	const convert_options *o = p->job->options;

	if (o->progress)
		o->progress(o->user, p->name, p->done, p->total);
	return encode_ask_cancel(o, p->job->name, err);
}

brise_status losses_tell_share(void *progress, double share, brise_error *err)
{
	(void)share;
	return losses_report(progress, err);
}

static void tell(const encode_job *job, const char *line)
{
	if (job->options->decision)
		job->options->decision(job->options->user, line);
}

void losses_tell_needs(const encode_job *job, size_t tokens, size_t parts, bool by_layer,
                       double bytes)
{
	char line[160];

	(void)snprintf(line, sizeof line,
	               by_layer ? "measuring what %zu parts lose, layers, embedding and output, on "
	                          "%zu tokens: %.0f MB of memory"
	                        : "measuring what each of %zu matrices loses, on %zu tokens: %.0f "
	                          "MB of memory",
	               parts, tokens, bytes / 1e6);
	tell(job, line);
}

void losses_tell_time(const losses_progress *p)
{
	uint32_t n_layers = config_of(p)->n_layers;
	uint64_t inside = layer_bytes(p), outside = output_bytes(p),
	         encoded = encode_work(p, inside), passed = p->done - encoded,
	         to_pass = p->total - n_layers * encoded - encode_work(p, outside) - passed;
	double encoding = os_clock() - p->start - p->passing,
	       to_encode = n_layers - 1 + (double)outside / (double)inside,
	       left = encoding * to_encode + p->passing * (double)to_pass / (double)passed;
	char line[96];

	if (left < 120)
		return;
	(void)snprintf(line, sizeof line, "measuring takes about %.0f minutes more", left / 60);
	tell(p->job, line);
}
