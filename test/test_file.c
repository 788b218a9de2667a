/* test_file.c - damaged and hostile files are refused with a message that names the file, or run to
 * their end; never a signal */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/model/crc32.h"
#include "test/check.h"
#include "test/evaluator.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define MUTATIONS 4000

typedef struct image {
	uint8_t *bytes; /* page-aligned */
	size_t size;
} image;

static image read_image(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat facts;
	image im = { NULL, 0 };

	if (!f || fstat(fileno(f), &facts) != 0)
		exit(1);
	im.size = (size_t)facts.st_size;
	im.bytes = aligned_alloc(4096, (im.size + 4095) / 4096 * 4096);
	if (!im.bytes || fread(im.bytes, 1, im.size, f) != im.size)
		exit(1);
	fclose(f);
	return im;
}

static void write_image(const char *path, const uint8_t *bytes, size_t size)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
		exit(1);
}

/* Opens; if that works, evaluates a few tokens and reads a row of every tensor. The status of
 * opening. */
static brise_status try_image(const uint8_t *bytes, size_t size, brise_error *err)
{
	brise_status status;
	brise_model *model;
	evaluator e;
	float *row = NULL;
	size_t i;

	status = brise_open_memory(&model, bytes, size, "image", NULL, err);
	if (status != BRISE_OK)
		return status;
	if (evaluator_open(&e, model, (evaluator_options){ .threads = 1, .chunk = 4 }, NULL) ==
	    BRISE_OK) {
		const float *logits;

		(void)evaluator_eval(&e, (int32_t[]){ 0, 0, 0 }, 3, &logits, NULL);
		evaluator_close(&e);
	}
	for (i = 0; i < brise_get_tensor_count(model); i++) {
		brise_tensor_facts facts;

		if (brise_get_tensor_facts(model, i, &facts, sizeof facts, NULL) == BRISE_OK &&
		    facts.cols < 100000) {
			row = realloc(row, (facts.cols + 1) * sizeof *row);
			(void)brise_read_row(model, i, facts.rows / 2, row, NULL);
		}
	}
	free(row);
	(void)brise_verify_model(model, NULL, NULL, NULL, NULL);
	brise_close_model(model);
	return BRISE_OK;
}

static void test_truncated_file_is_refused_at_every_page(check_counts *counts, const image *im,
                                                         const char *path)
{
	size_t size;

	for (size = 0; size < im->size; size += size < 256 ? 1 : size < 4096 ? 64 : 4096) {
		brise_error err = { BRISE_OK, "" };
		brise_model *model;
		brise_status status;

		write_image(path, im->bytes, size);
		status = brise_open_model(&model, path, NULL, &err);
		CHECK(counts, status == BRISE_EFORMAT && !model && strstr(err.message, path),
		      "cut to %zu: %d %s", size, status, err.message);
	}
}

static void test_every_flipped_header_byte_is_refused(check_counts *counts, const image *im)
{
	size_t tables = sizeof(format_header) + 3 * sizeof(format_section), at;
	format_section config;

	memcpy(&config, im->bytes + sizeof(format_header), sizeof config);
	for (at = 0; at < config.offset + config.bytes; at++) {
		brise_error err = { BRISE_OK, "" };

		if (at >= tables && at < config.offset)
			continue; /* padding */
		im->bytes[at] ^= 0x41;
		CHECK(counts,
		      try_image(im->bytes, im->size, &err) != BRISE_OK &&
		              strstr(err.message, "image"),
		      "byte %zu: %s", at, err.message);
		im->bytes[at] ^= 0x41;
	}
}

/* Recomputes all checksums of the tables, so that damage passes them. */
static void seal(uint8_t *bytes, size_t size)
{
	format_header h;
	uint32_t i;

	memcpy(&h, bytes, sizeof h);
	for (i = 0; i < h.n_sections && i < 8; i++) {
		format_section s;
		uint8_t *place = bytes + sizeof h + i * sizeof s;

		memcpy(&s, place, sizeof s);
		if (s.offset <= size && s.bytes <= size - s.offset) {
			s.crc = crc32_update(0, bytes + s.offset, (size_t)s.bytes);
			memcpy(place, &s, sizeof s);
		}
	}
	h.sections_crc = crc32_update(0, bytes + sizeof h,
	                              h.n_sections < 8 ? h.n_sections * sizeof(format_section) : 0);
	h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
	memcpy(bytes, &h, sizeof h);
}

