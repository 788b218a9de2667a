/* pattern.c - a pattern becomes a small program, and all its ways are followed at once (Thompson,
 * "Regular expression search algorithm", 1968; Russ Cox, "Regular Expression Matching: the Virtual
 * Machine Approach")
 *
 * Jumps are relative, so that a piece of program can be moved and copied: a{2,3} is the piece of a
 * three times. The program's size is bounded, and so is everything that follows from it.
 */
#include "convert/checkpoint/pattern.h"

#include <stdint.h>
#include <string.h>

#include "runtime/os/memory.h"

#define PROGRAM_MAX 2048u
#define TEXT_MAX    512u
#define DEPTH_MAX   40u
#define REPEATS_MAX 256u

typedef enum operation { OP_SET, OP_JUMP, OP_SPLIT, OP_BEGIN, OP_END, OP_MATCH } operation;

typedef struct instruction {
	operation op;
	int to;          /* JUMP and SPLIT: relative; a SPLIT also continues with the next */
	uint32_t set[8]; /* SET: bit c: the byte c fits */
} instruction;

struct pattern {
	size_t n;
	instruction program[];
};

/* ---- compiling ------------------------------------------------------------------------------ */

typedef struct compiler {
	const char *text;
	size_t n, at, size;
	unsigned depth;
	instruction *program; /* [PROGRAM_MAX] */
	const char *why;      /* NULL: no error */
} compiler;

static bool refuse(compiler *c, const char *why)
{
	c->why = c->why ? c->why : why;
	return false;
}

static int ahead(const compiler *c)
{
	return c->at < c->n ? (unsigned char)c->text[c->at] : -1;
}

static instruction *emit(compiler *c, operation op, int to)
{
	instruction *i;

	if (c->size == PROGRAM_MAX) {
		(void)refuse(c, "a pattern of this size");
		return NULL;
	}
	i = &c->program[c->size++];
	*i = (instruction){ .op = op, .to = to };
	return i;
}

/* Makes room for one instruction before `where`. */
static bool insert(compiler *c, size_t where, operation op, int to)
{
	if (!emit(c, op, to))
		return false;
	memmove(&c->program[where + 1], &c->program[where],
	        (c->size - 1 - where) * sizeof *c->program);
	c->program[where] = (instruction){ .op = op, .to = to };
	return true;
}

static void add_range(instruction *i, unsigned low, unsigned high)
{
	for (; low <= high; low++)
		i->set[low / 32] |= 1u << low % 32;
}

static void negate(instruction *i)
{
	size_t k;

	for (k = 0; k < 8; k++)
		i->set[k] = ~i->set[k];
}

/* The class of \d, \w or \s added, or of their negations; false: the letter names none. */
static bool add_class(instruction *i, int letter)
{
	instruction class = { .op = OP_SET };
	size_t k;

	switch (letter | 0x20) {
	case 'd':
		add_range(&class, '0', '9');
		break;
	case 'w':
		add_range(&class, '0', '9');
		add_range(&class, 'a', 'z');
		add_range(&class, 'A', 'Z');
		add_range(&class, '_', '_');
		break;
	case 's':
		add_range(&class, ' ', ' ');
		add_range(&class, '\t', '\r');
		break;
	default:
		return false;
	}
	if (!(letter & 0x20))
		negate(&class);
	for (k = 0; k < 8; k++)
		i->set[k] |= class.set[k];
	return true;
}

