/* test_gguf_positions.c - GGUF files of models with scaled positions and queries, and with windows
 * that differ between layers
 */
#include <inttypes.h>
#include <math.h>

#include "test/gguf_files.h"

/* ---- scaled positions ------------------------------------------------------------------------ */

typedef struct scaling {
	const char *architecture, *type;
	/* not written where 0 */
	float factor, old_factor, fast, slow, multiplier, attention, beta;
	uint32_t original;
	/* what the model has then; by_log: the magnitude is m(1) */
	uint32_t rope, rope_original, query_original;
	double magnitude, by_log, query_beta;
} scaling;

static const scaling scalings[] = {
	{ "mistral3", "yarn", 16, 0, 32, 1, 1, 0, 0.1f, 64, ROPE_YARN, 64, 64, 1, 0, 0.1 },
	{ "mistral3", "yarn", 16, 0, 4, 0.5f, 0, 0, 0, 64, ROPE_YARN, 64, 0, 0, 1, 0 },
	{ "mistral3", "yarn", 16, 0, 0, 0, 1, 1.25f, 0, 0, ROPE_YARN, 32768, 0, 1.25, 0, 0 },
	{ "mistral3", NULL, 0, 0, 0, 0, 0, 0, 0.3f, 0, ROPE_UNSCALED, 0, 32768, 0, 0, 0.3 },
	{ "mistral3", "none", 16, 0, 0, 0, 0, 0, 0, 64, ROPE_UNSCALED, 0, 0, 0, 0, 0 },
	{ "llama", "yarn", 16, 0, 32, 1, 0, 0, 0, 64, ROPE_YARN, 64, 0, 0, 1, 0 },
	{ "llama", "linear", 2.5f, 0, 0, 0, 0, 0, 0, 64, ROPE_LINEAR, 0, 0, 0, 0, 0 },
	{ "llama", NULL, 4, 0, 0, 0, 0, 0, 0, 0, ROPE_LINEAR, 0, 0, 0, 0, 0 },
	{ "llama", NULL, 0, 4, 0, 0, 0, 0, 0, 0, ROPE_LINEAR, 0, 0, 0, 0, 0 },
};

static void put_number(gguf_maker *g, const scaling *s, const char *key, float value)
{
	if (value != 0) /* not a number, too */
		gguf_put_f32(g, gguf_rename_key(key, s->architecture), value);
}

static void save_scaled(const scaling *s)
{
	maker_model *m = maker_new(true, "F16");
	gguf_maker g = { .version = 0 };

	gguf_put_config_of(&g, s->architecture, NULL);
	if (s->type)
		gguf_put_string(&g, gguf_rename_key("llama.rope.scaling.type", s->architecture),
		                s->type);
	put_number(&g, s, "llama.rope.scaling.factor", s->factor);
	put_number(&g, s, "llama.rope.scale_linear", s->old_factor);
	put_number(&g, s, "llama.rope.scaling.yarn_beta_fast", s->fast);
	put_number(&g, s, "llama.rope.scaling.yarn_beta_slow", s->slow);
	put_number(&g, s, "llama.rope.scaling.yarn_log_multiplier", s->multiplier);
	put_number(&g, s, "llama.rope.scaling.attn_factor", s->attention);
	put_number(&g, s, "llama.attention.temperature_scale", s->beta);
	if (s->original)
		gguf_put_u32(&g,
		             gguf_rename_key("llama.rope.scaling.original_context_length",
		                             s->architecture),
		             s->original);
	gguf_put_model(&g, m, 0, m->n);
	maker_close(m);
	save_and_free("m.gguf", gguf_finish(&g));
}

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-14 * fabs(b);
}

/* Catches: keys of yarn under other names, the magnitude of another rule, a float where the
 * checkpoint has a decimal. */
static void test_scalings_are_read(check_counts *counts)
{
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(scalings); i++) {
		const scaling *s = &scalings[i];
		double factor = s->old_factor > 0 ? s->old_factor : s->factor;
		double magnitude = s->by_log > 0 ? 0.1 * log(factor) + 1 : s->magnitude;
		brise_model *model = NULL;
		const format_config *c;

		save_scaled(s);
		CHECK(counts,
		      convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK &&
		              brise_open_model(&model, out, NULL, &err) == BRISE_OK,
		      "%zu: %s", i, err.message);
		if (!model)
			continue;
		c = &model->config;
		CHECK(counts,
		      c->rope_scaling == s->rope && c->rope_original == s->rope_original &&
		              near(c->rope_factor, s->rope == ROPE_UNSCALED ? 0 : factor),
		      "%zu: type %" PRIu32 " factor %g from %" PRIu32, i, c->rope_scaling,
		      c->rope_factor, c->rope_original);
		CHECK(counts,
		      s->rope != ROPE_YARN ||
		              (near(c->rope_beta_fast, s->fast > 0 ? s->fast : 32) &&
		               near(c->rope_beta_slow, s->slow > 0 ? s->slow : 1)),
		      "%zu: %g %g", i, c->rope_beta_fast, c->rope_beta_slow);
		CHECK(counts, near(c->rope_magnitude, magnitude), "%zu: magnitude %.17g", i,
		      c->rope_magnitude);
		CHECK(counts,
		      near(c->query_beta, s->query_beta) && c->query_original == s->query_original,
		      "%zu: queries %.17g from %" PRIu32, i, c->query_beta, c->query_original);
		brise_close_model(model);
	}
}