/* Values that break naive arithmetic, at random places of header and tables, with valid
 * checksums. */
static void test_hostile_tables_do_no_harm(check_counts *counts, const image *im)
{
	static const uint64_t evil[] = { 0,
		                         1,
		                         0x7fffffff,
		                         0x80000000,
		                         0xffffffff,
		                         0xfffffff0,
		                         0x7fffffffffffffff,
		                         0xffffffffffffffff,
		                         0xffffffffffffff00,
		                         4096,
		                         63 };
	uint8_t *bytes = aligned_alloc(4096, (im->size + 4095) / 4096 * 4096);
	unsigned refused = 0, accepted = 0, silent = 0, i, k;
	format_section tensors;
	uint64_t seed = 4;
	size_t tables;

	memcpy(&tensors, im->bytes + sizeof(format_header) + sizeof tensors, sizeof tensors);
	tables = (size_t)(tensors.offset + tensors.bytes);
	for (i = 0; i < MUTATIONS; i++) {
		brise_error err = { BRISE_OK, "" };

		memcpy(bytes, im->bytes, im->size);
		for (k = 0; k <= random_next(&seed) % 3; k++) {
			size_t at = random_next(&seed) % tables / 4 * 4;
			uint64_t value = evil[random_next(&seed) % (sizeof evil / sizeof *evil)];

			memcpy(bytes + at, &value,
			       random_next(&seed) % 2 ? 4
			       : at + 8 <= tables     ? 8
			                              : 4);
		}
		seal(bytes, im->size);
		if (try_image(bytes, im->size, &err) == BRISE_OK)
			accepted++;
		else if (strstr(err.message, "image"))
			refused++;
		else
			silent++;
	}
	CHECK(counts, silent == 0 && refused > MUTATIONS / 4,
	      "%u refused, %u accepted, %u without the file's name", refused, accepted, silent);
	free(bytes);
}

/* Changes entry `index` of the tensor table, or section `index`, of a copy of the image to lie at
 * `offset` [bytes]. Returns how opening it ends. */
static brise_status open_moved(const image *im, bool section, size_t index, uint64_t offset,
                               uint64_t bytes, brise_error *err)
{
	uint8_t *copy = aligned_alloc(4096, (im->size + 4095) / 4096 * 4096);
	brise_status status;
	format_section s;
	format_tensor t;
	uint8_t *at;

	memcpy(copy, im->bytes, im->size);
	if (section) {
		at = copy + sizeof(format_header) + index * sizeof s;
		memcpy(&s, at, sizeof s);
		s.offset = offset;
		s.bytes = bytes ? bytes : s.bytes;
		memcpy(at, &s, sizeof s);
	} else {
		memcpy(&s, copy + sizeof(format_header) + sizeof s, sizeof s);
		at = copy + s.offset + index * sizeof t;
		memcpy(&t, at, sizeof t);
		t.offset = offset;
		memcpy(at, &t, sizeof t);
	}
	seal(copy, im->size);
	status = try_image(copy, im->size, err);
	free(copy);
	return status;
}

static void test_overlapping_entries_are_refused(check_counts *counts, const image *im)
{
	brise_error err = { BRISE_OK, "" };
	format_section s[3];
	format_tensor t[6];
	unsigned i;

	memcpy(s, im->bytes + sizeof(format_header), sizeof s);
	memcpy(t, im->bytes + s[1].offset, sizeof t);
	for (i = 1; i < 6; i++)
		CHECK(counts,
		      open_moved(im, false, i, t[i - 1].offset, 0, &err) == BRISE_EFORMAT &&
		              strstr(err.message, "overlap"),
		      "tensor %u over the one before: %s", i, err.message);
	CHECK(counts,
	      open_moved(im, true, 2, t[2].offset, 0, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "overlap"),
	      "a section over a tensor: %s", err.message);
	CHECK(counts,
	      open_moved(im, true, 2, s[0].offset, 64, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "overlap"),
	      "a section over another: %s", err.message);
	CHECK(counts,
	      open_moved(im, true, 2, 64, 64, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "overlap"),
	      "a section over the section table: %s", err.message);
	CHECK(counts, open_moved(im, false, 1, t[1].offset, 0, &err) == BRISE_OK, "%s",
	      err.message);
}

