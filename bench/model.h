/* model.h - speed of a whole model: prefill, decode, start, memory */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include "bench/limits.h"
#include "bench/pages.h"

typedef struct bench_model_options {
	const char *path;
	const char *program; /* of the fresh process; NULL: no start is measured */
	uint32_t prompt, generate, threads;
	const char *arch;
	bool drafts; /* generate a text that repeats its prompt, too */
	brise_cancel_fn *cancel;
	void *user;
} bench_model_options;

typedef struct bench_model_result {
	bench_limits limits;
	double prefill_tokens_per_s, decode_tokens_per_s; /* 0: not asked for */
	/* decode: of what the best plain loop reads from the model's own mapping, of what it reads
	 * from memory if that is not known; prefill: of limits.int8_gops */
	double decode_fraction, prefill_fraction;
	double file_gbps;  /* what the best plain loop reads from the mapping; 0: no megabyte */
	bench_pages pages; /* of the mapping */
	uint32_t warm_up;  /* passes over the weights before anything was measured */
	double drafts_tokens_per_s, drafts_tokens_per_pass; /* 0: not asked for */
	double first_token_s; /* from exec to the first byte on standard output; 0: not measured */
	uint64_t anon_bytes;  /* peak RssAnon of that process; 0: not known */
	uint64_t token_bytes; /* file and cache bytes read per decoded token */
	const char *arch;
	uint32_t threads;
	char type[8];
} bench_model_result;

brise_status bench_measure_model(bench_model_result *result, const bench_model_options *options,
                                 brise_error *err);

#endif
