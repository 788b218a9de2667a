/* pages.c - page sizes as Linux reports them: /proc/self/smaps for everybody, /proc/self/pagemap
 * with /proc/kpageflags for root (Documentation/admin-guide/mm/pagemap.rst) */
#include "bench/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/os.h"

/* Windows of adjacent pages, spread evenly over the mapping, in which folios are counted. */
#define WINDOWS      64u
#define WINDOW_PAGES 512u

/* Of an entry of pagemap. */
#define PAGEMAP_PRESENT ((uint64_t)1 << 63)
#define PAGEMAP_FRAME   (((uint64_t)1 << 55) - 1)

/* Of an entry of kpageflags: the page is not the first of its folio. */
#define KPAGEFLAGS_TAIL ((uint64_t)1 << 16)

/* Sums of one mapping's lines in smaps, in KB. */
typedef struct mapping_facts {
	uint64_t page, resident, huge;
} mapping_facts;

static void add_line(mapping_facts *facts, const char *line)
{
	uint64_t kb;

	if (sscanf(line, "KernelPageSize: %" SCNu64, &kb) == 1)
		facts->page = kb;
	else if (sscanf(line, "Rss: %" SCNu64, &kb) == 1)
		facts->resident = kb;
	else if (sscanf(line, "AnonHugePages: %" SCNu64, &kb) == 1 ||
	         sscanf(line, "ShmemPmdMapped: %" SCNu64, &kb) == 1 ||
	         sscanf(line, "FilePmdMapped: %" SCNu64, &kb) == 1)
		facts->huge += kb;
}

static mapping_facts read_smaps(uintptr_t address)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	mapping_facts facts = { 0, 0, 0 };
	bool inside = false;
	char line[512];

	while (file && fgets(line, sizeof line, file)) {
		uint64_t first, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &first, &end) == 2) {
			if (inside)
				break;
			inside = first <= address && address < end;
		} else if (inside) {
			add_line(&facts, line);
		}
	}
	if (file)
		(void)fclose(file);
	return facts;
}

static bool read_entries(FILE *file, uint64_t first, uint64_t *entries, size_t n)
{
	return fseeko(file, (off_t)(first * sizeof *entries), SEEK_SET) == 0 &&
	       fread(entries, sizeof *entries, n, file) == n;
}

/* Counts pages in memory and folios that begin among n adjacent pages. False: unknown. */
static bool count_folios(FILE *map, FILE *flags, uint64_t first_page, uint64_t *pages,
                         uint64_t *folios)
{
	uint64_t frames[WINDOW_PAGES], flag;
	unsigned i;

	if (!read_entries(map, first_page, frames, WINDOW_PAGES))
		return false;
	for (i = 0; i < WINDOW_PAGES; i++) {
		if (!(frames[i] & PAGEMAP_PRESENT))
			continue;
		if ((frames[i] & PAGEMAP_FRAME) == 0 || /* hidden from this user */
		    !read_entries(flags, frames[i] & PAGEMAP_FRAME, &flag, 1))
			return false;
		++*pages;
		*folios += !(flag & KPAGEFLAGS_TAIL);
	}
	return true;
}

static uint64_t mean_folio(uintptr_t address, size_t size, uint64_t page)
{
	uint64_t first = address / page, n = size / page, pages = 0, folios = 0;
	FILE *map = fopen("/proc/self/pagemap", "rb"), *flags = fopen("/proc/kpageflags", "rb");
	bool told = map && flags && n >= WINDOW_PAGES;
	unsigned i;

	for (i = 0; told && i < WINDOWS; i++)
		told = count_folios(map, flags, first + (n - WINDOW_PAGES) * i / WINDOWS, &pages,
		                    &folios);
	if (map)
		(void)fclose(map);
	if (flags)
		(void)fclose(flags);
	return told && folios > 0 ? pages * page / folios : 0;
}

void bench_examine_pages(bench_pages *pages, const void *bytes, size_t size)
{
	mapping_facts facts = read_smaps((uintptr_t)bytes);

	memset(pages, 0, sizeof *pages);
	if (facts.page == 0 || facts.resident == 0)
		return;
	pages->known = true;
	pages->entry_bytes = facts.page * 1024;
	pages->huge_fraction = (double)facts.huge / (double)facts.resident;
	pages->folio_bytes = mean_folio((uintptr_t)bytes, size, os_page_bytes());
}
