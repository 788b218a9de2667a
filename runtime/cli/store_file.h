/* store_file.h - the file of a conversation, as store.h describes it */
#ifndef CLI_STORE_FILE_H
#define CLI_STORE_FILE_H

#include "runtime/cli/dialog.h"

/* Errors: BRISE_EIO, BRISE_ENOMEM; the file is as it was. */
brise_status store_file_write(const char *path, const dialog *d, const char *model,
                              brise_error *err);

/* *d: empty before, and after an error. Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_ENOMEM. */
brise_status store_file_read(const char *path, dialog *d, brise_error *err);

#endif
