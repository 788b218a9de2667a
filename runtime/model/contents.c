/* contents.c - the first bytes of each kind of file, and the remedy for each */
#include "runtime/model/contents.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/model/format.h"

#define EXCERPT_MAX 60u /* characters of a text that a message repeats */

#define DOWNLOAD_AGAIN "download it again"

/* What a message calls each kind, and the remedy where it is in the place of another. */
static const struct {
	const char *name, *remedy;
} kinds[CONTENTS_KINDS] = {
	[CONTENTS_BINARY] = { "what its name says", "" },
	[CONTENTS_BRISE] = { "a brise file", "brise run, info and tokenize take it as it is" },
	[CONTENTS_SESSION] = { "a session of brise",
	                       "run takes it with --session, beside its model" },
	[CONTENTS_GGUF] = { "a GGUF file", "give brise convert the file itself" },
	[CONTENTS_SAFETENSORS] = { "a safetensors file",
	                           "give it a name that ends in .safetensors" },
	[CONTENTS_ZIP] = { "a zip archive", "unpack it; torch's are read as consolidated.00.pth "
	                                    "beside params.json" },
	[CONTENTS_JSON] = { "JSON", DOWNLOAD_AGAIN },
	[CONTENTS_EMPTY] = { "an empty file", DOWNLOAD_AGAIN },
	[CONTENTS_ZEROS] = { "zeros only at its beginning", "an unfinished download?" },
	[CONTENTS_LFS_POINTER] = { "a Git LFS pointer", "fetch the data with git lfs pull, or "
	                                                "download the file itself" },
	[CONTENTS_WEB_PAGE] = { "a web page",
	                        "download the file itself; some models ask for a login first" },
	[CONTENTS_SERVER_ERROR] = { "a server's answer",
	                            "download the file itself; some models ask for a login first" },
	[CONTENTS_TEXT] = { "text", "download the file itself" },
	[CONTENTS_UTF16] = { "text in UTF-16", "save it as UTF-8" },
	[CONTENTS_ARCHIVE] = { "a compressed file or archive", "unpack it" },
	[CONTENTS_IMAGE] = { "an image", "download the file itself" },
	[CONTENTS_PDF] = { "a PDF document", "download the file itself" },
	[CONTENTS_PROGRAM] = { "a program", "download the file itself" },
	[CONTENTS_PICKLE] = { "a Python pickle",
	                      "it may hold programs and is not read; get .safetensors files" },
	[CONTENTS_HDF5] = { "an HDF5 file", "get the model's .safetensors files" },
};

static bool begins(const uint8_t *p, size_t n, const char *with, size_t bytes)
{
	return n >= bytes && !memcmp(p, with, bytes);
}

#define BEGINS(p, n, literal) begins(p, n, literal, sizeof(literal) - 1)

static bool is_archive(const uint8_t *p, size_t n)
{
	return BEGINS(p, n, "\x1f\x8b") ||
	       BEGINS(p, n,
	              "\xfd"
	              "7zXZ") ||
	       BEGINS(p, n, "\x28\xb5\x2f\xfd") || BEGINS(p, n, "BZh") ||
	       BEGINS(p, n, "7z\xbc\xaf\x27\x1c") || BEGINS(p, n, "Rar!\x1a\x07") ||
	       BEGINS(p, n, "\x04\x22\x4d\x18") || (n >= 262 && !memcmp(p + 257, "ustar", 5));
}

/* No control characters but those that lay out a text. */
static bool is_text(const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((p[i] < ' ' && !strchr("\t\n\r\f", p[i])) || p[i] == 0x7f || p[i] == 0)
			return false;
	return n > 0;
}

static bool is_image(const uint8_t *p, size_t n)
{
	return BEGINS(p, n, "\x89PNG\r\n\x1a\n") || BEGINS(p, n, "\xff\xd8\xff") ||
	       BEGINS(p, n, "GIF87a") || BEGINS(p, n, "GIF89a") ||
	       (n >= 12 && BEGINS(p, n, "RIFF") && !memcmp(p + 8, "WEBP", 4));
}

/* "MZ" alone could begin a text. */
static bool is_program(const uint8_t *p, size_t n)
{
	return BEGINS(p, n, "\x7f\x45LF") || (n >= 64 && BEGINS(p, n, "MZ") && !is_text(p, 64));
}

static bool is_utf16(const uint8_t *p, size_t n)
{
	return BEGINS(p, n, "\xff\xfe") || BEGINS(p, n, "\xfe\xff") || BEGINS(p, n, "{\0") ||
	       BEGINS(p, n, "\0{");
}

static bool is_safetensors(const uint8_t *p, size_t n, uint64_t file_bytes)
{
	uint64_t length = 0;
	int i;

	if (n < 10 || p[8] != '{')
		return false;
	for (i = 7; i >= 0; i--)
		length = length << 8 | p[i];
	return length >= 2 && length <= file_bytes - 8;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return n > 0;
}

static size_t skip_spaces(const uint8_t *p, size_t n, size_t at)
{
	while (at < n && (p[at] == ' ' || p[at] == '\t' || p[at] == '\n' || p[at] == '\r'))
		at++;
	return at;
}

/* {"error": ...} and relatives: the first key. */
static bool is_server_error(const uint8_t *p, size_t n)
{
	static const char *const keys[] = { "\"error", "\"message\"", "\"detail\"" };
	size_t at = skip_spaces(p, n, 1), i;

	for (i = 0; i < sizeof keys / sizeof *keys; i++)
		if (begins(p + at, n - at, keys[i], strlen(keys[i])))
			return true;
	return false;
}

