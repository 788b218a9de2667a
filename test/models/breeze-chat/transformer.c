/* transformer.c - forward and backward pass of Mistral's architecture in float32
 *
 * The forward pass keeps what the backward pass needs of every layer: its input, the normalised
 * inputs of both halves, rotated queries and keys, values, attention's output, gate and up. Softmax
 * weights are computed again from one number per query and head (the logarithm of their sum).
 * Matrix gradients are two products each: for y = x W^T, dx = dy W and dW += dy^T x.
 * The output matrix sees only the rows that have a target.
 */
#include "test/models/breeze-chat/transformer.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test/models/breeze-chat/matmul.h"
#include "test/models/breeze-chat/model.h"

#define HEAD_ROWS 256 /* rows whose logits are in memory at a time */

typedef struct layer_state {
	float *x;        /* [n][DIM] input */
	float *normed;   /* [n][DIM] */
	float *qkv;      /* [n][QKV_DIM] after rotation */
	float *attended; /* [n][Q_DIM] */
	float *log_sum;  /* [n][N_HEADS] */
	float *middle;   /* [n][DIM] input of the feed-forward half */
	float *normed2;  /* [n][DIM] */
	float *gate_up;  /* [n][2 * HIDDEN_DIM] */
	float *hidden;   /* [n][HIDDEN_DIM] silu(gate) * up */
} layer_state;

struct transformer {
	size_t most;
	matmul_scratch *scratch;
	layer_state layers[N_LAYERS];
	float *x, *dx;             /* [n][DIM] output of the last layer; gradient of the flow */
	float *dnormed;            /* [n][DIM] */
	float *dwide;              /* [n][2 * HIDDEN_DIM]: of gate and up, or of q, k, v */
	float *dhidden;            /* [n][HIDDEN_DIM]: of hidden, or of attended */
	float *cosine, *sine;      /* [most][HEAD_DIM / 2] */
	size_t *first;             /* [n] the earliest position that a query sees */
	size_t *position;          /* [n] within its sequence */
	size_t *rows;              /* [n] the rows with a target */
	float *picked, *dpicked;   /* [HEAD_ROWS][DIM] */
	float *logits;             /* [HEAD_ROWS][VOCAB] */
	float weights[2 * WINDOW]; /* of one query */
};

static bool take(float **to, size_t numbers)
{
	*to = aligned_alloc(64, (numbers * sizeof **to + 63) / 64 * 64);
	return *to != NULL;
}

static void fill_angles(transformer *t)
{
	size_t pos, i;

	for (pos = 0; pos < t->most; pos++)
		for (i = 0; i < HEAD_DIM / 2; i++) {
			double angle = (double)pos * pow(ROPE_THETA, -2.0 * (double)i / HEAD_DIM);
			t->cosine[pos * HEAD_DIM / 2 + i] = (float)cos(angle);
			t->sine[pos * HEAD_DIM / 2 + i] = (float)sin(angle);
		}
}

transformer *transformer_allocate(size_t most)
{
	transformer *t = calloc(1, sizeof *t);
	size_t i;
	bool ok;

	if (!t)
		return NULL;
	t->most = most;
	t->scratch = matmul_allocate();
	ok = t->scratch && take(&t->x, most * DIM) && take(&t->dx, most * DIM) &&
	     take(&t->dnormed, most * DIM) && take(&t->dwide, most * 2 * HIDDEN_DIM) &&
	     take(&t->dhidden, most * HIDDEN_DIM) && take(&t->cosine, most * HEAD_DIM / 2) &&
	     take(&t->sine, most * HEAD_DIM / 2) && take(&t->picked, HEAD_ROWS * DIM) &&
	     take(&t->dpicked, HEAD_ROWS * DIM) && take(&t->logits, HEAD_ROWS * VOCAB) &&
	     (t->first = calloc(most, sizeof *t->first)) != NULL &&
	     (t->position = calloc(most, sizeof *t->position)) != NULL &&
	     (t->rows = calloc(most, sizeof *t->rows)) != NULL;
	for (i = 0; i < N_LAYERS && ok; i++) {
		layer_state *l = &t->layers[i];
		ok = take(&l->x, most * DIM) && take(&l->normed, most * DIM) &&
		     take(&l->qkv, most * QKV_DIM) && take(&l->attended, most * Q_DIM) &&
		     take(&l->log_sum, most * N_HEADS) && take(&l->middle, most * DIM) &&
		     take(&l->normed2, most * DIM) && take(&l->gate_up, most * 2 * HIDDEN_DIM) &&
		     take(&l->hidden, most * HIDDEN_DIM);
	}
	if (!ok) {
		transformer_free(t);
		return NULL;
	}
	fill_angles(t);
	return t;
}

