/* print_rows.c MODEL - what the C reader reads, for test/read_format.py to compare: one JSON line
 * per tensor, first, middle and last row as bits */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/types.h"
#include "runtime/brise.h"

static void print_row(const brise_model *model, size_t tensor, const brise_tensor_facts *facts,
                      uint32_t row, const char *before)
{
	float *values = malloc(facts->cols * sizeof *values);
	uint32_t i, bits;

	if (!values || brise_read_row(model, tensor, row, values, NULL) != BRISE_OK)
		exit(1);
	printf("%s\"%" PRIu32 "\":[", before, row);
	for (i = 0; i < facts->cols; i++) {
		memcpy(&bits, &values[i], sizeof bits);
		printf("%s%" PRIu32, i ? "," : "", bits);
	}
	printf("]");
	free(values);
}

int main(int argc, char **argv)
{
	brise_model *model;
	brise_error err;
	size_t i;

	if (argc != 2 || brise_open_model(&model, argv[1], NULL, &err) != BRISE_OK)
		return 1;
	for (i = 0; i < brise_get_tensor_count(model); i++) {
		brise_tensor_facts facts;
		uint32_t type = 1;

		if (brise_get_tensor_facts(model, i, &facts, sizeof facts, &err) != BRISE_OK)
			return 1;
		while (strcmp(type_name(type), facts.type) != 0)
			type++;
		printf("{\"name\":\"%s\",\"type\":%" PRIu32 ",\"rows\":%" PRIu32
		       ",\"cols\":%" PRIu32 ",\"values\":{",
		       facts.name, type, facts.rows, facts.cols);
		print_row(model, i, &facts, 0, "");
		if (facts.rows > 2)
			print_row(model, i, &facts, facts.rows / 2, ",");
		if (facts.rows > 1)
			print_row(model, i, &facts, facts.rows - 1, ",");
		printf("}}\n");
	}
	brise_close_model(model);
	return 0;
}
