/* lora_reading.h - adapters in memory, and one while it is read; for lora*.c alone */
#ifndef CONVERT_CHECKPOINT_LORA_READING_H
#define CONVERT_CHECKPOINT_LORA_READING_H

#include "convert/checkpoint/checkpoint.h"
#include "convert/checkpoint/lora_config.h"
#include "convert/checkpoint/lora_names.h"
#include "convert/checkpoint/naming.h"
#include "convert/formats/tensors.h"
#include "runtime/model/format.h"

typedef struct lora_pair {
	uint32_t rank; /* 0: none */
	float *a;      /* [rank][cols] */
	float *b;      /* [rows][rank], times the factor */
	/* a matrix that replaces the model's */
	bool whole;
	uint32_t dtype;
	uint64_t offset; /* in the adapter's file */
} lora_pair;

/* The file of one adapter's tensors, open while there are whole matrices in it. */
typedef struct lora_file {
	char *path;
	int descriptor; /* -1: closed */
} lora_file;

struct lora {
	size_t n;
	uint32_t n_layers;
	lora_file *files; /* [n] */
	lora_pair *pairs; /* [n][n_layers][TENSOR_KINDS]; kinds outside layers in layer 0 */
};

/* Who wrote an adapter: what its files and tensors are called. */
typedef struct lora_form {
	const char *config, *tensors; /* files */
	const naming *names;          /* of matrices */
	checkpoint_rope rope;
	bool layers_only; /* the embedding and the output have no adapters */
} lora_form;

/* What one adapter is read with. */
typedef struct lora_reading {
	const format_config *model;
	bool tied;
	const lora_form *form;
	char *given, *folder,
	        *path; /* what the user pointed at, its folder, and the file of the tensors */
	double scale;
	lora_config config;
	int descriptor;
	tensor_list list;
	lora_pair *pairs; /* [n_layers][TENSOR_KINDS] */
	uint32_t n_pairs, n_whole;
	char *first;      /* the first tensor's name */
	lora_place place; /* and what it said: all have the same prefix and adapter's name */
	uint32_t low_rank, high_rank;
	double low_factor, high_factor;
	brise_error *err;
} lora_reading;

/* Takes one tensor of the adapter's file into its pair. Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED
 * what is not of a pair or a whole matrix of this model; BRISE_EIO; BRISE_ENOMEM. */
brise_status lora_take_tensor(lora_reading *in, const named_tensor *t);

/* Once all are taken: both halves of each pair, and sums that stay finite. Errors: BRISE_EFORMAT.
 */
brise_status lora_check_pairs(const lora_reading *in);

#endif
