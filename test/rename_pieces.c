/* rename_pieces.c - gives a vocabulary control tokens: a tokenizer.model with other names for some
 * of its pieces
 *
 *     rename_pieces ID=NAME... <tokenizer.model >tokenizer.model
 *
 * SentencePiece's file is a protobuf: field 1, once for each piece in order of ids, is a message of
 * text (1), score (2) and type (3, where control tokens are 3); other fields are copied.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 10 /* field 1, a message */

static size_t read_varint(unsigned char *bytes, size_t *value)
{
	size_t n = 0;
	int c;

	*value = 0;
	do {
		if (n == 9 || (c = getchar()) == EOF)
			return 0;
		bytes[n] = (unsigned char)c;
		*value |= (size_t)(c & 127) << 7 * n++;
	} while (c & 128);
	return n;
}

static const char *find_name(int argc, char **argv, unsigned long id)
{
	char *end;
	int i;

	for (i = 1; i < argc; i++)
		if (strtoul(argv[i], &end, 10) == id && *end == '=')
			return end + 1;
	return NULL;
}

static void write_piece(const char *name)
{
	static const char zero_and_control[] = { 0x15, 0, 0, 0, 0, 0x18, 3 };
	size_t n = strlen(name);

	(void)printf("\n%c\n%c%s", (int)(n + 2 + sizeof zero_and_control), (int)n, name);
	(void)fwrite(zero_and_control, 1, sizeof zero_and_control, stdout);
}

/* False at the end, or where it is no such file. */
static int copy_field(int argc, char **argv, unsigned long *id)
{
	unsigned char tag[10], length[10];
	size_t field, n, n_tag = read_varint(tag, &field), n_length;
	const char *name;

	if (n_tag == 0 || (field & 7) != 2 || (n_length = read_varint(length, &n)) == 0)
		return 0;
	name = field == PIECE ? find_name(argc, argv, (*id)++) : NULL;
	if (name) {
		write_piece(name);
	} else {
		(void)fwrite(tag, 1, n_tag, stdout);
		(void)fwrite(length, 1, n_length, stdout);
	}
	for (; n > 0; n--) {
		int c = getchar();

		if (c == EOF)
			return 0;
		if (!name)
			(void)putchar(c);
	}
	return 1;
}

int main(int argc, char **argv)
{
	unsigned long id = 0;

	while (copy_field(argc, argv, &id)) {
	}
	return id == 0 || !feof(stdin) || fflush(stdout) != 0;
}