/* Catches: a number that a file of either form cannot give back. */
static void test_scaled_models_come_back_bit_for_bit(check_counts *counts)
{
	maker_bytes before, after;
	brise_error err;
	size_t i, k;

	for (i = 0; i < LENGTH(scalings); i++) {
		(void)maker_clear(folder);
		save_scaled(&scalings[i]);
		CHECK(counts, convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK, "%s",
		      err.message);
		before = model_of(out);
		CHECK(counts,
		      export_to("b.gguf", EXPORT_GGUF, &err) == BRISE_OK &&
		              export_to("s", EXPORT_SAFETENSORS, &err) == BRISE_OK,
		      "%zu: %s", i, err.message);
		for (k = 0; k < 2; k++) {
			CHECK(counts,
			      convert(k ? "s" : "b.gguf", TYPE_F16, false, &err) == BRISE_OK,
			      "%zu: %s", i, err.message);
			after = model_of(out);
			CHECK(counts, same_bytes(&before, &after), "%zu: another model after %s", i,
			      k ? "safetensors" : "GGUF");
			maker_free(&after);
		}
		maker_free(&before);
		(void)maker_clear(path_of("s"));
		(void)rmdir(path_of("s"));
	}
	(void)maker_clear(folder);
}

/* Numbers of scaling keys that no model has. */
static void test_hostile_scalings_are_refused(check_counts *counts)
{
	static const struct {
		scaling s;
		const char *text;
	} cases[] = {
		{ { .architecture = "mistral3", .type = "yarn", .factor = 0.5f },
		  "rope.scaling.factor 0.5" },
		{ { .architecture = "mistral3", .type = "yarn", .factor = -16 },
		  "rope.scaling.factor -16" },
		{ { .architecture = "mistral3", .type = "yarn", .factor = INFINITY },
		  "rope.scaling.factor is not finite" },
		{ { .architecture = "mistral3", .type = "yarn", .factor = NAN },
		  "rope.scaling.factor is not finite" },
		{ { .architecture = "mistral3",
		    .type = "yarn",
		    .factor = 16,
		    .fast = 32,
		    .slow = 1,
		    .multiplier = -1 },
		  "yarn_log_multiplier -1" },
		{ { .architecture = "mistral3",
		    .type = "yarn",
		    .factor = 16,
		    .fast = 32,
		    .slow = 1,
		    .attention = -2 },
		  "m.gguf" },
		{ { .architecture = "mistral3",
		    .type = "yarn",
		    .factor = 16,
		    .fast = -32,
		    .slow = 1 },
		  "m.gguf" },
		{ { .architecture = "mistral3",
		    .type = "yarn",
		    .factor = 16,
		    .fast = 32,
		    .slow = 1,
		    .beta = -0.1f },
		  "llama_4_scaling" },
		{ { .architecture = "llama",
		    .type = "yarn",
		    .factor = 16,
		    .fast = 32,
		    .slow = 1,
		    .beta = 0.1f },
		  "temperature_scale" },
		{ { .architecture = "mistral3", .type = "dynamic", .factor = 16 },
		  "rope.scaling.type dynamic" },
		{ { .architecture = "llama", .type = "longrope", .factor = 16 },
		  "rope.scaling.type longrope" },
	};
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		(void)unlink(out);
		save_scaled(&cases[i].s);
		CHECK(counts,
		      convert("m.gguf", TYPE_F16, false, &err) != BRISE_OK &&
		              strstr(err.message, cases[i].text) && access(out, F_OK) != 0,
		      "%zu: %s", i, err.message);
	}
}

/* ---- windows of layers ----------------------------------------------------------------------- */

/* Lists for layers, of windows or of which layers have the one: llama.cpp reads and writes neither
 * for these architectures, and what theirs means differs with the architecture. */
