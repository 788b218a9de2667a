/* locate.h - from a path to the folder with the checkpoint, and which of its forms to read */
#ifndef CONVERT_CHECKPOINT_LOCATE_H
#define CONVERT_CHECKPOINT_LOCATE_H

#include "runtime/brise.h"

typedef enum location_form { LOCATION_ANY, LOCATION_HUGGING_FACE, LOCATION_OWN } location_form;

typedef struct location {
	char *folder;
	char *weights; /* name of the one weight file to read; NULL: those of the folder */
	location_form form;
} location;

/* path: a checkpoint's folder, a file of one (configuration, index, weights), or a model's folder
 * in Hugging Face's cache ("models--org--name"), whose snapshot of refs/main is taken, or its only
 * one. Links are followed. What is something else is refused with what to give instead.
 *
 * *out must be freed with locate_free, also after an error.
 * Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status locate_checkpoint(location *out, const char *path, brise_error *err);
void locate_free(location *l);

/* The folder alone, from memory_new, whatever is in it: of an adapter. */
brise_status locate_folder(char **folder, const char *path, brise_error *err);

/* For a folder in which no checkpoint was found: refuses links to nothing, adapters and other forms
 * of weights by name; BRISE_OK: none of these. */
brise_status locate_explain(const char *folder, brise_error *err);

#endif
