/* input.c - whole files of text, and ids in them, read strictly */
#include "runtime/cli/input.h"
#include "runtime/cli/number.h"
#include "runtime/cli/stream.h"
#include "runtime/error.h"
#include "runtime/model/contents.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#include <inttypes.h>
#include <string.h>

const char *input_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

bool input_is_same_file(const char *a, const char *b)
{
	os_facts first, second;

	return os_examine(a, &first) && os_examine(b, &second) && first.kind == OS_FILE &&
	       first.device == second.device && first.serial == second.serial;
}

/* Reads to the end, growing by doubling: pipes have no size to ask for. */
static brise_status read_stream(stream *from, char **text, size_t *bytes, brise_error *err)
{
	size_t room = 64 * 1024, used = 0, n = 1;
	char *data = memory_new(room, 1), *larger;
	brise_status status = BRISE_OK;

	if (!data)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu bytes of text",
		                 from->name, room);
	while (n > 0) {
		status = stream_read(from, data + used, room - 1 - used, &n, err);
		if (status != BRISE_OK)
			break;
		used += n;
		if (used < room - 1)
			continue;
		larger = room < INPUT_MOST_BYTES ? memory_resize(data, 2 * room, 1) : NULL;
		if (!larger) {
			status = error_set(err, BRISE_ENOMEM,
			                   "%s: text: no memory for more than %zu bytes",
			                   from->name, room);
			break;
		}
		data = larger;
		room *= 2;
	}
	if (status != BRISE_OK) {
		memory_free(data);
		return status;
	}
	data[used] = '\0';
	*text = data;
	*bytes = used;
	return BRISE_OK;
}

/* UTF-16 without a mark: every other byte of the beginning is zero, and no other one. */
static bool alternates_with_zeros(const char *text, size_t n)
{
	size_t zeros[2] = { 0, 0 }, i;

	n -= n % 2;
	for (i = 0; i < n; i++)
		zeros[i % 2] += text[i] == 0;
	return n > 2 && zeros[0] + zeros[1] == n / 2 && (zeros[0] == 0 || zeros[1] == 0);
}

/* What is given by mistake: models, archives, and documents whose text is not what they hold. Other
 * bytes are a text in some encoding, or meant. */
static bool is_no_text(contents found)
{
	static const contents kinds[] = { CONTENTS_BRISE, CONTENTS_GGUF,    CONTENTS_SAFETENSORS,
		                          CONTENTS_ZIP,   CONTENTS_ARCHIVE, CONTENTS_IMAGE,
		                          CONTENTS_PDF };
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (found == kinds[i])
			return true;
	return false;
}

/* Windows saves files as UTF-16, or as UTF-8 with a byte order mark, which is no part of the
 * text. */
static brise_status drop_mark(char *text, size_t *bytes, const char *name, brise_error *err)
{
	size_t head = *bytes < CONTENTS_HEAD ? *bytes : CONTENTS_HEAD;
	contents found = contents_recognize(text, head, *bytes);

	if (is_no_text(found))
		return error_set(err, BRISE_EFORMAT, "%s: is %s, not text", name,
		                 contents_name(found));
	if (found == CONTENTS_UTF16 || alternates_with_zeros(text, head < 64 ? head : 64))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: is text in UTF-16; expected UTF-8, save it as that", name);
	if (*bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		*bytes -= 3;
		memmove(text, text + 3, *bytes + 1);
	}
	return BRISE_OK;
}

size_t input_drop_line_end(const char *text, size_t bytes)
{
	if (bytes > 0 && text[bytes - 1] == '\n')
		bytes -= bytes > 1 && text[bytes - 2] == '\r' ? 2 : 1;
	return bytes;
}

brise_status input_read_text(const char *path, char **text, size_t *bytes, brise_error *err)
{
	stream from;
	brise_status status = stream_open(&from, path, input_name(path), err);

	*text = NULL;
	*bytes = 0;
	if (status == BRISE_OK)
		status = read_stream(&from, text, bytes, err);
	stream_close(&from);
	if (status == BRISE_OK &&
	    (status = drop_mark(*text, bytes, input_name(path), err)) != BRISE_OK) {
		memory_free(*text);
		*text = NULL;
		*bytes = 0;
	}
	return status;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Each number takes at least two bytes with its separator, so memory is bounded by the size of the
 * text. */
static size_t count_words(const char *text, size_t bytes)
{
	size_t i, n = 0;

	for (i = 0; i < bytes; i++)
		n += !is_blank(text[i]) && (i == 0 || is_blank(text[i - 1]));
	return n;
}

brise_status input_parse_ids(const char *text, size_t bytes, const char *name, uint32_t vocab,
                             int32_t **ids, size_t *n, brise_error *err)
{
	size_t words = count_words(text, bytes), used = 0, line = 1, i = 0;
	int32_t *list = NULL;

	*ids = NULL;
	*n = 0;
	if (words == 0)
		return BRISE_OK;
	if (!(list = memory_new(words, sizeof *list)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu token ids", name, words);
	while (i < bytes) {
		uint64_t id;
		size_t end = i;

		if (is_blank(text[i])) {
			line += text[i++] == '\n';
			continue;
		}
		while (end < bytes && !is_blank(text[end]))
			end++;
		if (vocab == 0 || !number_read_whole(text + i, end - i, vocab - 1, &id)) {
			memory_free(list);
			return error_set(err, BRISE_EFORMAT,
			                 "%s: line %zu: expected a token id from 0 to %" PRIu32
			                 ", found '%.*s'",
			                 name, line, vocab - 1, (int)(end - i < 32 ? end - i : 32),
			                 text + i);
		}
		list[used++] = (int32_t)id;
		i = end;
	}
	*ids = list;
	*n = used;
	return BRISE_OK;
}

brise_status input_read_ids(const char *path, uint32_t vocab, int32_t **ids, size_t *n,
                            brise_error *err)
{
	char *text;
	size_t bytes;
	brise_status status = input_read_text(path, &text, &bytes, err);

	*ids = NULL;
	*n = 0;
	if (status == BRISE_OK)
		status = input_parse_ids(text, bytes, input_name(path), vocab, ids, n, err);
	memory_free(text);
	return status;
}
