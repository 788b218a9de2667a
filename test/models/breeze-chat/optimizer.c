/* optimizer.c - AdamW and checkpoints of a training run
 *
 * A checkpoint is for the machine that wrote it: a magic number, the counters and the three arrays,
 * as they are in memory.
 */
#include "test/models/breeze-chat/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/models/breeze-chat/model.h"

#define BETA1 0.9
#define BETA2 0.98
#define EPS   1e-8f
#define DECAY 0.01f

#define MAGIC UINT64_C(0x3174616863647a62)

bool training_allocate(training_state *s)
{
	*s = (training_state){ 0 };
	s->parameters = calloc(N_PARAMETERS, sizeof(float));
	s->mean = calloc(N_PARAMETERS, sizeof(float));
	s->square = calloc(N_PARAMETERS, sizeof(float));
	return s->parameters && s->mean && s->square;
}

void training_free(training_state *s)
{
	free(s->parameters);
	free(s->mean);
	free(s->square);
}

void training_update(training_state *s, float *gradient, size_t begin, size_t end, float scale,
                     float rate)
{
	float correct1 = (float)(1.0 / (1.0 - pow(BETA1, (double)s->step)));
	float correct2 = (float)(1.0 / (1.0 - pow(BETA2, (double)s->step)));
	tensor list[N_TENSORS];
	size_t t, i;

	model_list_tensors(list);
	for (t = 0; t < N_TENSORS; t++) {
		size_t first = list[t].at, last = first + model_tensor_size(&list[t]);
		float kept = list[t].columns ? 1.0f - rate * DECAY : 1.0f;

		first = first < begin ? begin : first;
		last = last > end ? end : last;
		for (i = first; i < last; i++) {
			float g = gradient[i] * scale;
			s->mean[i] += (float)(1.0 - BETA1) * (g - s->mean[i]);
			s->square[i] += (float)(1.0 - BETA2) * (g * g - s->square[i]);
			s->parameters[i] = s->parameters[i] * kept -
			                   rate * s->mean[i] * correct1 /
			                           (sqrtf(s->square[i] * correct2) + EPS);
			gradient[i] = 0.0f;
		}
	}
}

bool training_save(const training_state *s, const char *path)
{
	uint64_t head[4] = { MAGIC, s->step, s->at, s->tokens };
	char part[4096];
	FILE *file;
	bool ok;

	snprintf(part, sizeof part, "%s.part", path);
	file = fopen(part, "wb");
	ok = file && fwrite(head, sizeof head, 1, file) == 1 &&
	     fwrite(s->parameters, sizeof(float), N_PARAMETERS, file) == N_PARAMETERS &&
	     fwrite(s->mean, sizeof(float), N_PARAMETERS, file) == N_PARAMETERS &&
	     fwrite(s->square, sizeof(float), N_PARAMETERS, file) == N_PARAMETERS;
	if (file && fclose(file))
		ok = false;
	if (ok && !rename(part, path))
		return true;
	fprintf(stderr, "%s: cannot be written\n", path);
	return false;
}

bool training_load(training_state *s, const char *path)
{
	uint64_t head[4];
	FILE *file = fopen(path, "rb");
	bool ok = file && fread(head, sizeof head, 1, file) == 1 && head[0] == MAGIC &&
	          fread(s->parameters, sizeof(float), N_PARAMETERS, file) == N_PARAMETERS &&
	          fread(s->mean, sizeof(float), N_PARAMETERS, file) == N_PARAMETERS &&
	          fread(s->square, sizeof(float), N_PARAMETERS, file) == N_PARAMETERS;

	if (file)
		fclose(file);
	if (ok) {
		s->step = head[1];
		s->at = head[2];
		s->tokens = head[3];
	} else
		fprintf(stderr, "%s: no whole checkpoint\n", path);
	return ok;
}
