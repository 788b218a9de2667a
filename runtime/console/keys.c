/* keys.c - see keys.h
 *
 * Sequences: ECMA-48; xterm's ctlseqs for modifiers (1 + shift + 2 alt + 4 ctrl as the second
 * parameter), modifyOtherKeys (CSI 27 ; modifiers ; code ~) and bracketed paste; kitty's protocol
 * (CSI code ; modifiers u).
 */
#include "runtime/console/keys.h"

#include "runtime/text/utf8.h"
#include "runtime/console/width.h"

#define ESC 0x1b

enum { SHIFT = 1, ALT = 2, CTRL = 4 };

static const char paste_end[] = "\x1b[201~";
#define PASTE_END_BYTES (sizeof paste_end - 1)

static key make_key(key_kind kind, uint32_t character)
{
	key made = { kind, character };

	return made;
}

static key no_key(void)
{
	return make_key(KEY_NONE, 0);
}

static key make_control(uint8_t byte)
{
	if (byte == '\n')
		return make_key(KEY_NEW_LINE, 0);
	return make_key(KEY_CONTROL, byte ^ 0x40u);
}

/* A byte of a character. False: it is to be taken again, since it began none with what came before
 * it. */
static bool take_text(keys *k, uint8_t byte, key *made)
{
	size_t bytes;
	int length;

	k->character[k->n_character++] = byte;
	length = utf8_measure(k->character, k->n_character);
	if (length == 0)
		return true;
	*made = make_key(KEY_TEXT,
	                 width_decode((const char *)k->character, k->n_character, &bytes));
	length = length < 0 && k->n_character > 1 ? 0 : 1;
	k->n_character = 0;
	return length > 0;
}

/* ---- paste ---------------------------------------------------------------------------------- */

/* Line ends of all kinds become line feeds. */
static bool take_pasted_text(keys *k, uint8_t byte, key *made)
{
	bool was_return = k->was_return && k->n_character == 0;

	k->was_return = false;
	if (byte == '\n' && was_return)
		return true;
	if (byte == '\r' && k->n_character == 0) {
		k->was_return = true;
		*made = make_key(KEY_TEXT, '\n');
		return true;
	}
	return take_text(k, byte, made);
}

static bool take_pasted(keys *k, uint8_t byte, key *made)
{
	if (k->n_character == 0 && byte == (uint8_t)paste_end[k->matched]) {
		if (++k->matched == PASTE_END_BYTES) {
			k->matched = 0;
			k->is_pasting = k->was_return = false;
		}
		return true;
	}
	if (k->matched > 0) {
		k->replayed = 0;
		k->n_replay = k->matched;
		k->matched = 0;
		return false;
	}
	return take_pasted_text(k, byte, made);
}

/* ---- escape sequences ----------------------------------------------------------------------- */

/* Number `which` of the parameters, 0 where there is none. */
static uint32_t read_parameter(const keys *k, int which)
{
	uint32_t value = 0;
	size_t i = 0;

	for (; which > 0 && i < k->n_parameters; i++)
		which -= k->parameters[i] == ';';
	for (; which == 0 && i < k->n_parameters && k->parameters[i] >= '0' &&
	       k->parameters[i] <= '9' && value < 0x110000;
	     i++)
		value = value * 10 + (uint32_t)(k->parameters[i] - '0');
	return value;
}

static uint32_t read_modifiers(const keys *k, int which)
{
	uint32_t value = read_parameter(k, which);

	return (value > 0 ? value - 1 : 0) | (k->is_alt ? ALT : 0u);
}