/* The image with n more entries of an unknown kind in a tensor table after it, [bytes] at 4096. */
static image with_entries(const image *im, size_t n, uint64_t bytes)
{
	format_tensor unknown = { .kind = 99, .offset = 4096, .bytes = bytes };
	image more = { NULL, (im->size + 63) / 64 * 64 };
	format_header h;
	format_section s;
	size_t i;

	memcpy(&s, im->bytes + sizeof h + sizeof s, sizeof s);
	more.bytes = aligned_alloc(4096,
	                           (more.size + s.bytes + n * sizeof unknown + 4095) / 4096 * 4096);
	memset(more.bytes, 0, more.size);
	memcpy(more.bytes, im->bytes, im->size);
	memcpy(more.bytes + more.size, im->bytes + s.offset, s.bytes);
	for (i = 0; i < n; i++)
		memcpy(more.bytes + more.size + s.bytes + i * sizeof unknown, &unknown,
		       sizeof unknown);
	s.offset = more.size;
	s.bytes += n * sizeof unknown;
	more.size += s.bytes;
	memcpy(more.bytes + sizeof h + sizeof s, &s, sizeof s);
	memcpy(&h, more.bytes, sizeof h);
	h.file_bytes = more.size;
	memcpy(more.bytes, &h, sizeof h);
	seal(more.bytes, more.size);
	return more;
}

