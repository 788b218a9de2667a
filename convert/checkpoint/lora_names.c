/* lora_names.c - PEFT's names as it saves them, and as its modules have them in memory
 *
 * Saved: "base_model.model." + module + ".lora_A.weight"; trainers that write the state dict
 * themselves keep the adapter's name in it, ".lora_A.default.weight". Matrices of modules_to_save
 * are saved as module + ".weight", in memory ".modules_to_save.default.weight" beside an untouched
 * ".original_module.weight".
 */
#include "convert/checkpoint/lora_names.h"

#include <stdio.h>
#include <string.h>

#include "convert/checkpoint/prefix.h"
#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/model/order.h"

static const struct mark {
	const char *text;
	lora_role role;
	bool embedding, named; /* named: an adapter's name may follow */
} marks[] = {
	{ ".lora_A", LORA_HALF_A, false, true },
	{ ".lora_B", LORA_HALF_B, false, true },
	{ ".lora_embedding_A", LORA_HALF_A, true, true },
	{ ".lora_embedding_B", LORA_HALF_B, true, true },
	{ ".modules_to_save", LORA_WHOLE, false, true },
	{ ".base_layer", LORA_BASE, false, false },
	{ ".original_module", LORA_BASE, false, false },
};

/* The mark in the name, a whole component or several; *at: where it begins. */
static const struct mark *find_mark(const char *name, const char **at)
{
	size_t i;

	for (i = 0; i < sizeof marks / sizeof *marks; i++) {
		size_t n = strlen(marks[i].text);

		*at = strstr(name, marks[i].text);
		if (*at && ((*at)[n] == '.' || (*at)[n] == 0))
			return &marks[i];
	}
	return NULL;
}

/* What follows a mark: nothing or one name, and ".weight" but for embeddings' halves. */
static bool read_rest(lora_place *found, const struct mark *mark, const char *rest)
{
	size_t n = strlen(rest);

	if (!mark->embedding) {
		if (!names_end_with(rest, ".weight"))
			return false;
		n -= strlen(".weight");
	}
	if (n == 0)
		return true;
	if (!mark->named || rest[0] != '.' || n < 2 || n > sizeof found->adapter ||
	    memchr(rest + 1, '.', n - 1))
		return false;
	memcpy(found->adapter, rest + 1, n - 1);
	found->adapter[n - 1] = 0;
	return true;
}

/* Splits found->module into prefix and the model's own name, and finds its kind. */
static bool find_module(lora_place *found, const naming *names)
{
	const char *outside[] = { names->outside[TENSOR_EMBEDDING],
		                  names->outside[TENSOR_FINAL_NORM],
		                  names->outside[TENSOR_OUTPUT] };
	char weight[280], plain[280];
	int before;
	size_t i;

	(void)snprintf(weight, sizeof weight, "%s.weight", found->module);
	before = prefix_measure(names, weight);
	if (before < 0) {
		for (i = 0; i < 3; i++) {
			const char *own =
			        outside[i] + (strncmp(outside[i], names->body, strlen(names->body))
			                              ? 0
			                              : strlen(names->body));
			size_t n = strlen(weight), length = strlen(own);

			if (names_end_with(weight, own) &&
			    (n == length || weight[n - length - 1] == '.')) {
				before = (int)(n - length);
				found->kind = naming_find_kind(names, outside[i], 1, &found->layer);
			}
		}
	} else {
		(void)snprintf(plain, sizeof plain, "%s%s", names->body, weight + before);
		found->kind = naming_find_kind(names, plain, UINT32_MAX, &found->layer);
	}
	if (before < 0 || before >= (int)sizeof found->prefix || found->kind == 0)
		return false;
	memcpy(found->prefix, weight, (size_t)before);
	found->prefix[before] = 0;
	return true;
}

brise_status lora_find_place(lora_place *found, const naming *names, const char *name,
                             const char *path, brise_error *err)
{
	static const char peft[] = "base_model.model.";
	const struct mark *mark;
	const char *at, *why = NULL;
	char plain[256] = "";
	size_t n;

	memset(found, 0, sizeof *found);
	found->role = LORA_WHOLE;
	(void)snprintf(plain, sizeof plain, "%s", name);
	prefix_drop_wrappers(plain);
	mark = find_mark(plain, &at);
	if (strstr(name, "lora_magnitude_vector"))
		why = "part of DoRA, which is not supported";
	else if (names_end_with(name, ".bias"))
		why = "biases are not supported";
	else if (mark ? !read_rest(found, mark, at + strlen(mark->text))
	              : !names_end_with(plain, ".weight"))
		why = "no half of a low-rank pair and no whole matrix";
	if (why)
		return error_set(err, BRISE_EUNSUPPORTED, "%s: tensor %s: %s", path, name, why);
	if (mark) {
		found->role = mark->role;
		found->embedding = mark->embedding;
	}
	n = mark ? (size_t)(at - plain) : strlen(plain) - strlen(".weight");
	memcpy(found->module, plain, n);
	found->module[n] = 0;
	if (strlen(name) >= sizeof plain || !find_module(found, names) ||
	    (found->role < LORA_BASE && (order_is_vector(found->kind) ||
	                                 (found->kind == TENSOR_EMBEDDING) != found->embedding)))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: names no matrix of a Mistral model", path, name);
	if (!strncmp(found->module, peft, sizeof peft - 1))
		memmove(found->module, found->module + sizeof peft - 1,
		        strlen(found->module) - (sizeof peft - 1) + 1);
	return BRISE_OK;
}
