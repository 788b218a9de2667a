/* cache_entry.c - names and hashes of texts in the prompt cache */
#include "runtime/session/cache_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"

#define HOURS_OF_A_WEEK 168u

/* A step of SplitMix64 (see runtime/sample/xoshiro.h) on what is known and what is new. */
uint64_t entry_mix(uint64_t hash, uint64_t value)
{
	uint64_t z = (hash ^ value) + 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

bool entry_hash(entry_hashes *hashes, uint64_t seed, const int32_t *tokens, size_t n)
{
	size_t i;

	hashes->n = n;
	hashes->of = memory_new(n + 1, sizeof *hashes->of);
	if (!hashes->of)
		return false;
	hashes->of[0] = seed;
	for (i = 0; i < n; i++)
		hashes->of[i + 1] = entry_mix(hashes->of[i], (uint32_t)tokens[i]);
	return true;
}

void entry_free_hashes(entry_hashes *hashes)
{
	memory_free(hashes->of);
	hashes->of = NULL;
}

static uint32_t level_hash(const entry_hashes *hashes, uint32_t level)
{
	return (uint32_t)(hashes->of[(size_t)ENTRY_LEAST << level] >> 32);
}

/* Levels that a text of n tokens has. */
static uint32_t count_levels(uint64_t n)
{
	uint32_t levels = 0;

	while (levels < ENTRY_LEVELS && (uint64_t)ENTRY_LEAST << levels <= n)
		levels++;
	return levels;
}

cache_entry entry_of(const entry_hashes *hashes)
{
	cache_entry e = { .n = (uint32_t)hashes->n,
		          .n_levels = count_levels(hashes->n),
		          .hash = hashes->of[hashes->n] };
	uint32_t i;

	for (i = 0; i < e.n_levels; i++)
		e.levels[i] = level_hash(hashes, i);
	return e;
}

uint32_t entry_bucket(const entry_hashes *hashes)
{
	return level_hash(hashes, 0) >> 24;
}

void entry_print(const cache_entry *e, char *name)
{
	int at = snprintf(name, ENTRY_NAME,
	                  "%08" PRIx32 "-%06" PRIx32 "-%08" PRIx32 "-%012" PRIx64 "-%012" PRIx64
	                  "-%016" PRIx64 "-",
	                  e->n, e->uses & 0xffffffu, e->hour, e->bytes, e->rewind_from, e->hash);
	uint32_t i;

	for (i = 0; i < e->n_levels; i++)
		at += snprintf(name + at, ENTRY_NAME - (size_t)at, "%08" PRIx32, e->levels[i]);
}

static bool parse_digits(const char **at, unsigned digits, uint64_t *value)
{
	*value = 0;
	for (; digits > 0; digits--, (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	return true;
}

bool entry_parse(cache_entry *e, const char *name)
{
	static const unsigned digits[] = { 8, 6, 8, 12, 12, 16 };
	uint64_t values[6], level;
	uint32_t i;

	for (i = 0; i < 6; i++)
		if (!parse_digits(&name, digits[i], &values[i]) || *name++ != '-')
			return false;
	*e = (cache_entry){ .n = (uint32_t)values[0],
		            .uses = (uint32_t)values[1],
		            .hour = (uint32_t)values[2],
		            .n_levels = count_levels(values[0]),
		            .bytes = values[3],
		            .rewind_from = values[4],
		            .hash = values[5] };
	for (i = 0; i < e->n_levels; i++) {
		if (!parse_digits(&name, 8, &level))
			return false;
		e->levels[i] = (uint32_t)level;
	}
	return *name == 0 && e->n >= ENTRY_LEAST;
}

uint32_t entry_share(const cache_entry *e, const entry_hashes *hashes, bool *all)
{
	uint32_t level = 0, most = count_levels(hashes->n);

	*all = e->n <= hashes->n && hashes->of[e->n] == e->hash;
	if (*all)
		return e->n;
	most = most < e->n_levels ? most : e->n_levels;
	while (level < most && e->levels[level] == level_hash(hashes, level))
		level++;
	return level == 0 ? 0 : ENTRY_LEAST << (level - 1);
}

double entry_score(const cache_entry *e, uint32_t hour)
{
	double score = (double)e->n * (1 + (double)e->uses) / ((double)e->bytes + 1);
	uint32_t age = hour > e->hour ? hour - e->hour : 0;

	for (; age >= HOURS_OF_A_WEEK && score > 0; age -= HOURS_OF_A_WEEK)
		score /= 2;
	return score / (1 + (double)age / HOURS_OF_A_WEEK);
}
