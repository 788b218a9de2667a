/* place.h - the places where jobs are answered: a sequence each, and the text that it holds
 *
 * A text stays when its job is over, for the next job of the same owner that begins alike. A job
 * gets the free place whose text it continues; or another, and a copy of what it shares with any
 * place's text; or what the owner's prompt cache on disk has, where that is more. The disk is the
 * keeper's (keeper.h): a job that needs it waits, and others go on.
 */
#ifndef SERVE_PLACE_H
#define SERVE_PLACE_H

#include "runtime/drafter.h"
#include "runtime/serve/drawing.h"
#include "runtime/serve/keeper.h"

/* Tokens that are worth copying or waiting for. */
#define PLACE_WORTH 16u

/* Of a job that prepares: what comes next. */
typedef enum place_step {
	PLACE_SAVES,  /* the text that must leave for it */
	PLACE_SEEKS,  /* a text on disk that the job continues */
	PLACE_SETTLES /* with what is found, or what places have */
} place_step;

typedef struct place {
	brise_sequence *sequence; /* NULL: not made yet */
	int32_t *tokens;          /* [n], room for [most]: its text, of which those before the
	                           * sequence's position have been evaluated */
	size_t n, most;
	size_t owner;
	size_t cached;   /* how many of the text are in the prompt cache, or on the way there */
	bool is_on_disk; /* the keeper has its task: sequence, tokens and n are not to be changed */
	uint64_t used;   /* when its last job began, counted in jobs */

	job *job; /* NULL: free */
	drawing drawing;
	place_state state;
	place_step step;
	uint64_t number;         /* of the job */
	size_t n_kept;           /* tokens of the prompt that needed no evaluation */
	double began, evaluated; /* os_clock when it got the place, and when the prompt was read */
	double *sums;            /* [dim] of states, for an embedding; NULL: none */
	drafter drafts;
	bool has_drafts;
	/* While another job reads a prompt that begins alike, it waits for that to be read. */
	struct place *follows;   /* NULL: nobody */
	uint64_t follows_number; /* that job */
	size_t follows_until;    /* so many tokens */

	/* In the pass that is evaluated. */
	uint32_t n_rows, n_drafts, n_drawn_from;
	size_t first_row;
	int32_t draft_tokens[DRAFT_MOST];
} place;

typedef struct place_set {
	place *places; /* [n] */
	uint32_t n;
	const brise_model *model; /* that sequences are of */
	brise_sequence_options options;
	keeper *keeper;       /* NULL: no cache */
	owner_caches *caches; /* for who saves without the keeper; NULL: no cache */
	uint64_t count;       /* jobs that have got a place */
} place_set;

/* Tokens of its text that are evaluated. */
size_t place_count_held(const place *p);

/* Gives a job a place that is free; there is one. It prepares then, with a drawing that is not
 * opened. */
place *place_take(place_set *set, job *j);

/* Takes what the keeper has done. Before: */
void place_collect(place_set *set);

/* Ends the keeper: texts that it has not saved are saved by place_save. */
void place_stop_keeper(place_set *set);

/* Goes on preparing for the job. *is_ready false: the disk is waited for. On an error the text is
 * gone. Errors: BRISE_ENOMEM, BRISE_EIO. */
brise_status place_prepare(place_set *set, place *p, bool *is_ready, brise_error *err);

/* Whether the job can leave now: the keeper does not read it. */
bool place_may_leave(const place_set *set, const place *p);

/* Whether it must wait for another's prompt, which is worth it; takes that part when it is there.
 */
bool place_waits(place_set *set, place *p);

/* Adds a drawn token to the text. False: no memory. */
bool place_add(place *p, int32_t token);

/* Its job is over: the text stays, as far as it is evaluated, if the job keeps it. Of a job that
 * prepared, the text from before it stays. */
void place_leave(place_set *set, place *p);

/* Forgets the text; the sequence too, if it has failed. */
void place_forget(place *p, bool failed);

/* Puts a free place's text into its owner's cache, if there is one and the text is not there: lets
 * the keeper do it, or does it here. Returns whether there was something to do. */
bool place_ask_to_save(place_set *set, place *p);
bool place_save(place_set *set, place *p);

/* Frees sequences and texts; all places are free, none is on disk. */
void place_release_all(place_set *set);

#endif
