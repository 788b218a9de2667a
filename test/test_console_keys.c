/* test_console_keys.c - bytes of terminals as keys */
#include <string.h>

#include "runtime/console/keys.h"
#include "runtime/console/width.h"
#include "test/check.h"

static check_counts counts;

/* Keys as text: characters as they are, others in angle brackets. */
static void name_key(key k, char *out)
{
	static const char *const names[] = {
		"",          "",         "",           "",
		"<newline>", "<escape>", "<up>",       "<down>",
		"<left>",    "<right>",  "<wordleft>", "<wordright>",
		"<home>",    "<end>",    "<delete>",   "<deleteword>",
	};
	char text[5] = "";

	if (k.kind == KEY_TEXT && k.character >= 0x20 && k.character != 0x7f) {
		text[width_encode(k.character, text)] = 0;
		(void)strcat(out, text);
	} else if (k.kind == KEY_TEXT) {
		(void)sprintf(out + strlen(out), "<%02x>", (unsigned)k.character);
	} else if (k.kind == KEY_CONTROL) {
		(void)sprintf(out + strlen(out), "<^%c>", (char)k.character);
	} else if (k.kind == KEY_ALT) {
		(void)sprintf(out + strlen(out), "<alt-%c>", (char)k.character);
	} else {
		(void)strcat(out, names[k.kind]);
	}
}

/* Feeds in pieces of `piece` bytes. */
static const char *read_keys(const char *bytes, size_t n, size_t piece)
{
	static char out[4096];
	keys k;
	size_t at, used;

	memset(&k, 0, sizeof k);
	out[0] = 0;
	for (at = 0; at < n; at += piece) {
		const uint8_t *now = (const uint8_t *)bytes + at;
		size_t here = n - at < piece ? n - at : piece;

		while (here > 0) {
			name_key(keys_next(&k, now, here, &used), out);
			now += used;
			here -= used;
		}
	}
	return out;
}

static const struct {
	const char *bytes, *expected;
} cases[] = {
	{ "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "a\u00e9\u4e2d\U0001f600" },
	{ "\x01\x05\x08\x7f\r\n\t", "<^A><^E><^H><^?><^M><newline><^I>" },
	{ "\033[A\033[B\033[C\033[D\033[H\033[F", "<up><down><right><left><home><end>" },
	{ "\033OA\033OB\033OC\033OD\033OH\033OF\033OM", "<up><down><right><left><home><end><^M>" },
	{ "\033[1~\033[4~\033[7~\033[8~\033[3~", "<home><end><home><end><delete>" },
	{ "\033[1;5C\033[1;5D\033[1;3C\033[1;2C", "<wordright><wordleft><wordright><right>" },
	{ "\033Oc\033Od\033\033[C\033[3;5~", "<wordright><wordleft><wordright><deleteword>" },
	{ "\033b\033f\033d\033\x7f\033\r\033\n", "<alt-b><alt-f><alt-d><alt-?><newline><newline>" },
	{ "\033[13;2u\033[27;2;13~\033[13u\033[97;5u", "<newline><newline><^M><^A>" },
	{ "\033[127u\033[127;5u\033[228u\033[57441u\033[27u", "<^?><alt-?>\u00e4<escape>" },
	/* Nothing is known of these, and nothing of them may come out as text. */
	{ "\033[15~\033[17;2~\033[[A\033OP\033[Z\033[?1;2c\033[5nx", "x" },
	{ "\033]11;rgb:0000/0000/0000\033\\x\033]0;title\ay\033P1$r0m\033\\z", "xyz" },
	{ "\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16Ax", "x" },
	{ "\033[12\003x\033[1\033[Dy", "<^C>x<left>y" },
	{ "\033]0;never ends\003x", "<^C>x" },
	{ "\xff\xc3(\xe4\xb8x\xed\xa0\x80", "\ufffd\ufffd(\ufffdx\ufffd\ufffd\ufffd" },
	/* A paste: line ends of all kinds, controls as text. */
	{ "\033[200~a\rb\r\nc\nd\te\003\033[A\033[20\033[201~\r",
	  "a<0a>b<0a>c<0a>d<09>e<03><1b>[A<1b>[20<^M>" },
	{ "\033[200~\xc3\xa9\xff\033[201~x", "\u00e9\ufffdx" },
};

/* Catches a sequence that leaks into the text, or a key that does another's work, also where a read
 * ends in the middle. */
static void test_keys_are_found_in_any_pieces(void)
{
	size_t i, piece;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = strlen(cases[i].bytes);

		for (piece = 1; piece <= n; piece++) {
			const char *found = read_keys(cases[i].bytes, n, piece);

			CHECK(&counts, strcmp(found, cases[i].expected) == 0,
			      "case %zu by %zu: %s, expected %s", i, piece, found,
			      cases[i].expected);
		}
	}
}

static key feed(keys *k, const char *bytes)
{
	size_t used, n = strlen(bytes);
	key last = { KEY_NONE, 0 };

	while (n > 0) {
		last = keys_next(k, (const uint8_t *)bytes, n, &used);
		bytes += used;
		n -= used;
	}
	return last;
}

/* Catches an escape key that waits for ever, and a torn sequence whose rest is typed. */
static void test_a_sequence_is_not_waited_for_for_ever(void)
{
	keys k;

	memset(&k, 0, sizeof k);
	CHECK(&counts, keys_timeout(&k) < 0, "waits for nothing");
	(void)feed(&k, "\033");
	CHECK(&counts, keys_timeout(&k) > 0, "does not wait");
	CHECK(&counts, keys_expire(&k).kind == KEY_ESCAPE, "no escape");
	CHECK(&counts, feed(&k, "[").character == '[', "still in a sequence");
	(void)feed(&k, "\033[1;");
	CHECK(&counts, keys_timeout(&k) > 0, "does not wait");
	CHECK(&counts, keys_expire(&k).kind == KEY_NONE, "half a sequence is a key");
	CHECK(&counts, feed(&k, "5").character == '5', "still in a sequence");
}

/* Catches a keyboard that is dead after a paste whose end was lost. */
static void test_a_paste_without_an_end_expires(void)
{
	keys k;

	memset(&k, 0, sizeof k);
	CHECK(&counts, feed(&k, "\033[200~a\003").kind == KEY_TEXT, "a paste is obeyed");
	CHECK(&counts, keys_timeout(&k) >= 1000, "expires at once");
	(void)keys_expire(&k);
	CHECK(&counts, feed(&k, "\003").kind == KEY_CONTROL, "still pasting");
}

/* Catches reads and writes out of bounds, for sanitizers. */
static void test_any_bytes_are_taken(void)
{
	uint32_t state = 1;
	keys k;
	int i;

	memset(&k, 0, sizeof k);
	for (i = 0; i < 300000; i++) {
		static const uint8_t likely[] = "\033\033[[O201~;\r\n\xc3\xe4\xf0\x9f";
		uint8_t byte;
		size_t used;

		state = state * 1664525u + 1013904223u;
		byte = state >> 31 ? likely[state >> 8 & 15] : (uint8_t)(state >> 16);
		do
			(void)keys_next(&k, &byte, 1, &used);
		while (used == 0);
	}
	CHECK(&counts, true, " ");
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_keys_are_found_in_any_pieces());
	RUN(test_a_sequence_is_not_waited_for_for_ever());
	RUN(test_a_paste_without_an_end_expires());
	RUN(test_any_bytes_are_taken());
	return check_report("console_keys", &counts);
}