static void test_work_is_bounded_by_the_size_of_the_file(check_counts *counts, const image *im)
{
	image empty = with_entries(im, 8000, 0), whole = with_entries(im, 8000, im->size - 4096);
	brise_error err = { BRISE_OK, "" };
	brise_model *model;

	CHECK(counts,
	      brise_open_memory(&model, empty.bytes, empty.size, "image", NULL, &err) == BRISE_OK &&
	              brise_verify_model(model, NULL, NULL, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	brise_close_model(model);
	CHECK(counts,
	      brise_open_memory(&model, whole.bytes, whole.size, "image", NULL, &err) ==
	                      BRISE_EFORMAT &&
	              strstr(err.message, "overlap"),
	      "%s", err.message);
	free(empty.bytes), free(whole.bytes);
}

static void test_flipped_weights_are_found_by_verify(check_counts *counts, const image *im)
{
	brise_error err = { BRISE_OK, "" };
	brise_model *model;

	CHECK(counts,
	      brise_open_memory(&model, im->bytes, im->size, "image", NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, brise_verify_model(model, NULL, NULL, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	im->bytes[im->size - 5] ^= 1;
	CHECK(counts,
	      brise_verify_model(model, NULL, NULL, NULL, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "output"),
	      "%s", err.message);
	im->bytes[im->size - 5] ^= 1;
	brise_close_model(model);
}

static void test_wrong_paths(check_counts *counts, const char *folder)
{
	brise_error err = { BRISE_OK, "" };
	brise_model *model;

	CHECK(counts,
	      brise_open_model(&model, folder, NULL, &err) == BRISE_EIO &&
	              strstr(err.message, "folder"),
	      "%s", err.message);
	CHECK(counts,
	      brise_open_model(&model, "/nonexistent/x.brise", NULL, &err) == BRISE_EIO &&
	              strstr(err.message, "/nonexistent/x.brise"),
	      "%s", err.message);
	CHECK(counts, brise_open_model(&model, "/dev/null", NULL, &err) == BRISE_EIO, "%s",
	      err.message);
	CHECK(counts,
	      brise_open_model(&model, "Makefile", NULL, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "not a brise file"),
	      "%s", err.message);
}

/* The same input gives the same bytes for any number of threads. */
static void test_writer_is_deterministic(check_counts *counts, const char *path)
{
	convert_source source = { .config = small_wide,
		                  .read = small_read,
		                  .self = (void *)(uintptr_t)&small_wide };
	convert_options options;
	image first = { NULL, 0 };
	unsigned threads;
	brise_error err;

	convert_init_options(&options);
	for (threads = 1; threads <= 5; threads += 2) {
		image im;

		options.threads = threads;
		CHECK(counts, convert_write(&source, path, &options, NULL, &err) == BRISE_OK, "%s",
		      err.message);
		im = read_image(path);
		if (!first.bytes) {
			first = im;
			continue;
		}
		CHECK(counts, im.size == first.size && !memcmp(im.bytes, first.bytes, im.size),
		      "%u threads", threads);
		free(im.bytes);
	}
	free(first.bytes);
}

static brise_status read_nothing(void *self, uint32_t kind, uint32_t layer, uint32_t first,
                                 uint32_t n, float *rows, void *raw, brise_error *err)
{
	(void)self, (void)layer, (void)first, (void)n, (void)rows, (void)raw;
	if (kind != TENSOR_W2)
		return small_read((void *)(uintptr_t)&small_wide, kind, layer, first, n, rows, raw,
		                  err);
	if (err)
		*err = (brise_error){ BRISE_EIO, "source: unreadable" };
	return BRISE_EIO;
}

/* A failed conversion leaves the target as it was and nothing else. */
static void test_failed_write_leaves_nothing(check_counts *counts, const char *path,
                                             const char *folder)
{
	convert_source source = { .config = small_wide, .read = read_nothing };
	convert_options options;
	brise_error err;
	char command[700];
	image im;
	FILE *list;
	int files = 0;

	convert_init_options(&options);
	write_image(path, (const uint8_t *)FORMAT_MAGIC "precious", 16);
	CHECK(counts,
	      convert_write(&source, path, &options, NULL, &err) == BRISE_EIO &&
	              strstr(err.message, "unreadable"),
	      "%s", err.message);
	(void)snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
	list = popen(command, "r");
	CHECK(counts, list && fscanf(list, "%d", &files) == 1 && files == 1, "%d files", files);
	if (list)
		pclose(list);
	im = read_image(path);
	CHECK(counts, im.size == 16 && !memcmp(im.bytes, FORMAT_MAGIC "precious", 16),
	      "the target changed");
	free(im.bytes);
}

static void test_crc_is_zlibs(check_counts *counts)
{
	/* check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms */
	const char *text = "123456789";
	uint32_t whole = crc32_update(0, text, 9),
	         parts = crc32_update(crc32_update(0, text, 4), text + 4, 5);

	CHECK(counts, whole == 0xcbf43926 && parts == whole, "%08x %08x", whole, parts);
	CHECK(counts,
	      crc32_combine(crc32_update(0, text, 4), crc32_update(0, text + 4, 5), 5) == whole,
	      "combined");
	CHECK(counts, crc32_combine(whole, 0, 0) == whole, "with nothing");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	char folder[512], path[600];
	uint32_t type = 0;
	image im;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	RUN(test_crc_is_zlibs(&counts));
	while ((type = next_book_type(type)) != 0) {
		small_write(&small_odd, type, path);
		im = read_image(path);
		RUN(test_truncated_file_is_refused_at_every_page(&counts, &im, path));
		RUN(test_every_flipped_header_byte_is_refused(&counts, &im));
		RUN(test_flipped_weights_are_found_by_verify(&counts, &im));
		RUN(test_hostile_tables_do_no_harm(&counts, &im));
		RUN(test_overlapping_entries_are_refused(&counts, &im));
		RUN(test_work_is_bounded_by_the_size_of_the_file(&counts, &im));
		RUN(test_wrong_paths(&counts, folder));
		RUN(test_writer_is_deterministic(&counts, path));
		RUN(test_failed_write_leaves_nothing(&counts, path, folder));
		free(im.bytes);
	}
	(void)unlink(path);
	(void)rmdir(folder);
	return check_report("file", &counts);
}