void transformer_free(transformer *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < N_LAYERS; i++) {
		layer_state *l = &t->layers[i];
		float *all[] = { l->x,      l->normed,  l->qkv,     l->attended, l->log_sum,
			         l->middle, l->normed2, l->gate_up, l->hidden };
		for (size_t j = 0; j < sizeof all / sizeof *all; j++)
			free(all[j]);
	}
	matmul_free(t->scratch);
	free(t->x), free(t->dx), free(t->dnormed), free(t->dwide), free(t->dhidden);
	free(t->cosine), free(t->sine), free(t->picked), free(t->dpicked), free(t->logits);
	free(t->first), free(t->position), free(t->rows);
	free(t);
}

/* y [n][rows] = x [n][columns] w^T, or += */
static void project(transformer *t, float *y, const float *x, const float *w, size_t n, size_t rows,
                    size_t columns, bool add)
{
	matmul(t->scratch, y, rows, (matrix){ x, columns, 1 }, (matrix){ w, 1, columns }, n, rows,
	       columns, add);
}

/* dx = dy w, or +=; dw += dy^T x */
static void project_back(transformer *t, float *dx, float *dw, const float *dy, const float *x,
                         const float *w, size_t n, size_t rows, size_t columns)
{
	matmul(t->scratch, dx, columns, (matrix){ dy, rows, 1 }, (matrix){ w, columns, 1 }, n,
	       columns, rows, false);
	matmul(t->scratch, dw, columns, (matrix){ dy, 1, rows }, (matrix){ x, columns, 1 }, rows,
	       columns, n, true);
}

static float norm_scale(const float *x)
{
	float sum = 0.0f;

	for (size_t i = 0; i < DIM; i++)
		sum += x[i] * x[i];
	return 1.0f / sqrtf(sum / DIM + NORM_EPS);
}

/* y = x / rms(x) * weight */
static void norm(float *restrict y, const float *restrict x, const float *restrict weight, size_t n)
{
	size_t row, i;

	for (row = 0; row < n; row++, x += DIM, y += DIM) {
		float scale = norm_scale(x);
		for (i = 0; i < DIM; i++)
			y[i] = x[i] * scale * weight[i];
	}
}

/* dx += what comes back through the norm: with s = 1 / rms and e = dy * weight,
 * dx_i = s e_i - x_i s^3 / DIM * sum e x */
static void norm_back(float *restrict dx, float *restrict dweight, const float *restrict dy,
                      const float *restrict x, const float *restrict weight, size_t n)
{
	size_t row, i;

	for (row = 0; row < n; row++, x += DIM, dx += DIM, dy += DIM) {
		float scale = norm_scale(x), sum = 0.0f;
		for (i = 0; i < DIM; i++) {
			sum += dy[i] * weight[i] * x[i];
			dweight[i] += dy[i] * x[i] * scale;
		}
		sum *= scale * scale * scale / DIM;
		for (i = 0; i < DIM; i++)
			dx[i] += dy[i] * weight[i] * scale - x[i] * sum;
	}
}

/* Rotates the halves of every query and key by its position; direction -1 rotates back. */
static void rotate(transformer *t, float *qkv, size_t n, float direction)
{
	size_t row, head, i;

	for (row = 0; row < n; row++) {
		const float *c = t->cosine + t->position[row] * HEAD_DIM / 2;
		const float *s = t->sine + t->position[row] * HEAD_DIM / 2;
		for (head = 0; head < N_HEADS + N_KV_HEADS; head++) {
			float *restrict a = qkv + row * QKV_DIM + head * HEAD_DIM,
			                *restrict b = a + HEAD_DIM / 2;
			for (i = 0; i < HEAD_DIM / 2; i++) {
				float x = a[i], y = b[i], sine = direction * s[i];
				a[i] = x * c[i] - y * sine;
				b[i] = y * c[i] + x * sine;
			}
		}
	}
}

static float dot(const float *restrict a, const float *restrict b)
{
	float sum = 0.0f;

	for (size_t i = 0; i < HEAD_DIM; i++)
		sum += a[i] * b[i];
	return sum;
}

static void add_scaled(float *restrict y, const float *restrict x, float by)
{
	for (size_t i = 0; i < HEAD_DIM; i++)
		y[i] += by * x[i];
}

static float attention_scale(void)
{
	return 1.0f / sqrtf(HEAD_DIM);
}

