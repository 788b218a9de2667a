/* contents.h - the kind of a file, by its first bytes
 *
 * Downloads often leave something else under a file's name: a Git LFS pointer, a web page, a
 * server's error in a line of text. Every reader of checkpoints, tokenizers and models looks here
 * first, so that the message names what was found instead of the first field that makes no sense.
 */
#ifndef RUNTIME_CONTENTS_H
#define RUNTIME_CONTENTS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

#define CONTENTS_HEAD 512u /* bytes of a file's beginning that are looked at, if it has them */

typedef enum contents {
	CONTENTS_ANY,    /* as an expectation: nothing is refused */
	CONTENTS_BINARY, /* no mark of its own: tokenizer.model, calibrations */
	CONTENTS_BRISE,
	CONTENTS_SESSION, /* runtime/session/file.h */
	CONTENTS_GGUF,
	CONTENTS_SAFETENSORS,
	CONTENTS_ZIP,
	CONTENTS_JSON,
	CONTENTS_EMPTY,
	CONTENTS_ZEROS,
	CONTENTS_LFS_POINTER,
	CONTENTS_WEB_PAGE,
	CONTENTS_SERVER_ERROR, /* JSON whose first key says so */
	CONTENTS_TEXT,
	CONTENTS_UTF16,
	CONTENTS_ARCHIVE, /* gzip, xz, zstd, bzip2, 7z, lz4, rar, tar */
	CONTENTS_IMAGE,   /* PNG, JPEG, GIF, WebP */
	CONTENTS_PDF,
	CONTENTS_PROGRAM, /* ELF, Windows */
	CONTENTS_PICKLE,  /* Python's, as torch wrote before 1.6 */
	CONTENTS_HDF5,
	CONTENTS_KINDS
} contents;

/* head [n]: the first bytes of a file of file_bytes in all, CONTENTS_HEAD of them or the whole
 * file. CONTENTS_BINARY: nothing that is known here. */
contents contents_recognize(const void *head, size_t n, uint64_t file_bytes);

/* What a message calls it: "a PDF document"; for CONTENTS_BINARY "binary data". */
const char *contents_name(contents kind);

/* Refuses what is known to be something else than expected, with its name and what to do; bytes
 * that are not known pass, for the reader of the format to judge, but for JSON. name is for
 * messages. Errors: BRISE_EFORMAT. */
brise_status contents_check(const void *head, size_t n, uint64_t file_bytes, contents expected,
                            const char *name, brise_error *err);

#endif