static void test_windows_of_layers_are_refused_by_name(check_counts *counts)
{
	static const struct {
		const char *key, *text;
		uint32_t type;
		uint8_t values[MAKER_LAYERS];
	} cases[] = {
		{ "llama.attention.sliding_window",
		  "llama.attention.sliding_window differs between layers",
		  GGUF_U8,
		  { 7, 9 } },
		{ "llama.attention.sliding_window",
		  "llama.attention.sliding_window differs between layers",
		  GGUF_U8,
		  { 0, 7 } },
		{ "llama.attention.sliding_window_pattern",
		  "llama.attention.sliding_window_pattern is not supported",
		  GGUF_BOOL,
		  { 1, 0 } },
	};
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		maker_model *m = maker_new(true, "F16");
		gguf_maker g = { .version = 0 };

		gguf_put_config(&g, cases[i].key);
		maker_put(gguf_put_array(&g, cases[i].key, cases[i].type, MAKER_LAYERS),
		          cases[i].values, MAKER_LAYERS);
		gguf_put_model(&g, m, 0, m->n);
		maker_close(m);
		save_and_free("m.gguf", gguf_finish(&g));
		refuse(counts, "m.gguf", BRISE_EUNSUPPORTED, cases[i].text);
	}
}

static void save_windows(const uint32_t *windows, uint64_t n, uint32_t type)
{
	maker_model *m = maker_new(true, "F16");
	gguf_maker g = { .version = 0 };
	maker_bytes *b;
	uint64_t i;

	gguf_put_config(&g, NULL);
	b = n ? gguf_put_array(&g, "brise.windows", type, n)
	      : gguf_put_key(&g, "brise.windows", type);
	for (i = 0; i < (n ? n : 1); i++)
		maker_number(b, windows[i], 4);
	gguf_put_model(&g, m, 0, m->n);
	maker_close(m);
	save_and_free("m.gguf", gguf_finish(&g));
}

/* Catches: a key of brise's own that is not written, not read, or behind that of one window. */
static void test_windows_of_layers_come_back(check_counts *counts)
{
	static const uint32_t cases[][MAKER_LAYERS] = { { 9, 0 }, { 5, 11 }, { 6, 6 }, { 0, 0 } };
	static const uint32_t joined[] = { 0, 11, 6, 0 };
	brise_error err;
	size_t i, times;

	for (i = 0; i < LENGTH(cases); i++) {
		save_windows(cases[i], MAKER_LAYERS, GGUF_U32);
		for (times = 0; times < 2; times++) {
			brise_model *model = NULL;

			CHECK(counts,
			      convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK &&
			              brise_open_model(&model, out, NULL, &err) == BRISE_OK,
			      "%zu: %s", i, err.message);
			if (!model)
				continue;
			CHECK(counts,
			      model->config.window == joined[i] &&
			              model_window(model, 0) == cases[i][0] &&
			              model_window(model, 1) == cases[i][1],
			      "%zu: %" PRIu32 " %" PRIu32 ", all %" PRIu32, i,
			      model_window(model, 0), model_window(model, 1), model->config.window);
			brise_close_model(model);
			(void)unlink(path_of("m.gguf"));
			CHECK(counts, export_to("m.gguf", EXPORT_GGUF, &err) == BRISE_OK, "%zu: %s",
			      i, err.message);
		}
	}
}

static void test_hostile_windows_are_refused(check_counts *counts)
{
	static const uint32_t windows[] = { 9, 0, 4, (1u << 24) + 1 };

	save_windows(windows, MAKER_LAYERS + 1, GGUF_U32);
	refuse(counts, "m.gguf", BRISE_EFORMAT, "brise.windows is not an array of one window for");
	save_windows(windows, 0, GGUF_U32);
	refuse(counts, "m.gguf", BRISE_EFORMAT, "brise.windows is not an array");
	save_windows(windows, MAKER_LAYERS, GGUF_F32);
	refuse(counts, "m.gguf", BRISE_EFORMAT, "brise.windows: layer 0 has no window of 0..");
	save_windows(windows + 2, MAKER_LAYERS, GGUF_U32);
	refuse(counts, "m.gguf", BRISE_EFORMAT, "brise.windows: layer 1 has no window of 0..");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	if (!make_folder())
		return 1;
	RUN(test_scalings_are_read(&counts));
	RUN(test_scaled_models_come_back_bit_for_bit(&counts));
	RUN(test_hostile_scalings_are_refused(&counts));
	RUN(test_windows_of_layers_are_refused_by_name(&counts));
	RUN(test_windows_of_layers_come_back(&counts));
	RUN(test_hostile_windows_are_refused(&counts));
	remove_folder();
	return check_report("gguf_positions", &counts);
}