static void attend(transformer *t, layer_state *l, size_t n)
{
	size_t row, head, j;

	memset(l->attended, 0, n * Q_DIM * sizeof *l->attended);
	for (row = 0; row < n; row++)
		for (head = 0; head < N_HEADS; head++) {
			const float *q = l->qkv + row * QKV_DIM + head * HEAD_DIM;
			const float *k = l->qkv + Q_DIM + head / (N_HEADS / N_KV_HEADS) * HEAD_DIM;
			const float *v = k + KV_DIM;
			size_t first = t->first[row];
			float *w = t->weights, most = -FLT_MAX, sum = 0.0f;

			for (j = first; j <= row; j++) {
				w[j - first] = dot(q, k + j * QKV_DIM) * attention_scale();
				most = fmaxf(most, w[j - first]);
			}
			for (j = first; j <= row; j++)
				sum += w[j - first] = expf(w[j - first] - most);
			for (j = first; j <= row; j++)
				add_scaled(l->attended + row * Q_DIM + head * HEAD_DIM,
				           v + j * QKV_DIM, w[j - first] / sum);
			l->log_sum[row * N_HEADS + head] = most + logf(sum);
		}
}

/* dqkv = gradient of the rotated queries and keys, and the values, from dattended. */
static void attend_back(transformer *t, const layer_state *l, float *dqkv, const float *dattended,
                        size_t n)
{
	size_t row, head, j;

	memset(dqkv, 0, n * QKV_DIM * sizeof *dqkv);
	for (row = 0; row < n; row++)
		for (head = 0; head < N_HEADS; head++) {
			size_t at = row * QKV_DIM + head * HEAD_DIM;
			size_t at_k = Q_DIM + head / (N_HEADS / N_KV_HEADS) * HEAD_DIM,
			       at_v = at_k + KV_DIM;
			const float *dy = dattended + row * Q_DIM + head * HEAD_DIM;
			/* sum over j of weight * dweight */
			float mean = dot(dy, l->attended + row * Q_DIM + head * HEAD_DIM);
			float log_sum = l->log_sum[row * N_HEADS + head];

			for (j = t->first[row]; j <= row; j++) {
				const float *k = l->qkv + j * QKV_DIM + at_k,
				            *v = l->qkv + j * QKV_DIM + at_v;
				float w = expf(dot(l->qkv + at, k) * attention_scale() - log_sum);
				float dscore = w * (dot(dy, v) - mean) * attention_scale();
				add_scaled(dqkv + j * QKV_DIM + at_v, dy, w);
				add_scaled(dqkv + j * QKV_DIM + at_k, l->qkv + at, dscore);
				add_scaled(dqkv + at, k, dscore);
			}
		}
}

static void gate(float *restrict hidden, const float *restrict gate_up, size_t n)
{
	size_t row, i;

	for (row = 0; row < n; row++, hidden += HIDDEN_DIM, gate_up += 2 * HIDDEN_DIM)
		for (i = 0; i < HIDDEN_DIM; i++)
			hidden[i] =
			        gate_up[i] / (1.0f + expf(-gate_up[i])) * gate_up[HIDDEN_DIM + i];
}

static void gate_back(float *restrict dgate_up, const float *restrict dhidden,
                      const float *restrict gate_up, size_t n)
{
	size_t row, i;

	for (row = 0; row < n; row++) {
		for (i = 0; i < HIDDEN_DIM; i++) {
			float g = gate_up[i], s = 1.0f / (1.0f + expf(-g));
			dgate_up[i] =
			        dhidden[i] * gate_up[HIDDEN_DIM + i] * s * (1.0f + g * (1.0f - s));
			dgate_up[HIDDEN_DIM + i] = dhidden[i] * g * s;
		}
		dhidden += HIDDEN_DIM, gate_up += 2 * HIDDEN_DIM, dgate_up += 2 * HIDDEN_DIM;
	}
}

static void forward_layer(transformer *t, layer_state *l, const float *w, float *out, size_t n)
{
	norm(l->normed, l->x, w + AT_ATTENTION_NORM, n);
	project(t, l->qkv, l->normed, w + AT_QKV, n, QKV_DIM, DIM, false);
	rotate(t, l->qkv, n, 1.0f);
	attend(t, l, n);
	memcpy(l->middle, l->x, n * DIM * sizeof *l->x);
	project(t, l->middle, l->attended, w + AT_OUT, n, DIM, Q_DIM, true);
	norm(l->normed2, l->middle, w + AT_FFN_NORM, n);
	project(t, l->gate_up, l->normed2, w + AT_GATE_UP, n, 2 * HIDDEN_DIM, DIM, false);
	gate(l->hidden, l->gate_up, n);
	memcpy(out, l->middle, n * DIM * sizeof *out);
	project(t, out, l->hidden, w + AT_DOWN, n, DIM, HIDDEN_DIM, true);
}

