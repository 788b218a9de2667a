/* model.h - speed of a whole model: prefill, decode, start, memory */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include "bench/limits.h"
#include "bench/pages.h"

typedef struct bench_model_options {
	/* an engine of the model and a sequence, unused so far */
	const brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	uint32_t prompt, generate;
	bool drafts; /* generate a text that repeats its prompt, too */
	void (*begin)(void *user, const char *what); /* called as each measurement begins */
	brise_cancel_fn *cancel;                     /* called before each layer */
	void *user;
} bench_model_options;

typedef struct bench_start_options {
	const char *program, *path; /* of the fresh process, and of the model */
	const char *arch, *memory;  /* what it is given as --arch and --memory */
	uint32_t threads;
} bench_start_options;

typedef struct bench_model_result {
	bench_limits limits;
	double prefill_tokens_per_s, decode_tokens_per_s; /* 0: not asked for */
	/* decode: of what the best plain loop reads from the model's own mapping, of what it reads
	 * from memory if that is not known; where weights are limited, of the slower of what the
	 * disk gives of streamed weights and memory of all. prefill: of limits.int8_gops */
	double decode_fraction, prefill_fraction;
	double file_gbps;  /* what the best plain loop reads from the mapping; 0: no megabyte */
	bench_pages pages; /* of the mapping */
	uint32_t warm_up;  /* passes over the weights before anything was measured */
	double drafts_tokens_per_s, drafts_tokens_per_pass; /* 0: not asked for */
	double first_token_s; /* from exec to the first byte on standard output; 0: not measured */
	uint64_t anon_bytes;  /* peak RssAnon of that process; 0: not known */
	uint64_t token_bytes; /* file and cache bytes read per decoded token */
	brise_memory_facts memory;
	/* under a limit: what the disk gives (0: unknown), and bytes read from it in each pass of
	 * decode, and for the prompt */
	double disk_gbps, pass_bytes;
	uint64_t prompt_bytes;
	const char *arch;
	uint32_t threads, rows;
	char type[8];
} bench_model_result;

/* Each fills what it measures of *result, which is zero before the first; in this order.
 * What this machine's limits are, by reading `bytes` of memory.
 * Errors: BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status bench_measure_machine(bench_model_result *result, const char *arch, uint32_t threads,
                                   size_t bytes, brise_error *err);

/* Prefill and decode, without fractions. Errors: as of evaluation. */
brise_status bench_measure_model(bench_model_result *result, const bench_model_options *options,
                                 brise_error *err);

/* The fractions; where weights are streamed, of what the disk gives, which is measured for that.
 * The engine must have been freed: it reads ahead. */
void bench_relate_model(bench_model_result *result, const brise_model *model);

/* The start of a fresh process; no other should hold the model's weights meanwhile.
 * Errors: BRISE_EIO. */
brise_status bench_measure_start(bench_model_result *result, const bench_start_options *options,
                                 brise_error *err);

#endif
