/* members.c - see members.h */
#include "runtime/grammar/members.h"

#include <string.h>

#include "runtime/os/memory.h"

void members_free(members *m)
{
	memory_free(m->keys);
	memory_free(m->levels);
	memset(m, 0, sizeof *m);
}

void members_reset(members *m)
{
	m->n_keys = m->key_at = m->depth = 0;
	m->in_string = m->is_escaped = m->is_key = m->wants_key = m->failed = false;
}

static bool reserve_keys(members *m, size_t n)
{
	size_t wanted = n * 2 + 64;
	char *moved;

	if (n <= m->most_keys)
		return true;
	moved = memory_resize(m->keys, wanted, 1);
	if (!moved) {
		m->failed = true;
		return false;
	}
	m->keys = moved;
	m->most_keys = wanted;
	return true;
}

static bool reserve_levels(members *m, size_t n)
{
	size_t wanted = n * 2 + 16, *moved;

	if (n <= m->most_levels)
		return true;
	moved = memory_resize(m->levels, wanted, sizeof *moved);
	if (!moved) {
		m->failed = true;
		return false;
	}
	m->levels = moved;
	m->most_levels = wanted;
	return true;
}

bool members_copy(members *to, const members *from)
{
	members copy = *from;

	copy.keys = to->keys;
	copy.most_keys = to->most_keys;
	copy.levels = to->levels;
	copy.most_levels = to->most_levels;
	if (!reserve_keys(&copy, from->n_keys) || !reserve_levels(&copy, from->depth)) {
		*to = copy;
		return false;
	}
	if (from->n_keys > 0)
		memcpy(copy.keys, from->keys, from->n_keys);
	if (from->depth > 0)
		memcpy(copy.levels, from->levels, from->depth * sizeof *copy.levels);
	*to = copy;
	return true;
}

static bool add_bytes(members *m, const void *bytes, size_t n)
{
	if (!reserve_keys(m, m->n_keys + n))
		return false;
	memcpy(m->keys + m->n_keys, bytes, n);
	m->n_keys += n;
	return true;
}

static bool open_level(members *m, bool is_object)
{
	if (!reserve_levels(m, m->depth + 1))
		return false;
	m->levels[m->depth++] = is_object ? m->n_keys : MEMBERS_ARRAY;
	m->wants_key = is_object;
	return true;
}

static void close_level(members *m)
{
	if (m->depth == 0)
		return;
	m->depth--;
	if (m->levels[m->depth] != MEMBERS_ARRAY)
		m->n_keys = m->key_at = m->levels[m->depth];
	m->wants_key = false;
}

bool members_next(const members *m, size_t *at, const char **key, size_t *bytes)
{
	size_t end = m->is_key ? m->key_at : m->n_keys, begin, start;
	uint32_t n;

	if (m->depth == 0 || m->levels[m->depth - 1] == MEMBERS_ARRAY)
		return false;
	/* Backwards, as the number of bytes stands behind each. */
	begin = m->levels[m->depth - 1];
	end -= *at;
	if (end <= begin)
		return false;
	memcpy(&n, m->keys + end - sizeof n, sizeof n);
	start = end - sizeof n - n;
	*at += n + sizeof n;
	*key = m->keys + start;
	*bytes = n;
	return true;
}

const char *members_partial(const members *m, size_t *bytes)
{
	*bytes = m->n_keys - m->key_at;
	if (!m->is_key)
		return NULL;
	return m->keys ? m->keys + m->key_at : "";
}

/* The key that ends is not yet among the others. */
static bool end_key(members *m)
{
	size_t bytes = m->n_keys - m->key_at, at = 0, n;
	uint32_t length = (uint32_t)bytes;
	const char *key;

	while (members_next(m, &at, &key, &n))
		if (n == bytes && !memcmp(key, m->keys + m->key_at, n))
			return false;
	m->is_key = false;
	return add_bytes(m, &length, sizeof length);
}

static bool read_in_string(members *m, char c)
{
	if (!m->is_escaped && c == '"') {
		m->in_string = false;
		return !m->is_key || end_key(m);
	}
	m->is_escaped = !m->is_escaped && c == '\\';
	return !m->is_key || add_bytes(m, &c, 1);
}

static bool read_outside(members *m, char c)
{
	bool is_object = m->depth > 0 && m->levels[m->depth - 1] != MEMBERS_ARRAY;

	switch (c) {
	case '{':
	case '[':
		return open_level(m, c == '{');
	case '}':
	case ']':
		close_level(m);
		return true;
	case ',':
		m->wants_key = is_object;
		return true;
	case '"':
		m->in_string = true;
		m->is_escaped = false;
		m->is_key = m->wants_key;
		m->wants_key = false;
		m->key_at = m->n_keys;
		return true;
	default:
		return true;
	}
}

bool members_read(members *m, const char *text, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		if (!(m->in_string ? read_in_string(m, text[i]) : read_outside(m, text[i])))
			return false;
	return true;
}