static bool is_letter_or_digit(int c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* What follows a backslash: a class, or *literal, one character. */
static bool read_escape(compiler *c, instruction *i, int *literal)
{
	int letter = ahead(c);

	*literal = -1;
	c->at += letter >= 0;
	if (letter < 0 || letter >= 0x80)
		return refuse(c, "a backslash with nothing after it");
	if (add_class(i, letter))
		return true;
	if (is_letter_or_digit(letter))
		return refuse(c, "an escape other than \\d, \\w, \\s and punctuation");
	*literal = letter;
	return true;
}

/* One member of a class, or the end of a range; -1: a class such as \d. */
static bool read_member(compiler *c, instruction *i, int *literal)
{
	*literal = ahead(c);
	if (*literal < 0)
		return refuse(c, "a class without its ]");
	c->at++;
	return *literal != '\\' || read_escape(c, i, literal);
}

static bool read_set(compiler *c)
{
	instruction *i = emit(c, OP_SET, 0);
	bool negative = i && ahead(c) == '^', first = true;
	int low, high;

	c->at += negative;
	while (i && (ahead(c) != ']' || first)) {
		first = false;
		if (!read_member(c, i, &low))
			return false;
		high = low;
		if (low >= 0 && ahead(c) == '-' && c->at + 1 < c->n && c->text[c->at + 1] != ']') {
			c->at++;
			if (!read_member(c, i, &high))
				return false;
			if (high < low)
				return refuse(c, "a range of a class that runs backwards");
		}
		if (low >= 0)
			add_range(i, (unsigned)low, (unsigned)high);
	}
	if (!i)
		return false;
	c->at++;
	if (negative)
		negate(i);
	return true;
}

static bool read_alternatives(compiler *c);

static bool read_group(compiler *c)
{
	bool good;

	if (ahead(c) == '?') {
		if (c->at + 1 >= c->n || c->text[c->at + 1] != ':')
			return refuse(c, "a group (?...) other than (?:...)");
		c->at += 2;
	}
	if (c->depth++ == DEPTH_MAX)
		return refuse(c, "groups nested so deeply");
	/* never empty, so that repeating it costs something */
	good = emit(c, OP_JUMP, 1) && read_alternatives(c);
	c->depth--;
	if (!good)
		return false;
	if (ahead(c) != ')')
		return refuse(c, "a group without its )");
	c->at++;
	return true;
}

static bool read_atom(compiler *c)
{
	int letter = ahead(c), literal;
	instruction *i;

	c->at++;
	if (letter >= 0x80)
		return refuse(c, "a character beyond ASCII");
	switch (letter) {
	case '(':
		return read_group(c);
	case '[':
		return read_set(c);
	case '^':
		return emit(c, OP_BEGIN, 0) != NULL;
	case '$':
		return emit(c, OP_END, 0) != NULL;
	case '*':
	case '+':
	case '?':
		return refuse(c, "a repetition of nothing");
	default:
		break;
	}
	if (!(i = emit(c, OP_SET, 0)))
		return false;
	literal = letter;
	if (letter == '.') {
		negate(i);
		i->set['\n' / 32] &= ~(1u << '\n' % 32);
		return true;
	}
	if (letter == '\\' && !read_escape(c, i, &literal))
		return false;
	if (literal >= 0)
		add_range(i, (unsigned)literal, (unsigned)literal);
	return true;
}

static bool read_count(compiler *c, unsigned *count)
{
	size_t begin = c->at;

	for (*count = 0; ahead(c) >= '0' && ahead(c) <= '9'; c->at++)
		*count = *count > REPEATS_MAX ? *count : *count * 10 + (unsigned)(ahead(c) - '0');
	return c->at > begin;
}

#define ENDLESS (REPEATS_MAX + 1)

/* Bounds of the repetition at c->at; false: there is none, and c->at is unchanged. A brace that
 * begins no repetition is a literal, as in Python. */
static bool read_repetition(compiler *c, unsigned *least, unsigned *most)
{
	size_t begin = c->at;
	bool has_least, has_most;
	int letter = ahead(c);

	*least = letter == '+';
	*most = letter == '?' ? 1 : ENDLESS;
	if (letter == '*' || letter == '+' || letter == '?') {
		c->at++;
		return true;
	}
	if (letter != '{')
		return false;
	c->at++;
	has_least = read_count(c, least);
	if (ahead(c) == ',') {
		c->at++;
		has_most = read_count(c, most);
		*most = has_most ? *most : ENDLESS;
		has_least = true;
	} else {
		*most = *least;
	}
	if (has_least && ahead(c) == '}') {
		c->at++;
		return true;
	}
	c->at = begin;
	return false;
}

/* One more copy of the piece, which ends up last. */
static bool copy_piece(compiler *c, const instruction *piece, size_t size)
{
	if (size > PROGRAM_MAX - c->size)
		return refuse(c, "a pattern of this size");
	memcpy(&c->program[c->size], piece, size * sizeof *piece);
	c->size += size;
	return true;
}

/* least copies; then as many optional ones as most allows, or a loop. */
static bool repeat(compiler *c, size_t begin, unsigned least, unsigned most)
{
	size_t size = c->size - begin;
	instruction *piece;
	unsigned i;
	bool good = true;

	if (least > REPEATS_MAX || (most > REPEATS_MAX && most != ENDLESS) || least > most)
		return refuse(c, "a repetition of this number");
	if (!(piece = memory_new(size + 1, sizeof *piece)))
		return refuse(c, "a pattern for which there is no memory");
	memcpy(piece, &c->program[begin], size * sizeof *piece);
	c->size = begin;
	for (i = 0; good && i < least; i++)
		good = copy_piece(c, piece, size);
	if (good && most == ENDLESS)
		good = emit(c, OP_SPLIT, (int)size + 2) && copy_piece(c, piece, size) &&
		       emit(c, OP_JUMP, -(int)size - 1);
	for (i = least; good && most != ENDLESS && i < most; i++)
		good = emit(c, OP_SPLIT, (int)size + 1) && copy_piece(c, piece, size);
	/* {0}: not even nothing may be left out of the count */
	if (good && c->size == begin)
		good = emit(c, OP_JUMP, 1) != NULL;
	memory_free(piece);
	return good;
}

static bool read_branch(compiler *c)
{
	unsigned least, most;
	size_t begin;

	while (ahead(c) >= 0 && ahead(c) != '|' && ahead(c) != ')') {
		begin = c->size;
		if (!read_atom(c))
			return false;
		if (!read_repetition(c, &least, &most))
			continue;
		if (!repeat(c, begin, least, most))
			return false;
		if (ahead(c) == '?')
			c->at++; /* lazy: the same names fit */
		else if (ahead(c) == '+')
			return refuse(c, "a possessive repetition");
		if (read_repetition(c, &least, &most))
			return refuse(c, "a repetition of a repetition");
	}
	return true;
}

static bool read_alternatives(compiler *c)
{
	size_t begin = c->size, jump;

	if (!read_branch(c))
		return false;
	while (ahead(c) == '|') {
		c->at++;
		/* first or second: split past the first and its jump, which leads to the end */
		if (!insert(c, begin, OP_SPLIT, (int)(c->size - begin) + 2) || !emit(c, OP_JUMP, 0))
			return false;
		jump = c->size - 1;
		if (!read_branch(c))
			return false;
		c->program[jump].to = (int)(c->size - jump);
	}
	return true;
}

pattern *pattern_new(const char *text, size_t n, const char **why)
{
	compiler c = { .text = text, .n = n };
	pattern *p = NULL;
	bool good;

	c.program = memory_new(PROGRAM_MAX, sizeof *c.program);
	good = c.program || refuse(&c, "a pattern for which there is no memory");
	good = good && ((n > 0 && n <= TEXT_MAX) || refuse(&c, "a pattern of this length"));
	good = good && read_alternatives(&c);
	good = good && (c.at == n || refuse(&c, "a ) without its group"));
	good = good && emit(&c, OP_MATCH, 0);
	if (good && (p = memory_new(1, sizeof *p + c.size * sizeof *c.program)) != NULL) {
		p->n = c.size;
		memcpy(p->program, c.program, c.size * sizeof *c.program);
	}
	*why = p ? NULL : c.why ? c.why : "a pattern for which there is no memory";
	memory_free(c.program);
	return p;
}

void pattern_free(pattern *p)
{
	memory_free(p);
}

/* ---- matching ------------------------------------------------------------------------------- */

/* Instructions that wait for a byte, each once. */
typedef struct ways {
	uint16_t list[PROGRAM_MAX];
	size_t n;
	bool matched;
} ways;

/* Follows all ways from `start` up to what waits for a byte. seen [n] holds the round in which an
 * instruction was reached. */
static void follow(const pattern *p, ways *w, uint32_t *seen, uint32_t round, uint16_t start,
                   bool begins, bool ends)
{
	uint16_t stack[PROGRAM_MAX];
	size_t n = 0;

	if (seen[start] != round)
		stack[n++] = start;
	seen[start] = round;
	while (n > 0) {
		uint16_t at = stack[--n], next[2];
		const instruction *i = &p->program[at];
		size_t n_next = 0, k;

		if (i->op == OP_SET)
			w->list[w->n++] = at;
		w->matched = w->matched || i->op == OP_MATCH;
		if (i->op == OP_SPLIT || (i->op == OP_BEGIN && begins) || (i->op == OP_END && ends))
			next[n_next++] = (uint16_t)(at + 1);
		if (i->op == OP_SPLIT || i->op == OP_JUMP)
			next[n_next++] = (uint16_t)((int)at + i->to);
		for (k = 0; k < n_next; k++)
			if (seen[next[k]] != round) {
				seen[next[k]] = round;
				stack[n++] = next[k];
			}
	}
}

bool pattern_fits(const pattern *p, const char *name)
{
	uint32_t seen[PROGRAM_MAX] = { 0 }, round = 1;
	ways now = { .n = 0 }, next;
	size_t at, k;

	for (at = 0;; at++, round++) {
		unsigned char c = (unsigned char)name[at];

		if (at == 0 || name[at - 1] == '.')
			follow(p, &now, seen, round, 0, at == 0, c == 0);
		if (c == 0)
			return now.matched;
		next.n = 0;
		next.matched = false;
		for (k = 0; k < now.n; k++)
			if (p->program[now.list[k]].set[c / 32] >> c % 32 & 1)
				follow(p, &next, seen, round + 1, (uint16_t)(now.list[k] + 1),
				       false, name[at + 1] == 0);
		now = next;
	}
}
