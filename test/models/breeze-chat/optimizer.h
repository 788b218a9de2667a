/* optimizer.h - AdamW (arXiv 1711.05101), and what a training run needs to be continued */
#ifndef BREEZE_CHAT_OPTIMIZER_H
#define BREEZE_CHAT_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct training_state {
	uint64_t step, at; /* steps done; words of the data that were read */
	uint64_t tokens;
	float *parameters, *mean, *square; /* [N_PARAMETERS] each */
} training_state;

bool training_allocate(training_state *s);
void training_free(training_state *s);

/* Parameters begin..end of the step s->step (counted from 1). `scale` is applied to the gradient,
 * which is then cleared; matrices decay, vectors do not. */
void training_update(training_state *s, float *gradient, size_t begin, size_t end, float scale,
                     float rate);

/* Written beside and renamed. Both print what is wrong and return false. */
bool training_save(const training_state *s, const char *path);
bool training_load(training_state *s, const char *path);

#endif
