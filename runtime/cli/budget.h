/* budget.h - how much memory a command may take, and what of the weights stays in it */
#ifndef CLI_BUDGET_H
#define CLI_BUDGET_H

#include "runtime/brise.h"

typedef enum budget_kind {
	BUDGET_AUTO, /* what this machine has to spare */
	BUDGET_ALL,  /* no limit: the file is mapped */
	BUDGET_MIN,  /* the least this model takes */
	BUDGET_BYTES
} budget_kind;

typedef struct budget {
	budget_kind kind;
	uint64_t bytes; /* BUDGET_BYTES: for the whole process */
	/* the part of it, and of what auto finds, for this model; 0: all. Of a process with several
	 * models */
	double share;
	uint64_t available; /* what auto found before any of them was opened; 0: look now */
} budget;

/* Bytes that the system has to spare now; 0: unknown. */
uint64_t budget_read_available(void);

/* "auto", "all", "min" or a size such as 3G, 1.5GB, 512MiB; NULL is auto. K, M, G and T count
 * in thousands, Ki, Mi, Gi and Ti in 1024; a number alone counts bytes. False: none of these. */
bool budget_read(const char *text, budget *out);

/* What to give brise_limit_memory, where the process takes own_bytes besides weights and
 * `available` more are to be had (0: unknown). UINT64_MAX: no limit. */
uint64_t budget_for_weights(const budget *b, const brise_model *model, uint64_t own_bytes,
                            uint64_t available);

/* The limit that budget_apply would set; UINT64_MAX: none. Returns COMMANDS_READY or the exit
 * status, with the error printed. */
int budget_choose(const budget *b, const char *command, const brise_model *model,
                  uint64_t own_bytes, uint64_t *bytes);

/* Limits the model as the budget says, with progress; own_bytes as above. Returns COMMANDS_READY or
 * the exit status, with the error printed. */
int budget_apply(const budget *b, const char *command, brise_model *model, uint64_t own_bytes);

#endif
