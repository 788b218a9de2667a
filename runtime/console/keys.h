/* keys.h - bytes from a terminal as keys
 *
 * Understands UTF-8, what xterm, the Linux console, rxvt and kitty's protocol send for cursor and
 * editing keys with modifiers, and bracketed paste. Every other escape sequence is swallowed whole,
 * also when it arrives in pieces. Bytes that are no UTF-8 become U+FFFD.
 */
#ifndef CONSOLE_KEYS_H
#define CONSOLE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum key_kind {
	KEY_NONE,
	KEY_TEXT,    /* character: a code point; pasted ones may be control characters */
	KEY_CONTROL, /* character: 'A' .. 'Z', '_' or another of 0x40 .. 0x5f, or '?' (backspace) */
	KEY_ALT,     /* character: a code point, 'A' for alt-A and 'a' for alt-a; '?' for DEL */
	KEY_NEW_LINE, /* alt-enter, shift-enter, ctrl-J */
	KEY_ESCAPE,
	KEY_UP,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_WORD_LEFT,
	KEY_WORD_RIGHT,
	KEY_HOME,
	KEY_END,
	KEY_DELETE,
	KEY_DELETE_WORD,
} key_kind;

typedef struct key {
	key_kind kind;
	uint32_t character;
} key;

typedef enum keys_state {
	KEYS_TEXT,
	KEYS_ESCAPE, /* after ESC */
	KEYS_CSI,    /* after ESC [ */
	KEYS_SS3,    /* after ESC O */
	KEYS_LINUX,  /* after ESC [ [: one letter follows */
	KEYS_STRING, /* in a title, a color or another answer of the terminal, up to BEL or ESC \ */
	KEYS_STRING_ESCAPE
} keys_state;

/* All zeros to begin with. */
typedef struct keys {
	keys_state state;
	bool is_pasting;
	bool was_return; /* a line feed after a return in a paste ends the same line */
	bool is_alt;     /* ESC came twice */
	char parameters[24];
	uint8_t n_parameters; /* as many as fit; a longer sequence means nothing */
	uint8_t character[4], n_character;
	uint8_t matched;            /* of the sequence that ends a paste */
	uint8_t replayed, n_replay; /* of the same, when it turned out to be text */
} keys;

/* Takes the bytes at the start of bytes [n], n > 0, that make one key; *used says how many. The key
 * is KEY_NONE if none is complete: all were taken then. */
key keys_next(keys *k, const uint8_t *bytes, size_t n, size_t *used);

/* Milliseconds after which, without another byte, keys_expire is to be called; -1: whenever. */
int keys_timeout(const keys *k);

/* Gives up waiting for the rest of a sequence: ESC alone was the key, anything longer none. */
key keys_expire(keys *k);

#endif
