/* types.c - rules that name matrices by pattern */
#include "convert/types.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/model.h"

#define PATTERN_MAX 128

static uint32_t find_type(const char *name)
{
	static const uint32_t types[] = { TYPE_Q4, TYPE_Q8, TYPE_F16 };
	size_t i;

	for (i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(name, model_type_name(types[i])))
			return types[i];
	return 0;
}

static bool matches(const char *pattern, const format_tensor *t)
{
	const char *last;
	char name[48];

	model_tensor_name(name, t->kind, t->layer);
	last = strrchr(name, '.');
	return fnmatch(pattern, name, 0) == 0 || (last && fnmatch(pattern, last + 1, 0) == 0);
}

static brise_status apply(format_tensor *tensors, uint32_t n_tensors, const char *spec, brise_error *err)
{
	const char *equals = strrchr(spec, '=');
	uint32_t type = equals ? find_type(equals + 1) : 0, i, found = 0;
	char pattern[PATTERN_MAX];

	if (type == 0 || equals - spec >= PATTERN_MAX)
		return error_set(err, BRISE_EINVAL, "tensor type \"%.60s\": PATTERN=q4, =q8 or =f16 expected", spec);
	(void)snprintf(pattern, sizeof pattern, "%.*s", (int)(equals - spec), spec);
	for (i = 0; i < n_tensors; i++)
		if (tensors[i].type != TYPE_F32 && matches(pattern, &tensors[i])) {
			tensors[i].type = type;
			found++;
		}
	if (found == 0)
		return error_set(err, BRISE_EINVAL, "tensor type \"%.60s\": no matrix is called so; there are embedding, output, and layers.0.wq, wk, wv, wo, w1, w3, w2 and so on",
		                 spec);
	return BRISE_OK;
}

brise_status types_apply(format_tensor *tensors, uint32_t n_tensors, const char *const *specs, size_t n, brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t i;

	for (i = 0; i < n && status == BRISE_OK; i++)
		status = apply(tensors, n_tensors, specs[i], err);
	return status;
}
