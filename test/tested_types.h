/* tested_types.h - the types of matrices that a test goes through, taken from the table of types,
 * so that a new type is tested wherever the others are
 *
 *     uint32_t type = 0;
 *
 *     while ((type = next_book_type(type)) != 0)
 *             test_truncated_file_is_refused(&counts, type);
 */
#ifndef TEST_TESTED_TYPES_H
#define TEST_TESTED_TYPES_H

#include "quant/types.h"

/* The one after `type`, 0 for the first; 0: there is none. */
static inline uint32_t next_matrix_type(uint32_t type)
{
	while (++type < TYPE_KINDS)
		if (type_find(type) && type_find(type)->is_matrix)
			return type;
	return 0;
}

/* The same among those that look their weights up in a codebook: q4 and its siblings. */
static inline uint32_t next_book_type(uint32_t type)
{
	while (++type < TYPE_KINDS)
		if (type_book(type))
			return type;
	return 0;
}

/* One after another by turns, for tests of several cases that need not each have every type. */
static inline uint32_t turn_book_type(size_t turn)
{
	uint32_t type = next_book_type(0);

	while (turn-- > 0)
		if ((type = next_book_type(type)) == 0)
			type = next_book_type(0);
	return type;
}

/* types [TYPE_KINDS] := all types of matrices; how many. */
static inline unsigned list_matrix_types(uint32_t *types)
{
	uint32_t type = 0;
	unsigned n = 0;

	while ((type = next_matrix_type(type)) != 0)
		types[n++] = type;
	return n;
}

#endif