static contents recognize_text(const uint8_t *p, size_t n)
{
	size_t at = BEGINS(p, n, "\xef\xbb\xbf") ? 3 : 0;

	at = skip_spaces(p, n, at);
	if (!is_text(p, n))
		return CONTENTS_BINARY;
	if (BEGINS(p + at, n - at, "version https://git-lfs") ||
	    BEGINS(p + at, n - at, "version https://hawser"))
		return CONTENTS_LFS_POINTER;
	if (at + 1 < n && p[at] == '<' && (p[at + 1] == '!' || p[at + 1] == '?' || p[at + 1] > '@'))
		return CONTENTS_WEB_PAGE;
	if (at < n && (p[at] == '{' || p[at] == '['))
		return p[at] == '{' && is_server_error(p + at, n - at) ? CONTENTS_SERVER_ERROR
		                                                       : CONTENTS_JSON;
	return CONTENTS_TEXT;
}

contents contents_recognize(const void *head, size_t n, uint64_t file_bytes)
{
	const uint8_t *p = head;

	if (file_bytes == 0)
		return CONTENTS_EMPTY;
	if (begins(p, n, FORMAT_MAGIC, sizeof FORMAT_MAGIC - 1))
		return CONTENTS_BRISE;
	if (begins(p, n, FORMAT_SESSION_MAGIC, FORMAT_SESSION_MAGIC_BYTES))
		return CONTENTS_SESSION;
	if (BEGINS(p, n, "GGUF"))
		return CONTENTS_GGUF;
	if (BEGINS(p, n, "PK\3\4") || BEGINS(p, n, "PK\5\6"))
		return CONTENTS_ZIP;
	if (is_safetensors(p, n, file_bytes))
		return CONTENTS_SAFETENSORS;
	if (is_archive(p, n))
		return CONTENTS_ARCHIVE;
	if (BEGINS(p, n, "\x89HDF\r\n"))
		return CONTENTS_HDF5;
	if (is_image(p, n))
		return CONTENTS_IMAGE;
	if (BEGINS(p, n, "%PDF-"))
		return CONTENTS_PDF;
	if (is_program(p, n))
		return CONTENTS_PROGRAM;
	if (n >= 2 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5)
		return CONTENTS_PICKLE;
	if (is_utf16(p, n))
		return CONTENTS_UTF16;
	return n >= 16 && is_zero(p, n) ? CONTENTS_ZEROS : recognize_text(p, n);
}

const char *contents_name(contents kind)
{
	return kind == CONTENTS_BINARY ? "binary data" : kinds[kind].name;
}

/* What no JSON begins with. */
static bool is_no_json(const uint8_t *p, size_t n)
{
	size_t at = skip_spaces(p, n, BEGINS(p, n, "\xef\xbb\xbf") ? 3 : 0);

	return at < n && p[at] != '{' && p[at] != '[';
}

/* The first line of what the text says, in quotes; a server's error is what stands in quotes
 * itself. Characters that are not ASCII come out as '?': nothing says that they are UTF-8. */
static void quote(char excerpt[EXCERPT_MAX + 8], const uint8_t *p, size_t n)
{
	size_t at = BEGINS(p, n, "\xef\xbb\xbf") ? 3 : 0, length = 0;
	char text[EXCERPT_MAX + 1];

	at = skip_spaces(p, n, at);
	for (; at + length < n && p[at + length] >= ' ' && length < EXCERPT_MAX; length++)
		text[length] = p[at + length] < 0x7f ? (char)p[at + length] : '?';
	text[length] = 0;
	(void)snprintf(excerpt, EXCERPT_MAX + 8, " \"%s\"", text);
}

/* Models in other forms, where a brise file is expected. */
static bool is_checkpoint(contents found)
{
	return found == CONTENTS_GGUF || found == CONTENTS_SAFETENSORS || found == CONTENTS_ZIP ||
	       found == CONTENTS_JSON || found == CONTENTS_PICKLE;
}

brise_status contents_check(const void *head, size_t n, uint64_t file_bytes, contents expected,
                            const char *name, brise_error *err)
{
	contents found = contents_recognize(head, n, file_bytes);
	char excerpt[EXCERPT_MAX + 8] = "";

	if (expected == CONTENTS_JSON && found == CONTENTS_BINARY && is_no_json(head, n))
		return error_set(err, BRISE_EFORMAT, "%s: is %s, not JSON; %s", name,
		                 contents_name(found), DOWNLOAD_AGAIN);
	if (expected == CONTENTS_ANY || found == expected || found == CONTENTS_BINARY)
		return BRISE_OK;
	if (expected == CONTENTS_BRISE && is_checkpoint(found))
		return error_set(
		        err, BRISE_EFORMAT,
		        "%s: is %s, not a brise file; make one of it: brise convert %s OUT.brise",
		        name, kinds[found].name, found == CONTENTS_GGUF ? name : "FOLDER");
	if (found == CONTENTS_TEXT || found == CONTENTS_SERVER_ERROR)
		quote(excerpt, head, n);
	return error_set(err, BRISE_EFORMAT, "%s: is %s%s, not %s; %s", name, kinds[found].name,
	                 excerpt, kinds[expected].name, kinds[found].remedy);
}
