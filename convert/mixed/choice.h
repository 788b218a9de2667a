/* choice.h - q3, q4 or q8 for each matrix, by what they lose, within a budget */
#ifndef CONVERT_MIXED_CHOICE_H
#define CONVERT_MIXED_CHOICE_H

#include "convert/encode.h"
#include "convert/formats/notes.h"
#include "convert/mixed/losses.h"
#include "convert/types.h"

/* Threads whose scratch a budget of memory has room for: boards have four cores, and a file is to
 * be the same wherever it is made. */
#define CHOICE_THREADS 4u

typedef struct choice {
	const encode_job *job;
	types_loss *losses; /* [n_tensors] of the plan */
	losses_how how;     /* losses were measured; no tokens: they are guessed by kind */
	uint64_t most;      /* bytes of the file */
	uint64_t beside;    /* bytes of cache and scratch, with a budget of memory */
} choice;

/* Finds the budget, and guesses what every matrix of the plan without a type (0) loses, by its kind
 * and the error of some rows. Errors: BRISE_ENOMEM, BRISE_ECANCELED, those of the source's read.
 * Call choice_free in the end and after an error. */
brise_status choice_new(choice **out, const encode_job *job, brise_error *err);
void choice_free(choice *c);

/* False: the calibration has no text, or too little, or measured losses would choose the same
 * types, since all are equal. */
bool choice_can_measure(const choice *c);

/* Measured losses (convert/mixed/losses.h) take the place of those guessed. The chosen types are
 * undone. Errors: those of losses_measure. */
brise_status choice_measure(choice *c, brise_error *err);

/* Types for `room` bytes more than if all were q3. Errors: BRISE_ENOMEM. */
brise_status choice_spend(const choice *c, uint64_t room, brise_error *err);

/* Adds lines: how types were chosen, and for each kind which layers have which. */
void choice_describe(const choice *c, notes *lines);

/* BRISE_EINVAL: the plan's file does not fit into the memory. More bits than asked for are told
 * elsewhere. */
brise_status choice_check(const choice *c, brise_error *err);

#endif
