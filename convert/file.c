/* file.c - the .brise file: opened beside its name, filled, completed with tables and checksums,
 * and put in its place
 *
 * Everything is checked and planned before the first weight is encoded, so that errors appear now
 * and not in half an hour. The header is written last: a file that was cut off has none.
 */
#include "convert/file.h"

#include <stdio.h>
#include <string.h>

#include "arch/float_env.h"
#include "convert/closed/closed.h"
#include "convert/encode.h"
#include "convert/plan.h"
#include "runtime/error.h"
#include "runtime/eval/engine.h"
#include "runtime/model/crc32.h"
#include "runtime/model/model.h"
#include "runtime/model/order.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"
#include "runtime/os/threads.h"

/* ---- tables --------------------------------------------------------------------------------- */

/* The first block of the tensors has zeros where the tables go. */
brise_status file_write_tables(file_plan *plan, file_write_fn *write, void *user, brise_error *err)
{
	format_header header = { .version = plan_version(plan->source),
		                 .section_bytes = sizeof(format_section),
		                 .file_bytes = plan->file_bytes,
		                 .n_sections = plan->n_sections };
	size_t table = plan->n_sections * sizeof *plan->sections;
	brise_status status = BRISE_OK;
	unsigned i;

	for (i = 0; i < plan->n_sections && status == BRISE_OK; i++) {
		format_section *s = &plan->sections[i];

		s->crc = crc32_update(0, plan->contents[i], (size_t)s->bytes);
		status = write(user, plan->contents[i], (size_t)s->bytes, s->offset, err);
	}
	memcpy(header.magic, FORMAT_MAGIC, sizeof header.magic);
	header.sections_crc = crc32_update(0, plan->sections, table);
	header.header_crc = crc32_update(0, &header, sizeof header - sizeof header.header_crc);
	if (status == BRISE_OK)
		status = write(user, plan->sections, table, sizeof header, err);
	if (status == BRISE_OK)
		status = write(user, &header, sizeof header, 0, err);
	return status;
}

static brise_status write_bytes(void *target, const void *bytes, size_t n, uint64_t offset,
                                brise_error *err)
{
	return target_write_at(target, bytes, n, offset, err);
}

/* ---- what the caller is told ---------------------------------------------------------------- */

/* Short rows take more than 4.25 bits, and rules may spend what they like. */
static void tell_excess(const file_plan *plan, const convert_options *o)
{
	double bits = 8 * (double)plan->file_bytes / (double)plan_weights(plan);
	char line[128];

	if (!o->decision || !(o->bits > 0) || bits <= o->bits)
		return;
	(void)snprintf(line, sizeof line,
	               "%.3f bits per weight in total are more than the %g asked for", bits,
	               o->bits);
	o->decision(o->user, line);
}

/* The origin, line by line. Printed only now, so that a refusal is one line. */
static void tell_decisions(const file_plan *plan, const convert_options *o)
{
	const char *at = plan->origin, *end;
	char line[512]; /* the longest that notes.h makes */

	for (; at && *at && o->decision; at = *end ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		(void)snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
		if (*line)
			o->decision(o->user, line);
	}
	tell_excess(plan, o);
}

static void tell_losses(const file_plan *plan, const convert_options *o)
{
	uint32_t i;

	for (i = 0; o->loss && i < plan->n_tensors; i++)
		if (!order_is_vector(plan->tensors[i].kind))
			o->loss(o->user, plan->tensors[i].kind, plan->tensors[i].layer,
			        (double)plan->tensors[i].relative_error);
}

/* ---- calibration ---------------------------------------------------------------------------- */

static brise_status verify_calibration(const calibration *c, const convert_options *o,
                                       const char *name, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < c->header.n_inputs && status == BRISE_OK; i++)
		if ((status = encode_ask_cancel(o, name, err)) == BRISE_OK)
			status = calibration_verify_input(c, i, err);
	return status;
}