/* A key of the typewriter part, told as its code and modifiers. */
static key decode_code(uint32_t code, uint32_t modifiers)
{
	bool is_letter = (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');

	if (code == '\r')
		return modifiers == 0 ? make_key(KEY_CONTROL, 'M') : make_key(KEY_NEW_LINE, 0);
	if (code == ESC)
		return make_key(KEY_ESCAPE, 0);
	if (code == 0x7f || code == '\b')
		return make_key(modifiers & (ALT | CTRL) ? KEY_ALT : KEY_CONTROL, '?');
	if (code == '\t')
		return make_key(KEY_CONTROL, 'I');
	if (modifiers & CTRL && (is_letter || (code > 0x5a && code < 0x60)))
		return make_control(code & 0x1fu);
	/* Numbers from 57344 on are kitty's for keys without a character. */
	if (code < 0x20 || (code >= 0xd800 && code < 0xf900) || code > 0x10ffff)
		return no_key();
	return make_key(modifiers & ALT ? KEY_ALT : KEY_TEXT, code);
}

static key decode_tilde(keys *k)
{
	switch (read_parameter(k, 0)) {
	case 1:
	case 7:
		return make_key(KEY_HOME, 0);
	case 3:
		return make_key(read_modifiers(k, 1) & (ALT | CTRL) ? KEY_DELETE_WORD : KEY_DELETE,
		                0);
	case 4:
	case 8:
		return make_key(KEY_END, 0);
	case 27:
		return decode_code(read_parameter(k, 2), read_modifiers(k, 1));
	case 200:
		k->is_pasting = true;
		return no_key();
	default:
		return no_key();
	}
}

/* What ends a CSI or SS3 sequence says which key it is. `modifiers` are those of cursor keys. */
static key decode_cursor(uint8_t final, uint32_t modifiers)
{
	bool by_words = (modifiers & (ALT | CTRL)) != 0;

	switch (final) {
	case 'A':
		return make_key(KEY_UP, 0);
	case 'B':
		return make_key(KEY_DOWN, 0);
	case 'C':
		return make_key(by_words ? KEY_WORD_RIGHT : KEY_RIGHT, 0);
	case 'D':
		return make_key(by_words ? KEY_WORD_LEFT : KEY_LEFT, 0);
	case 'F':
		return make_key(KEY_END, 0);
	case 'H':
		return make_key(KEY_HOME, 0);
	default:
		return no_key();
	}
}

static key decode_csi(keys *k, uint8_t final)
{
	bool is_private = k->n_parameters > 0 && k->parameters[0] > ';';

	if (is_private || k->n_parameters == sizeof k->parameters)
		return no_key();
	if (final == '~')
		return decode_tilde(k);
	if (final == 'u')
		return decode_code(read_parameter(k, 0), read_modifiers(k, 1));
	return decode_cursor(final, read_modifiers(k, 1));
}

static key decode_ss3(const keys *k, uint8_t final)
{
	if (final == 'M')
		return make_key(KEY_CONTROL, 'M'); /* the keypad's enter */
	if (final == 'c' || final == 'd')          /* rxvt: with ctrl */
		return decode_cursor((uint8_t)(final - 'c' + 'C'), CTRL);
	return decode_cursor(final, read_modifiers(k, 0));
}

/* Bytes of CSI and SS3 sequences. A control character in the middle ends one that is broken, and
 * counts. */
static bool take_parameter(keys *k, uint8_t byte, key *made)
{
	if (byte < 0x20 || byte > 0x7e) {
		k->state = KEYS_TEXT;
		return false;
	}
	if (byte < 0x40) {
		if (k->n_parameters < sizeof k->parameters)
			k->parameters[k->n_parameters++] = (char)byte;
		return true;
	}
	if (k->state == KEYS_CSI && byte == '[' && k->n_parameters == 0) {
		k->state = KEYS_LINUX;
		return true;
	}
	*made = k->state == KEYS_CSI ? decode_csi(k, byte) : decode_ss3(k, byte);
	k->state = KEYS_TEXT;
	return true;
}

static bool take_after_escape(keys *k, uint8_t byte, key *made)
{
	k->n_parameters = 0;
	k->state = KEYS_TEXT;
	if (byte == ESC) {
		k->is_alt = true;
		k->state = KEYS_ESCAPE;
	} else if (byte == '[') {
		k->state = KEYS_CSI;
	} else if (byte == 'O') {
		k->state = KEYS_SS3;
	} else if (byte == ']' || byte == 'P' || byte == '_' || byte == '^' || byte == 'X') {
		k->state = KEYS_STRING;
	} else if (byte == '\r' || byte == '\n') {
		*made = make_key(KEY_NEW_LINE, 0);
	} else if (byte == 0x7f || byte == '\b') {
		*made = make_key(KEY_ALT, '?');
	} else if (byte < 0x20 || byte >= 0x80) {
		return false;
	} else {
		*made = make_key(KEY_ALT, byte);
	}
	return true;
}

/* ---- all ------------------------------------------------------------------------------------ */

static bool take_typed(keys *k, uint8_t byte, key *made)
{
	if (k->n_character > 0 || byte >= 0x80)
		return take_text(k, byte, made);
	if (byte == ESC) {
		k->state = KEYS_ESCAPE;
		k->is_alt = false;
	} else if (byte < 0x20 || byte == 0x7f) {
		*made = make_control(byte);
	} else {
		*made = make_key(KEY_TEXT, byte);
	}
	return true;
}

static bool take(keys *k, uint8_t byte, key *made)
{
	switch (k->state) {
	case KEYS_ESCAPE:
		return take_after_escape(k, byte, made);
	case KEYS_CSI:
	case KEYS_SS3:
		return take_parameter(k, byte, made);
	case KEYS_LINUX:
		k->state = KEYS_TEXT;
		return true;
	case KEYS_STRING:
		k->state = byte == ESC                    ? KEYS_STRING_ESCAPE
		           : byte == '\a' || byte == 0x03 ? KEYS_TEXT
		                                          : KEYS_STRING;
		return byte != 0x03; /* ctrl-C works in whatever came in */
	case KEYS_STRING_ESCAPE:
		k->state = byte == '\\' ? KEYS_TEXT : KEYS_STRING;
		return true;
	case KEYS_TEXT:
		break;
	}
	return k->is_pasting ? take_pasted(k, byte, made) : take_typed(k, byte, made);
}

key keys_next(keys *k, const uint8_t *bytes, size_t n, size_t *used)
{
	key made = no_key();

	*used = 0;
	while (made.kind == KEY_NONE) {
		if (k->replayed < k->n_replay)
			return make_key(KEY_TEXT, (uint8_t)paste_end[k->replayed++]);
		if (*used == n)
			break;
		*used += take(k, bytes[*used], &made);
	}
	return made;
}

/* A sequence comes in one piece from every terminal, but a slow line or a busy machine can tear it
 * apart. A paste whose end got lost must not hold the keyboard for ever. */
int keys_timeout(const keys *k)
{
	if (k->state == KEYS_ESCAPE)
		return 100;
	if (k->state != KEYS_TEXT)
		return 1000;
	return k->is_pasting ? 5000 : -1;
}

key keys_expire(keys *k)
{
	keys_state state = k->state;

	k->state = KEYS_TEXT;
	if (state == KEYS_TEXT)
		k->is_pasting = false;
	k->n_character = k->matched = 0;
	return state == KEYS_ESCAPE ? make_key(KEY_ESCAPE, 0) : no_key();
}
