/* gguf_folder.h - the GGUF model of a folder that holds one */
#ifndef CONVERT_CHECKPOINT_GGUF_FOLDER_H
#define CONVERT_CHECKPOINT_GGUF_FOLDER_H

#include "runtime/brise.h"

/* *path: from memory_new, the folder's only model: its file, or the first part of a model cut into
 * several; NULL: there is none. Files that are no language models by their names (mmproj*, what
 * begins with a dot) do not count. Errors: BRISE_EFORMAT several models; BRISE_ENOMEM. */
brise_status gguf_find_in_folder(char **path, const char *folder, brise_error *err);

#endif
