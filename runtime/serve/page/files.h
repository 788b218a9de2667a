/* files.h - the files of the page, as the build put them into the program */
#ifndef PAGE_FILES_H
#define PAGE_FILES_H

#include <stddef.h>

typedef struct page_form {
	const char *tag; /* an entity tag, with its quotes; NULL: there is no such form */
	const unsigned char *bytes;
	size_t n;
} page_form;

typedef struct page_file {
	const char *name;
	page_form plain;
	page_form packed; /* by gzip */
} page_file;

extern const page_file page_files[];
extern const size_t page_n_files;

#endif
