/* check.c - see check.h */
#include "test/models/breeze-chat/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/models/breeze-chat/model.h"
#include "test/models/breeze-chat/optimizer.h"
#include "test/models/breeze-chat/transformer.h"

/* Three sequences, the first longer than the window. */
#define FIRST  (WINDOW + 10)
#define SECOND (FIRST + 10)
#define ALL    (SECOND + 20)

typedef struct sample {
	int32_t tokens[ALL], targets[ALL];
	bool begins[ALL];
} sample;

static void fill_sample(sample *s)
{
	uint32_t random = 1;

	for (size_t i = 0; i < ALL; i++) {
		random = random * 1664525u + 1013904223u;
		s->tokens[i] = (int32_t)(random >> 20) & (VOCAB - 1);
		s->targets[i] = random >> 9 & 3 ? -1 : (int32_t)(random >> 10) & (VOCAB - 1);
		s->begins[i] = i == 0 || i == FIRST || i == SECOND;
	}
}

static double loss_of(transformer *t, const float *parameters, const sample *s, float *gradient)
{
	return transformer_loss(t, parameters, s->tokens, s->targets, s->begins, ALL, gradient,
	                        NULL);
}

/* Moves the tensor along its gradient until the loss has changed by about STEP either way: enough
 * above the rounding of float, and still nearly straight. */
#define STEP 0.1

static double difference(transformer *t, float *parameters, const sample *s, const float *gradient,
                         size_t n, size_t at)
{
	double squares = 0.0, loss[2];
	float *before = malloc(n * sizeof *before);

	if (!before)
		return INFINITY;
	memcpy(before, parameters + at, n * sizeof *before);
	for (size_t i = 0; i < n; i++)
		squares += (double)gradient[at + i] * (double)gradient[at + i];
	for (int side = 0; side < 2; side++) {
		float by = (float)((side ? -STEP : STEP) / squares);
		for (size_t i = 0; i < n; i++)
			parameters[at + i] = before[i] + by * gradient[at + i];
		loss[side] = loss_of(t, parameters, s, NULL);
	}
	memcpy(parameters + at, before, n * sizeof *before);
	free(before);
	return fabs((loss[0] - loss[1]) / (2.0 * STEP) - 1.0);
}

static double check_tensors(transformer *t, float *parameters, const sample *s,
                            const float *gradient)
{
	tensor list[N_TENSORS];
	double worst = 0.0;

	model_list_tensors(list);
	for (size_t i = 0; i < N_TENSORS; i++) {
		size_t at = list[i].at;
		double d;

		if (at >= AT_LAYERS + LAYER_SIZE && at < AT_NORM - LAYER_SIZE)
			continue;
		d = difference(t, parameters, s, gradient, model_tensor_size(&list[i]), at);
		printf("%-50s %.5f\n", list[i].name, d);
		worst = fmax(worst, d);
	}
	printf("largest relative difference %.5f\n", worst);
	return worst;
}

/* Whether each of some steps lowers the loss. */
static bool check_steps(transformer *t, training_state *state, const sample *s, float *gradient)
{
	double before, after;

	memset(gradient, 0, N_PARAMETERS * sizeof *gradient);
	before = loss_of(t, state->parameters, s, gradient);
	for (state->step = 1; state->step <= 3; state->step++, before = after) {
		training_update(state, gradient, 0, N_PARAMETERS, 0.01f, 1e-4f);
		after = loss_of(t, state->parameters, s, gradient);
		printf("step %llu: loss %.3f, was %.3f\n", (unsigned long long)state->step, after,
		       before);
		if (after >= before)
			return false;
	}
	return true;
}

bool check_gradient(const float *parameters)
{
	static sample s;
	training_state state;
	bool ok = training_allocate(&state);
	float *gradient = calloc(N_PARAMETERS, sizeof *gradient);
	transformer *t = transformer_allocate(ALL);

	ok = ok && gradient && t;
	if (ok) {
		memcpy(state.parameters, parameters, N_PARAMETERS * sizeof *parameters);
		fill_sample(&s);
		loss_of(t, state.parameters, &s, gradient);
		ok = check_tensors(t, state.parameters, &s, gradient) < 0.01 &&
		     check_steps(t, &state, &s, gradient);
	}
	transformer_free(t);
	free(gradient);
	training_free(&state);
	return ok;
}

bool check_perplexity(const float *parameters, const char *ids)
{
	enum { MOST = 1 << 15 };
	int32_t *tokens = calloc(MOST, sizeof *tokens);
	bool *begins = calloc(MOST, sizeof *begins);
	FILE *file = fopen(ids, "r");
	transformer *t = NULL;
	size_t n = 0;
	int id;

	if (file && tokens && begins)
		while (n < MOST && fscanf(file, "%d", &id) == 1)
			tokens[n++] = id & (VOCAB - 1);
	if (file)
		fclose(file);
	if (n > 1 && (t = transformer_allocate(n - 1))) {
		begins[0] = true;
		printf("%zu tokens, perplexity %.4f\n", n,
		       exp(transformer_loss(t, parameters, tokens, tokens + 1, begins, n - 1, NULL,
		                            NULL) /
		           (double)(n - 1)));
	} else
		fprintf(stderr, "%s: no ids, or no memory\n", ids);
	free(tokens);
	free(begins);
	transformer_free(t);
	return t != NULL;
}
