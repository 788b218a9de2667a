/* test_memory_convert.c - memory that runs out, at every single allocation of a conversion and of
 * an export
 *
 * The n-th request fails (test/failing_heap.h). Whatever n is, the work ends with BRISE_ENOMEM,
 * nothing is lost and no file is left.
 */
#include <sys/stat.h>

#include "convert/calibration/calibrate.h"
#include "convert/export.h"
#include "runtime/os/os.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/failing_heap.h"
#include "test/handmade_model.h"
#include "test/small_model.h"

#define THREADS 3u

static char base[256], target_folder[300], target[340];

/* One kind of work that makes `target`. */
typedef struct task {
	const char *name;
	const char *checkpoint; /* in `base`, to convert; NULL: the model is exported */
	const char *lora;       /* NULL: none */
	const char *measured;   /* a calibration to choose types with; NULL: none */
	bool no_tokenizer;
	enum export_format format;
	const brise_model *model;
} task;

static brise_status do_task(const task *t, brise_error *err)
{
	char checkpoint[300], lora[300], measured[300];
	const char *loras[] = { lora };

	(void)snprintf(checkpoint, sizeof checkpoint, "%s/%s", base,
	               t->checkpoint ? t->checkpoint : "");
	(void)snprintf(lora, sizeof lora, "%s/%s:0.5", base, t->lora ? t->lora : "");
	(void)snprintf(measured, sizeof measured, "%s/%s", base, t->measured ? t->measured : "");
	if (t->checkpoint) {
		convert_options options;

		convert_init_options(&options);
		options.threads = THREADS;
		options.no_tokenizer = t->no_tokenizer;
		options.loras = loras;
		options.n_loras = t->lora != NULL;
		options.bits = 6;
		options.calibration = t->measured ? measured : NULL;
		options.effort = t->measured ? EFFORT_HIGH : options.effort;
		return convert_checkpoint(checkpoint, target, &options, NULL, err);
	} else {
		export_options options;

		export_init_options(&options);
		options.threads = THREADS;
		options.format = t->format;
		options.name = "small";
		return export_model(t->model, target, &options, NULL, err);
	}
}

static bool count_entry(void *n, const char *name)
{
	(void)name;
	++*(long *)n;
	return true;
}

/* Removes the target, then counts what else is in its folder. */
static long count_left(void)
{
	long n = 0;

	(void)maker_clear(target);
	(void)rmdir(target);
	(void)unlink(target);
	(void)os_list_folder(target_folder, count_entry, &n);
	return n;
}

static void test_every_failing_request_is_an_error(check_counts *counts, const task *t)
{
	long before = atomic_load(&in_use), all, n, wrong = 0, left = 0, without = 0;
	brise_error err = { BRISE_OK, "" };
	os_facts facts;

	fail_request(0);
	CHECK(counts, do_task(t, &err) == BRISE_OK, "%s: %s", t->name, err.message);
	all = atomic_load(&requests);
	CHECK(counts, all > 20, "%s: %ld requests", t->name, all);
	CHECK(counts, count_left() == 0, "%s: files beside the target", t->name);
	for (n = 1; n <= all; n++) {
		brise_status status;

		fail_request(n);
		status = do_task(t, &err);
		if (status == BRISE_OK) {
			without++;
		} else if (status != BRISE_ENOMEM || os_examine_link(target, &facts)) {
			wrong++;
			fprintf(stderr, "%s: request %ld: status %d: %s\n", t->name, n, status,
			        err.message);
		}
		left += count_left() != 0;
	}
	fail_request(0);
	CHECK(counts, wrong == 0 && left == 0, "%s: of %ld: %ld other ends, %ld left files",
	      t->name, all, wrong, left);
	CHECK(counts, atomic_load(&in_use) == before, "%s: %ld lost", t->name,
	      atomic_load(&in_use) - before);
	/* A thread that cannot be started is done without, where losses are measured there are two
	 * sets of them, and so is bringing the names of a folder to disk, once for each file of a
	 * folder and for the folder. */
	CHECK(counts,
	      without <= (t->measured ? 4 : 2) * (long)(THREADS - 1) +
	                         (t->checkpoint || t->format == EXPORT_GGUF ? 1 : 6),
	      "%s: %ld failures had no effect", t->name, without);
}

