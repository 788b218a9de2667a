/* reference.h - a second implementation of Mistral's forward pass: doubles, the full attention
 * matrix, no ring, no chunks
 *
 * It shares with the runtime only the decoding of weights. Slow, and short enough to check by
 * reading.
 */
#ifndef TEST_REFERENCE_H
#define TEST_REFERENCE_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/model.h"
#include "runtime/model/weights.h"

/* Receives the inputs of matrices, [n][cols], as forward_observe_fn does. */
typedef void reference_see_fn(void *user, uint32_t kind, uint32_t layer, const double *rows);

typedef struct reference {
	const brise_model *model;
	const format_config *c;
	size_t n;
	size_t window, sinks;  /* window 0: none; of the current layer, where they differ */
	size_t limit;          /* no window is longer; 0: no limit */
	double *x;             /* [n][dim] */
	reference_see_fn *see; /* NULL: no observer */
	void *user;
} reference;

static inline void reference_show(const reference *r, uint32_t kind, uint32_t layer,
                                  const double *rows)
{
	if (r->see)
		r->see(r->user, kind, layer, rows);
}

static inline double *reference_array(size_t n)
{
	return calloc(n, sizeof(double));
}

static inline const format_tensor *reference_tensor(const reference *r, uint32_t kind,
                                                    uint32_t layer)
{
	return r->model->places[layer].kinds[kind];
}

/* y [n][rows] = x [n][cols] times the matrix of that kind and layer. */
static inline double *reference_multiply(const reference *r, uint32_t kind, uint32_t layer,
                                         const double *x)
{
	const format_tensor *w = reference_tensor(r, kind, layer);
	double *y = reference_array(r->n * w->rows);
	float *row = malloc(w->cols * sizeof *row);
	uint32_t i, col;
	size_t t;

	for (i = 0; i < w->rows; i++) {
		(void)weights_read_row(r->model, w, i, row, NULL);
		for (t = 0; t < r->n; t++)
			for (col = 0; col < w->cols; col++)
				y[t * w->rows + i] += (double)row[col] * x[t * w->cols + col];
	}
	free(row);
	return y;
}

static inline double *reference_norm(const reference *r, uint32_t kind, uint32_t layer)
{
	const float *weight = weights_norm(r->model, kind, layer);
	double *y = reference_array(r->n * r->c->dim);
	size_t t;
	uint32_t i;

	for (t = 0; t < r->n; t++) {
		const double *x = r->x + t * r->c->dim;
		double sum = 0;

		for (i = 0; i < r->c->dim; i++)
			sum += x[i] * x[i];
		for (i = 0; i < r->c->dim; i++)
			y[t * r->c->dim + i] = x[i] /
			                       sqrt(sum / r->c->dim + (double)r->c->norm_eps) *
			                       (double)weight[i];
	}
	return y;
}

/* The frequency of pair i of half: YaRN (arXiv 2309.00071) in the words of the paper and of
 * transformers' defaults, or linear scaling. */
static inline double reference_frequency(const format_config *c, uint32_t i)
{
	double d = c->head_dim, plain = pow(c->rope_theta, -2.0 * i / d), low, high, ramp;

	if (c->rope_scaling == ROPE_LINEAR)
		return plain / c->rope_factor;
	if (c->rope_scaling != ROPE_YARN)
		return plain;
	low = floor(d * log(c->rope_original / (c->rope_beta_fast * 2 * acos(-1))) /
	            (2 * log(c->rope_theta)));
	high = ceil(d * log(c->rope_original / (c->rope_beta_slow * 2 * acos(-1))) /
	            (2 * log(c->rope_theta)));
	low = fmax(low, 0);
	high = fmin(high, d - 1);
	high = low == high ? high + 0.001 : high;
	ramp = fmin(fmax((i - low) / (high - low), 0), 1);
	return plain / c->rope_factor * ramp + plain * (1 - ramp);
}

/* By what the queries of token t are multiplied. */
static inline double reference_query_factor(const format_config *c, size_t t)
{
	return c->query_beta > 0 ? 1 + c->query_beta * log1p(floor((double)t / c->query_original))
	                         : 1;
}

/* Rotates the heads of every token by its position, or by `last` where that is less. */
static inline void reference_rope(const reference *r, double *heads, uint32_t n_heads, size_t last)
{
	double magnitude = r->c->rope_magnitude > 0 ? r->c->rope_magnitude : 1;
	uint32_t half = r->c->head_dim / 2, h, i;
	size_t t;

	for (t = 0; t < r->n; t++)
		for (h = 0; h < n_heads; h++)
			for (i = 0; i < half; i++) {
				double *a = heads + (t * n_heads + h) * r->c->head_dim + i,
				       *b = a + half, old = *a;
				double angle = (double)(t < last ? t : last) *
				               reference_frequency(r->c, i);

				*a = magnitude * (old * cos(angle) - *b * sin(angle));
				*b = magnitude * (*b * cos(angle) + old * sin(angle));
			}
}

/* Whether token t attends to token s at their distance within a cache: s is one of the sinks, and
 * t's window has left it behind. */
static inline bool reference_is_sink(const reference *r, size_t t, size_t s)
{
	return s < r->sinks && t >= r->window;
}

/* Whether token t attends to token s <= t: the window's last tokens, or sinks and the last that
 * remain. */
static inline bool reference_sees(const reference *r, size_t t, size_t s)
{
	return r->window == 0 || t < r->window || t - s < r->window - r->sinks || s < r->sinks;
}