/* Opens it, if there is one, and checks all of it. */
static brise_status open_calibration(calibration **c, const convert_source *source,
                                     const convert_options *o, const char *name, brise_error *err)
{
	brise_status status;

	*c = NULL;
	if (!o->calibration && o->effort == EFFORT_BEST)
		return error_set(err, BRISE_EINVAL,
		                 "%s: effort best needs the text of a calibration, which brise "
		                 "calibrate makes",
		                 name);
	if (!o->calibration)
		return BRISE_OK;
	if ((status = calibration_open(c, o->calibration, err)) == BRISE_OK &&
	    (status = calibration_fits(*c, &source->config, "the checkpoint", err)) == BRISE_OK)
		status = verify_calibration(*c, o, name, err);
	return status;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static brise_status open_target(target_file *target, const char *out, uint64_t bytes,
                                brise_error *err)
{
	static const target_kind model = { FORMAT_MAGIC, sizeof FORMAT_MAGIC - 1, "a .brise file",
		                           false };
	brise_status status = target_open(target, out, &model, err);

	return status == BRISE_OK ? target_check_space(target, bytes, err) : status;
}

/* What will be refused when the file is opened is refused before losses are measured. */
static brise_status check_target(const encode_job *job, brise_error *err)
{
	target_file target = { .name = job->name, .descriptor = -1 };
	brise_status status;

	if (job->options->effort == EFFORT_BEST)
		return closed_check(job, err);
	status = open_target(&target, job->name, job->plan->file_bytes, err);
	target_discard(&target);
	return status;
}

static brise_status encode_and_write(const encode_job *job, target_file *target, tile_error *all,
                                     brise_error *err)
{
	brise_status status;

	if (job->options->effort == EFFORT_BEST) {
		tell_decisions(job->plan, job->options);
		return closed_write(job, all, err);
	}
	status = open_target(target, job->name, job->plan->file_bytes, err);
	if (status != BRISE_OK)
		return status;
	tell_decisions(job->plan, job->options);
	if ((status = encode_tensors(job, target, all, err)) == BRISE_OK &&
	    (status = file_write_tables(job->plan, write_bytes, target, err)) == BRISE_OK)
		status = target_commit(target, err);
	return status;
}

static convert_result result_of(const file_plan *plan, const tile_error *all)
{
	uint64_t weights = plan_weights(plan);

	return (convert_result){ .file_bytes = plan->file_bytes,
		                 .source_bytes = plan->source_bytes,
		                 .weights = weights,
		                 .bits_per_weight =
		                         8.0 * (double)plan->file_bytes / (double)weights,
		                 .relative_error = tile_relative_error(all) };
}

static brise_status check_source(const convert_source *source, const char *out, brise_error *err)
{
	if (!format_is_native())
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: brise files are little-endian and so must the processor be "
		                 "that writes them",
		                 out);
	return model_check_config(&source->config, out, err);
}

static brise_status write_file(const convert_source *source, const char *out,
                               const convert_options *o, convert_result *result, brise_error *err)
{
	unsigned threads = o->threads ? o->threads : threads_available();
	target_file target = { .name = out, .descriptor = -1 };
	file_plan plan = { .source = source };
	calibration *inputs = NULL;
	double start = os_clock();
	tile_error all = { 0, 0 };
	arch_kernels kernels;
	arch_tools tools;
	encode_job job;
	brise_status status;

	threads = threads > THREADS_MAX ? THREADS_MAX : threads;
	if ((status = check_source(source, out, err)) != BRISE_OK ||
	    (status = engine_choose_kernels(&kernels, o->arch, err)) != BRISE_OK)
		return status;
	arch_find_tools(&tools, kernels.name);
	if ((status = open_calibration(&inputs, source, o, out, err)) != BRISE_OK)
		goto done;
	job = (encode_job){ &plan, o, inputs, &tools, threads, out };
	if ((status = plan_make(&plan, source, &job, err)) != BRISE_OK ||
	    (plan.choice && (status = check_target(&job, err)) != BRISE_OK) ||
	    (status = plan_measure(&plan, err)) != BRISE_OK ||
	    (status = encode_and_write(&job, &target, &all, err)) != BRISE_OK)
		goto done;
	tell_losses(&plan, o);
	if (result) {
		*result = result_of(&plan, &all);
		result->seconds = os_clock() - start;
	}
done:
	target_discard(&target);
	calibration_close(inputs);
	plan_free(&plan);
	return status;
}

brise_status convert_write(const convert_source *source, const char *out,
                           const convert_options *options, convert_result *result, brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = write_file(source, out, options, result, err);

	float_env_leave(host);
	return status;
}