/* ---- what is converted ---------------------------------------------------------------------- */

static const char *make_folder(const char *name)
{
	static char path[300];

	(void)snprintf(path, sizeof path, "%s/%s", base, name);
	if (mkdir(path, 0777) != 0)
		exit(1);
	return path;
}

static void save_text(const char *folder, const char *name, const char *text)
{
	maker_save(folder, name, text, strlen(text));
}

/* tokenizer.model with added tokens, end tokens and a chat template beside it. */
static void make_hugging_face(const char *name, bool json)
{
	const char *folder = make_folder(name);
	maker_model *m = maker_new(false, "F16");
	handmade pieces = { .n = 0 };

	maker_shards(folder, m, NULL);
	maker_config(folder, false, NULL);
	handmade_piece(&pieces, "<unk>", 0, 2);
	handmade_piece(&pieces, "<s>", 0, 3);
	handmade_piece(&pieces, "</s>", 0, 3);
	handmade_piece(&pieces, "\xe2\x96\x81", -0.5f, 1);
	handmade_piece(&pieces, "a", -2, 1);
	handmade_piece(&pieces,
	               "\xe2\x96\x81"
	               "a",
	               -3, 1);
	handmade_rules(&pieces, 0, 1);
	if (!json)
		maker_save(folder, "tokenizer.model", pieces.bytes, pieces.n);
	save_text(
	        folder, "tokenizer.json",
	        "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 6, \"content\": \"<|end|>\", "
	        "\"special\": true, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, "
	        "\"single_word\": false}],\n"
	        "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": "
	        "\"Prepend\", \"prepend\": \"\xe2\x96\x81\"}, {\"type\": \"Replace\", "
	        "\"pattern\": {\"String\": \" \"}, \"content\": \"\xe2\x96\x81\"}]},\n"
	        "\"pre_tokenizer\": null, \"post_processor\": null,\n"
	        "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", "
	        "\"pattern\": {\"String\": \"\xe2\x96\x81\"}, \"content\": \" \"}, {\"type\": "
	        "\"Fuse\"}, {\"type\": \"Strip\", \"content\": \" "
	        "\", \"start\": 1, \"stop\": 0}]},\n"
	        "\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": \"<unk>\", "
	        "\"fuse_unk\": true, \"byte_fallback\": false, \"vocab\": {\"<unk>\": 0, \"<s>\": "
	        "1, \"</s>\": 2, \"\xe2\x96\x81\": 3, \"a\": 4, \"\xe2\x96\x81"
	        "a\": 5}, \"merges\": [\"\xe2\x96\x81 a\"]}}");
	save_text(folder, "tokenizer_config.json",
	          "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"chat_template\": \"{{ x "
	          "}}\"}");
	save_text(folder, "generation_config.json", "{\"eos_token_id\": [2, 6]}");
	maker_close(m);
}

static void make_torch(const char *name)
{
	const char *folder = make_folder(name);
	maker_model *m = maker_new(true, "BF16");

	maker_torch(folder, m, MAKER_ZIP_TORCH, 0, 0, NULL);
	maker_config(folder, true, NULL);
	maker_close(m);
}

