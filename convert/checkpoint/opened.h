/* opened.h - the state of a checkpoint while it is being opened */
#ifndef CONVERT_CHECKPOINT_OPENED_H
#define CONVERT_CHECKPOINT_OPENED_H

#include "convert/checkpoint/architecture.h"
#include "convert/checkpoint/checkpoint.h"
#include "convert/checkpoint/locate.h"
#include "convert/checkpoint/naming.h"
#include "convert/formats/gguf_reader.h"
#include "convert/formats/notes.h"
#include "convert/formats/tensors.h"

/* The public part comes first; its tensors' names point into the list. */
typedef struct opened {
	checkpoint cp;
	tensor_list list;
	architecture arch;
	notes decisions;
	gguf_header gguf; /* of the first part */
	location place;
	char *gguf_path;    /* the GGUF model of a folder that holds no other checkpoint */
	const char *folder; /* of place, or the path until that is known, or gguf_path */
	const naming *names;
	brise_error *err;
} opened;

#endif