/* t->dx: gradient of the layer's output before, of its input after. */
static void backward_layer(transformer *t, const layer_state *l, const float *w, float *dw,
                           size_t n)
{
	project_back(t, t->dhidden, dw + AT_DOWN, t->dx, l->hidden, w + AT_DOWN, n, DIM,
	             HIDDEN_DIM);
	gate_back(t->dwide, t->dhidden, l->gate_up, n);
	project_back(t, t->dnormed, dw + AT_GATE_UP, t->dwide, l->normed2, w + AT_GATE_UP, n,
	             2 * HIDDEN_DIM, DIM);
	norm_back(t->dx, dw + AT_FFN_NORM, t->dnormed, l->middle, w + AT_FFN_NORM, n);
	project_back(t, t->dhidden, dw + AT_OUT, t->dx, l->attended, w + AT_OUT, n, DIM, Q_DIM);
	attend_back(t, l, t->dwide, t->dhidden, n);
	rotate(t, t->dwide, n, -1.0f);
	project_back(t, t->dnormed, dw + AT_QKV, t->dwide, l->normed, w + AT_QKV, n, QKV_DIM, DIM);
	norm_back(t->dx, dw + AT_ATTENTION_NORM, t->dnormed, l->x, w + AT_ATTENTION_NORM, n);
}

/* -ln p(target) of one row of logits, which become their own gradient. */
static double cross_entropy(float *logits, int32_t target, size_t *right)
{
	float most = -FLT_MAX, sum = 0.0f;
	double loss;
	size_t i;

	for (i = 0; i < VOCAB; i++)
		most = fmaxf(most, logits[i]);
	if (right && logits[target] >= most)
		++*right;
	loss = (double)most - (double)logits[target];
	for (i = 0; i < VOCAB; i++)
		sum += logits[i] = expf(logits[i] - most);
	for (i = 0; i < VOCAB; i++)
		logits[i] /= sum;
	logits[target] -= 1.0f;
	return loss + log((double)sum);
}

/* The loss of `n` of t->rows, and its gradient into t->dx where wanted. */
static double head(transformer *t, const float *w, const int32_t *targets, const size_t *rows,
                   size_t n, float *dw, size_t *right)
{
	double loss = 0.0;
	size_t i;

	for (i = 0; i < n; i++)
		norm(t->picked + i * DIM, t->x + rows[i] * DIM, w + AT_NORM, 1);
	project(t, t->logits, t->picked, w + AT_HEAD, n, VOCAB, DIM, false);
	for (i = 0; i < n; i++)
		loss += cross_entropy(t->logits + i * VOCAB, targets[rows[i]], right);
	if (!dw)
		return loss;
	project_back(t, t->dpicked, dw + AT_HEAD, t->logits, t->picked, w + AT_HEAD, n, VOCAB, DIM);
	for (i = 0; i < n; i++)
		norm_back(t->dx + rows[i] * DIM, dw + AT_NORM, t->dpicked + i * DIM,
		          t->x + rows[i] * DIM, w + AT_NORM, 1);
	return loss;
}

/* Where each sequence and each query's window begin; the rows with a target. */
static size_t place_rows(transformer *t, const int32_t *targets, const bool *begins, size_t n)
{
	size_t row, start = 0, n_rows = 0;

	for (row = 0; row < n; row++) {
		if (begins[row])
			start = row;
		t->position[row] = row - start;
		t->first[row] = row - start < WINDOW ? start : row - (WINDOW - 1);
		if (targets[row] >= 0)
			t->rows[n_rows++] = row;
	}
	return n_rows;
}

double transformer_loss(transformer *t, const float *parameters, const int32_t *tokens,
                        const int32_t *targets, const bool *begins, size_t n, float *gradient,
                        size_t *right)
{
	const float *w = parameters + AT_LAYERS;
	size_t row, i, n_rows = place_rows(t, targets, begins, n);
	double loss = 0.0;

	for (row = 0; row < n; row++)
		memcpy(t->layers[0].x + row * DIM, parameters + AT_EMBEDDING + tokens[row] * DIM,
		       DIM * sizeof *parameters);
	for (i = 0; i < N_LAYERS; i++)
		forward_layer(t, &t->layers[i], w + i * LAYER_SIZE,
		              i + 1 < N_LAYERS ? t->layers[i + 1].x : t->x, n);
	memset(t->dx, 0, n * DIM * sizeof *t->dx);
	for (i = 0; i < n_rows; i += HEAD_ROWS)
		loss += head(t, parameters, targets, t->rows + i,
		             n_rows - i < HEAD_ROWS ? n_rows - i : HEAD_ROWS, gradient, right);
	if (!gradient)
		return loss;
	for (i = N_LAYERS; i-- > 0;)
		backward_layer(t, &t->layers[i], w + i * LAYER_SIZE,
		               gradient + AT_LAYERS + i * LAYER_SIZE, n);
	for (row = 0; row < n; row++)
		for (i = 0; i < DIM; i++)
			gradient[AT_EMBEDDING + (size_t)tokens[row] * DIM + i] +=
			        t->dx[row * DIM + i];
	return loss;
}