/* Of one matrix, rank 2. */
static void make_adapter(const char *name)
{
	static const char *const names[] = { "A", "B" };
	const char *folder = make_folder(name);
	maker_model *m = calloc(1, sizeof *m);
	char tensor[80];
	unsigned i;

	if (!m)
		exit(1);
	m->dtype = "F32";
	for (i = 0; i < 2; i++) {
		(void)snprintf(tensor, sizeof tensor,
		               "base_model.model.model.layers.0.self_attn.v_proj.lora_%s.weight",
		               names[i]);
		maker_add(m, tensor, TENSOR_WV, 0, i ? MAKER_HEAD : 2, i ? 2 : MAKER_DIM);
	}
	maker_safetensors(folder, "adapter_model.safetensors", m, 0, m->n, NULL);
	save_text(folder, "adapter_config.json",
	          "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, \"bias\": \"none\", "
	          "\"rank_pattern\": {\"k_proj\": 2}, \"target_modules\": [\"v_proj\"]}");
	maker_close(m);
}

/* What a task makes, moved to a name in `base`. */
static void keep_result(const task *t, const char *name)
{
	brise_error err = { BRISE_OK, "" };
	char path[300];

	fail_request(0);
	(void)snprintf(path, sizeof path, "%s/%s", base, name);
	if (do_task(t, &err) != BRISE_OK || rename(target, path) != 0) {
		fprintf(stderr, "%s: %s\n", t->name, err.message);
		exit(1);
	}
}

static brise_model *open_result(const char *name)
{
	brise_error err = { BRISE_OK, "" };
	brise_model *model;
	char path[300];

	(void)snprintf(path, sizeof path, "%s/%s", base, name);
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	return model;
}

/* The least text that losses are measured on, and spans that errors are fed back in. */
static void make_calibration(const brise_model *model, const char *name)
{
	calibrate_options options = { .span = 32, .threads = 1 };
	brise_error err = { BRISE_OK, "" };
	int32_t ids[64];
	char path[300];

	(void)snprintf(path, sizeof path, "%s/%s", base, name);
	small_tokens(ids, 64, model->config.vocab, 3);
	if (calibrate_model(model, ids, 64, path, &options, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	task hugging_face = { .name = "safetensors with tokenizer.model", .checkpoint = "hf" };
	task json = { .name = "safetensors with tokenizer.json", .checkpoint = "json" };
	task torch = { .name = "torch.save", .checkpoint = "torch", .no_tokenizer = true };
	task lora = { .name = "an adapter", .checkpoint = "hf", .lora = "lora" };
	task mixed = { .name = "types by measured losses", .checkpoint = "hf", .measured = "cal" };
	task to_gguf = { .name = "export to GGUF", .format = EXPORT_GGUF };
	task to_folder = { .name = "export to a folder", .format = EXPORT_SAFETENSORS };
	task gguf = { .name = "GGUF", .checkpoint = "small.gguf" };
	task folder = { .name = "a folder that was exported", .checkpoint = "exported" };
	brise_model *model;

	check_choose(argc, argv);
	small_folder(base, sizeof base);
	(void)snprintf(target_folder, sizeof target_folder, "%s", make_folder("target"));
	(void)snprintf(target, sizeof target, "%s/out", target_folder);
	make_hugging_face("hf", false);
	make_hugging_face("json", true);
	make_torch("torch");
	make_adapter("lora");
	keep_result(&hugging_face, "small.brise");
	to_gguf.model = to_folder.model = model = open_result("small.brise");
	keep_result(&to_gguf, "small.gguf");
	keep_result(&to_folder, "exported");
	RUN(test_every_failing_request_is_an_error(&counts, &hugging_face));
	RUN(test_every_failing_request_is_an_error(&counts, &json));
	RUN(test_every_failing_request_is_an_error(&counts, &torch));
	RUN(test_every_failing_request_is_an_error(&counts, &lora));
	make_calibration(model, "cal");
	RUN(test_every_failing_request_is_an_error(&counts, &mixed));
	RUN(test_every_failing_request_is_an_error(&counts, &gguf));
	RUN(test_every_failing_request_is_an_error(&counts, &folder));
	RUN(test_every_failing_request_is_an_error(&counts, &to_gguf));
	RUN(test_every_failing_request_is_an_error(&counts, &to_folder));
	brise_close_model(model);
	return check_report("memory_convert", &counts);
}
