/* pages.h - sizes of the pages that hold a mapping in memory
 *
 * Two sizes matter. The processor translates addresses by the entries of the page table: 4 KB each,
 * or 2 MB where the kernel mapped a whole huge page. The kernel keeps a file's bytes in folios,
 * runs of adjacent pages that can be larger than an entry; neighbouring entries of one folio are
 * cheaper to translate on some processors.
 */
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bench_pages {
	bool known;           /* false: this system does not say; the rest is 0 */
	uint64_t entry_bytes; /* of an ordinary entry of the page table */
	double huge_fraction; /* of what is in memory: mapped by entries for huge pages */
	uint64_t folio_bytes; /* mean size of a folio; 0: not known (Linux shows it to root only) */
} bench_pages;

/* Looks at the mapping that `bytes` [size] lies in; what has not been read yet is not counted. */
void bench_examine_pages(bench_pages *pages, const void *bytes, size_t size);

#endif