/* sink_q: the queries, rotated for sinks. */
static inline double *reference_attend(const reference *r, const double *q, const double *sink_q,
                                       const double *k, const double *v)
{
	uint32_t hd = r->c->head_dim, group = r->c->n_heads / r->c->n_kv_heads, h, i;
	double *out = reference_array(r->n * r->c->n_heads * hd), *p = reference_array(r->n);
	size_t t, s;

	for (t = 0; t < r->n; t++)
		for (h = 0; h < r->c->n_heads; h++) {
			double sum = 0;

			for (s = 0; s <= t; s++) {
				const double *query = reference_is_sink(r, t, s) ? sink_q : q;

				p[s] = 0;
				if (!reference_sees(r, t, s))
					continue;
				for (i = 0; i < hd; i++)
					p[s] += query[(t * r->c->n_heads + h) * hd + i] *
					        k[(s * r->c->n_kv_heads + h / group) * hd + i];
				p[s] = exp(p[s] / sqrt(hd) * reference_query_factor(r->c, t));
				sum += p[s];
			}
			for (s = 0; s <= t; s++)
				for (i = 0; i < hd; i++)
					out[(t * r->c->n_heads + h) * hd + i] +=
					        p[s] / sum *
					        v[(s * r->c->n_kv_heads + h / group) * hd + i];
		}
	free(p);
	return out;
}

/* x += y; frees y. */
static inline void reference_add(reference *r, double *y)
{
	size_t i;

	for (i = 0; i < r->n * r->c->dim; i++)
		r->x[i] += y[i];
	free(y);
}

static inline void reference_layer(reference *r, uint32_t index)
{
	double *in, *q, *sink_q, *k, *v, *mixed, *gate, *up;
	size_t i;

	if (r->model->windows) {
		r->window = r->model->windows[index];
		if (r->limit > 0 && (r->window == 0 || r->window > r->limit))
			r->window = r->limit;
	}
	in = reference_norm(r, TENSOR_ATTENTION_NORM, index);
	q = reference_multiply(r, TENSOR_WQ, index, in);
	k = reference_multiply(r, TENSOR_WK, index, in);
	v = reference_multiply(r, TENSOR_WV, index, in);
	reference_show(r, TENSOR_WQ, index, in);
	sink_q = reference_array(r->n * r->c->n_heads * r->c->head_dim);
	memcpy(sink_q, q, r->n * r->c->n_heads * r->c->head_dim * sizeof *q);
	reference_rope(r, q, r->c->n_heads, SIZE_MAX);
	reference_rope(r, sink_q, r->c->n_heads, r->window - 1);
	reference_rope(r, k, r->c->n_kv_heads, SIZE_MAX);
	mixed = reference_attend(r, q, sink_q, k, v);
	reference_show(r, TENSOR_WO, index, mixed);
	reference_add(r, reference_multiply(r, TENSOR_WO, index, mixed));
	free(in), free(q), free(sink_q), free(k), free(v), free(mixed);
	in = reference_norm(r, TENSOR_FFN_NORM, index);
	reference_show(r, TENSOR_W1, index, in);
	gate = reference_multiply(r, TENSOR_W1, index, in);
	up = reference_multiply(r, TENSOR_W3, index, in);
	for (i = 0; i < r->n * r->c->hidden_dim; i++)
		gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
	reference_show(r, TENSOR_W2, index, gate);
	reference_add(r, reference_multiply(r, TENSOR_W2, index, gate));
	free(in), free(gate), free(up);
}

/* Logits [n][vocab] of all tokens; freed by the caller. */
static inline double *reference_run(reference *r, const int32_t *tokens)
{
	float *row = malloc(r->c->dim * sizeof *row);
	double *in, *logits;
	uint32_t layer, i;
	size_t t;

	r->x = reference_array(r->n * r->c->dim);
	for (t = 0; t < r->n; t++) {
		(void)weights_read_row(r->model, reference_tensor(r, TENSOR_EMBEDDING, 0),
		                       (uint32_t)tokens[t], row, NULL);
		for (i = 0; i < r->c->dim; i++)
			r->x[t * r->c->dim + i] = (double)row[i];
	}
	for (layer = 0; layer < r->c->n_layers; layer++)
		reference_layer(r, layer);
	in = reference_norm(r, TENSOR_FINAL_NORM, 0);
	reference_show(r, TENSOR_OUTPUT, 0, in);
	logits = reference_multiply(r, TENSOR_OUTPUT, 0, in);
	free(in), free(row), free(r->x);
	return logits;
}

static inline double *reference_observe(const brise_model *model, const int32_t *tokens, size_t n,
                                        reference_see_fn *see, void *user)
{
	reference r = { .model = model,
		        .c = &model->config,
		        .n = n,
		        .window = model->config.window,
		        .see = see,
		        .user = user };

	return reference_run(&r, tokens);
}

static inline double *reference_logits(const brise_model *model, const int32_t *tokens, size_t n)
{
	return reference_observe(model, tokens, n, NULL, NULL);
}

/* With another window than the model's, and attention sinks. */
static inline double *reference_sink_logits(const brise_model *model, const int32_t *tokens,
                                            size_t n, size_t window, size_t sinks)
{
	reference r = { .model = model,
		        .c = &model->config,
		        .n = n,
		        .window = window,
		        .sinks = sinks,
		        .limit = window };

	return reference_run(&r, tokens);
}

#endif
