/* pickle.c - a pickle machine that knows dictionaries of tensors and nothing else
 *
 * A pickle is a program for a stack machine (CPython's Lib/pickletools.py documents every opcode).
 * What torch.save writes for a dictionary of tensors needs few of them: constants, tuples,
 * dictionaries, a memo, and calls of three known constructors:
 *     collections.OrderedDict()       an empty dictionary
 *     torch._utils._rebuild_tensor_v2(storage, first, size, stride, requires_grad, hooks)
 *     torch.HalfStorage and others like it, named inside a persistent id ('storage', type, key,
 *         device, elements)
 * Values live in one array (the arena) and are named by index; it only grows, by at most one value
 * per byte of input, and nothing recurses.
 */
#include "convert/formats/pickle.h"

#include <inttypes.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define PICKLE_MAX ((size_t)64 << 20) /* a 7B checkpoint's takes 40 kB */
#define STACK_MAX  (1u << 20)

typedef enum value_kind {
	VALUE_NONE,
	VALUE_MARK,
	VALUE_INT,     /* number; bools too */
	VALUE_TEXT,    /* text, length number */
	VALUE_GLOBAL,  /* global */
	VALUE_TUPLE,   /* items[first .. first + number) */
	VALUE_DICT,    /* an empty one, or one whose items went to the tensor list */
	VALUE_STORAGE, /* first: the tuple it came from */
	VALUE_TENSOR   /* first: index into tensors */
} value_kind;

typedef enum known_global {
	GLOBAL_DICT,
	GLOBAL_REBUILD,
	GLOBAL_HALF,
	GLOBAL_BFLOAT,
	GLOBAL_FLOAT,
	GLOBAL_PARAMETER
} known_global;

typedef struct value {
	value_kind kind;
	known_global global;
	int64_t number;
	size_t first;
	const char *text;
} value;

typedef struct machine {
	const uint8_t *p, *end, *start;
	const char *name;
	brise_error *err;
	brise_status status;
	value *stack;
	size_t depth, stack_capacity;
	value *items; /* contents of tuples */
	size_t n_items, items_capacity;
	value *memo;
	size_t n_memo;
	pickle_tensor *tensors; /* those with a name */
	size_t n_tensors, tensors_capacity;
	pickle_tensor *unnamed; /* all that were rebuilt */
	size_t n_unnamed, unnamed_capacity;
	bool stopped;
} machine;

static bool wrong(machine *m, brise_status code, const char *what)
{
	if (m->status == BRISE_OK)
		m->status = error_set(m->err, code, "%s: data.pkl, byte %zu: %s", m->name,
		                      (size_t)(m->p - m->start), what);
	return false;
}

static bool damaged(machine *m, const char *what)
{
	return wrong(m, BRISE_EFORMAT, what);
}

/* Room for one more element of an array that doubles. */
static bool grow(machine *m, void **array, size_t n, size_t *capacity, size_t size)
{
	size_t wanted = *capacity ? 2 * *capacity : 64;
	void *grown;

	if (n < *capacity)
		return true;
	grown = wanted <= PICKLE_MAX ? memory_resize(*array, wanted, size) : NULL;
	if (!grown)
		return wrong(m, BRISE_ENOMEM, "no memory for its values");
	*array = grown;
	*capacity = wanted;
	return true;
}

static bool push(machine *m, value v)
{
	void *stack = m->stack;

	if (m->depth >= STACK_MAX)
		return damaged(m, "the stack grows without end");
	if (!grow(m, &stack, m->depth, &m->stack_capacity, sizeof v))
		return false;
	m->stack = stack;
	m->stack[m->depth++] = v;
	return true;
}

static bool pop(machine *m, value *v)
{
	if (m->depth == 0)
		return damaged(m, "the stack is empty");
	*v = m->stack[--m->depth];
	return true;
}

static bool take(machine *m, size_t n, const uint8_t **bytes)
{
	*bytes = m->p;
	if ((size_t)(m->end - m->p) < n)
		return damaged(m, "it ends too early");
	m->p += n;
	return true;
}

static bool take_number(machine *m, unsigned bytes, uint64_t *number)
{
	const uint8_t *b;

	*number = 0;
	if (!take(m, bytes, &b))
		return false;
	while (bytes-- > 0)
		*number = *number << 8 | b[bytes];
	return true;
}

/* A line of text up to its line feed. */
static bool take_line(machine *m, const char **text, size_t *length)
{
	const uint8_t *feed = memchr(m->p, '\n', (size_t)(m->end - m->p));

	if (!feed)
		return damaged(m, "a name without end");
	*text = (const char *)m->p;
	*length = (size_t)(feed - m->p);
	m->p = feed + 1;
	return true;
}

static bool same_text(const char *text, size_t length, const char *expected)
{
	return strlen(expected) == length && memcmp(text, expected, length) == 0;
}

static bool do_global(machine *m)
{
	static const struct {
		const char *module, *name;
		known_global global;
	} known[] = {
		{ "collections", "OrderedDict", GLOBAL_DICT },
		{ "torch._utils", "_rebuild_tensor_v2", GLOBAL_REBUILD },
		{ "torch", "HalfStorage", GLOBAL_HALF },
		{ "torch", "BFloat16Storage", GLOBAL_BFLOAT },
		{ "torch", "FloatStorage", GLOBAL_FLOAT },
		{ "torch._utils", "_rebuild_parameter", GLOBAL_PARAMETER },
	};
	const char *module, *name;
	size_t module_length, name_length, i;

	if (!take_line(m, &module, &module_length) || !take_line(m, &name, &name_length))
		return false;
	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (same_text(module, module_length, known[i].module) &&
		    same_text(name, name_length, known[i].name))
			return push(m, (value){ .kind = VALUE_GLOBAL, .global = known[i].global });
	if (m->status == BRISE_OK)
		m->status =
		        error_set(m->err, BRISE_EUNSUPPORTED,
		                  "%s: data.pkl wants %.*s.%.*s: refused, tensors do not need it",
		                  m->name, (int)(module_length < 80 ? module_length : 80), module,
		                  (int)(name_length < 80 ? name_length : 80), name);
	return false;
}

/* The topmost n values become one tuple. */
static bool make_tuple(machine *m, size_t n)
{
	value tuple = { .kind = VALUE_TUPLE, .number = (int64_t)n, .first = m->n_items };
	size_t i;

	if (m->depth < n)
		return damaged(m, "the stack is too short for a tuple");
	for (i = 0; i < n; i++) {
		void *items = m->items;

		if (!grow(m, &items, m->n_items, &m->items_capacity, sizeof *m->items))
			return false;
		m->items = items;
		m->items[m->n_items++] = m->stack[m->depth - n + i];
	}
	m->depth -= n;
	return push(m, tuple);
}

/* How many values lie above the topmost mark; the mark is removed from under them by the
 * callers. */
static bool count_to_mark(machine *m, size_t *n)
{
	size_t i = m->depth;

	while (i > 0 && m->stack[i - 1].kind != VALUE_MARK)
		i--;
	if (i == 0)
		return damaged(m, "no mark on the stack");
	*n = m->depth - i;
	return true;
}

static bool make_marked_tuple(machine *m)
{
	value tuple;
	size_t n;

	if (!count_to_mark(m, &n) || !make_tuple(m, n) || !pop(m, &tuple))
		return false;
	m->depth--; /* the mark */
	return push(m, tuple);
}

static const value *tuple_item(const machine *m, const value *tuple, size_t index, value_kind kind)
{
	const value *item;

	if (tuple->kind != VALUE_TUPLE || index >= (size_t)tuple->number)
		return NULL;
	item = &m->items[tuple->first + index];
	return item->kind == kind ? item : NULL;
}

/* ('storage', type, key, device, elements) */
static bool do_persistent_id(machine *m)
{
	const value *word, *type, *key, *elements;
	value tuple;

	if (!pop(m, &tuple))
		return false;
	word = tuple_item(m, &tuple, 0, VALUE_TEXT);
	type = tuple_item(m, &tuple, 1, VALUE_GLOBAL);
	key = tuple_item(m, &tuple, 2, VALUE_TEXT);
	elements = tuple_item(m, &tuple, 4, VALUE_INT);
	if (!word || !type || !key || !elements ||
	    !same_text(word->text, (size_t)word->number, "storage") || type->global < GLOBAL_HALF ||
	    type->global > GLOBAL_FLOAT || elements->number < 0 || key->number < 1 ||
	    key->number > 63)
		return damaged(m, "a storage that is not one of halves, bfloats or floats");
	return push(m, (value){ .kind = VALUE_STORAGE, .first = tuple.first });
}

static bool read_shape(machine *m, const value *shape, const value *stride, pickle_tensor *t)
{
	uint64_t expected = 1, last, bytes;
	size_t i;

	if (shape->kind != VALUE_TUPLE || stride->kind != VALUE_TUPLE ||
	    shape->number != stride->number || shape->number > 4)
		return damaged(m, "a tensor of more than four dimensions or without strides");
	t->n_dims = (uint32_t)shape->number;
	for (i = t->n_dims; i-- > 0;) {
		const value *size = tuple_item(m, shape, i, VALUE_INT),
		            *step = tuple_item(m, stride, i, VALUE_INT);

		if (!size || !step || size->number < 0 || step->number < 0)
			return damaged(m, "a dimension or stride that is no size");
		if (size->number != 1 && (uint64_t)step->number != expected)
			return wrong(
			        m, BRISE_EUNSUPPORTED,
			        "a strided tensor; save the checkpoint with contiguous tensors");
		t->shape[i] = (uint64_t)size->number;
		if (!checked_mul(expected, t->shape[i], &expected))
			return damaged(m, "a tensor too large for any machine");
	}
	if (!checked_add(t->first, expected, &last) || last > t->storage_elements ||
	    !checked_mul(t->storage_elements, 4, &bytes))
		return damaged(m, "a tensor that reaches out of its storage");
	return true;
}

/* _rebuild_tensor_v2(storage, first, size, stride, requires_grad, hooks) */
static bool rebuild_tensor(machine *m, const value *arguments)
{
	static const elements_type dtypes[] = { [GLOBAL_HALF] = ELEMENTS_F16,
		                                [GLOBAL_BFLOAT] = ELEMENTS_BF16,
		                                [GLOBAL_FLOAT] = ELEMENTS_F32 };
	const value *storage = tuple_item(m, arguments, 0, VALUE_STORAGE),
	            *first = tuple_item(m, arguments, 1, VALUE_INT);
	const value *shape = tuple_item(m, arguments, 2, VALUE_TUPLE),
	            *stride = tuple_item(m, arguments, 3, VALUE_TUPLE), *from;
	void *unnamed = m->unnamed;
	pickle_tensor t = { 0 };

	if (!storage || !first || !shape || !stride || first->number < 0)
		return damaged(m, "a tensor without storage, offset, size or strides");
	from = &m->items[storage->first];
	t.dtype = dtypes[from[1].global];
	memcpy(t.key, from[2].text, (size_t)from[2].number);
	t.storage_elements = (uint64_t)from[4].number;
	t.first = (uint64_t)first->number;
	if (!read_shape(m, shape, stride, &t) ||
	    !grow(m, &unnamed, m->n_unnamed, &m->unnamed_capacity, sizeof t))
		return false;
	m->unnamed = unnamed;
	m->unnamed[m->n_unnamed] = t;
	return push(m, (value){ .kind = VALUE_TENSOR, .first = m->n_unnamed++ });
}

static bool do_reduce(machine *m)
{
	value arguments, function;
	const value *tensor;

	if (!pop(m, &arguments) || !pop(m, &function))
		return false;
	if (function.kind != VALUE_GLOBAL || arguments.kind != VALUE_TUPLE)
		return damaged(m, "a call of something that is no constructor");
	if (function.global == GLOBAL_DICT && arguments.number == 0)
		return push(m, (value){ .kind = VALUE_DICT });
	if (function.global == GLOBAL_REBUILD)
		return rebuild_tensor(m, &arguments);
	tensor = tuple_item(m, &arguments, 0, VALUE_TENSOR);
	if (function.global == GLOBAL_PARAMETER && tensor)
		return push(m, *tensor);
	return damaged(m, "a call that makes no tensor");
}

/* A pair of a dictionary: tensors get their names; other values are ignored (optimizer state
 * and such holds none of the model's). */
static bool add_pair(machine *m, const value *key, const value *item)
{
	void *tensors = m->tensors;
	pickle_tensor *t;

	if (item->kind != VALUE_TENSOR)
		return true;
	if (key->kind != VALUE_TEXT || key->number < 1 || key->number > 511 ||
	    memchr(key->text, 0, (size_t)key->number))
		return damaged(m, "a tensor whose name is no text");
	/* one tensor stored again and again would take far more memory than the file's size */
	if (m->n_tensors == TENSORS_MAX)
		return damaged(m, "more tensors than any model has");
	if (!grow(m, &tensors, m->n_tensors, &m->tensors_capacity, sizeof *t))
		return false;
	m->tensors = tensors;
	t = &m->tensors[m->n_tensors];
	*t = m->unnamed[item->first];
	t->name = memory_new((size_t)key->number + 1, 1);
	if (!t->name)
		return wrong(m, BRISE_ENOMEM, "no memory for a name");
	memcpy(t->name, key->text, (size_t)key->number);
	t->name[key->number] = 0;
	m->n_tensors++;
	return true;
}

static bool do_set_items(machine *m)
{
	size_t n, i;

	if (!count_to_mark(m, &n))
		return false;
	if (n % 2 != 0 || m->depth < n + 2 || m->stack[m->depth - n - 2].kind != VALUE_DICT)
		return damaged(m, "pairs without a dictionary");
	for (i = m->depth - n; i < m->depth; i += 2)
		if (!add_pair(m, &m->stack[i], &m->stack[i + 1]))
			return false;
	m->depth -= n + 1;
	return true;
}

static bool do_set_item(machine *m)
{
	value item, key;

	if (!pop(m, &item) || !pop(m, &key))
		return false;
	if (m->depth == 0 || m->stack[m->depth - 1].kind != VALUE_DICT)
		return damaged(m, "a pair without a dictionary");
	return add_pair(m, &key, &item);
}

/* obj.__setstate__(state): torch stores '_metadata' so; an attribute of the dictionary, not needed
 * here. */
static bool do_build(machine *m)
{
	value state;

	if (!pop(m, &state))
		return false;
	return m->depth > 0 && m->stack[m->depth - 1].kind == VALUE_DICT
	               ? true
	               : damaged(m, "state for something that is no dictionary");
}

/* Memo indices count up from 0 in what picklers write; any other use is refused, which bounds the
 * memo. */
static bool memo_put(machine *m, uint64_t index)
{
	void *memo = m->memo;
	size_t capacity = m->n_memo;

	if (m->depth == 0)
		return damaged(m, "the stack is empty");
	if (index < m->n_memo) {
		m->memo[index] = m->stack[m->depth - 1];
		return true;
	}
	if (index != m->n_memo)
		return damaged(m, "a memo that leaves gaps");
	if ((m->n_memo & (m->n_memo - 1)) == 0) { /* a power of two is full */
		capacity = m->n_memo ? m->n_memo : 1;
		memo = memory_resize(m->memo, 2 * capacity, sizeof *m->memo);
		if (!memo)
			return wrong(m, BRISE_ENOMEM, "no memory for its memo");
		m->memo = memo;
	}
	m->memo[m->n_memo++] = m->stack[m->depth - 1];
	return true;
}

static bool memo_get(machine *m, uint64_t index)
{
	return index < m->n_memo ? push(m, m->memo[index])
	                         : damaged(m, "a memo entry that was never stored");
}

static bool push_text(machine *m, unsigned length_bytes)
{
	const uint8_t *text = NULL;
	uint64_t length;

	if (!take_number(m, length_bytes, &length) || length > PICKLE_MAX ||
	    !take(m, (size_t)length, &text))
		return damaged(m, "a text that ends too early");
	return push(m, (value){ .kind = VALUE_TEXT,
	                        .text = (const char *)text,
	                        .number = (int64_t)length });
}

/* LONG1: little-endian two's complement of up to 8 bytes here. */
static bool push_long(machine *m)
{
	uint64_t length, number;
	unsigned bits;

	if (!take_number(m, 1, &length))
		return false;
	if (length > 8)
		return damaged(m, "a number of more than 64 bits");
	if (!take_number(m, (unsigned)length, &number))
		return false;
	bits = (unsigned)length * 8;
	if (length > 0 && length < 8 && number >> (bits - 1))
		number |= ~(uint64_t)0 << bits;
	return push(m, (value){ .kind = VALUE_INT, .number = (int64_t)number });
}

static bool push_int(machine *m, unsigned bytes)
{
	uint64_t number;

	if (!take_number(m, bytes, &number))
		return false;
	return push(m,
	            (value){ .kind = VALUE_INT,
	                     .number = bytes == 4 ? (int32_t)(uint32_t)number : (int64_t)number });
}

static bool with_number(machine *m, unsigned bytes, bool (*act)(machine *, uint64_t))
{
	uint64_t number;

	return take_number(m, bytes, &number) && act(m, number);
}

static bool check_protocol(machine *m, uint64_t protocol)
{
	return protocol >= 2 && protocol <= 5
	               ? true
	               : wrong(m, BRISE_EUNSUPPORTED, "a pickle protocol other than 2 to 5");
}

static bool skip_frame(machine *m, uint64_t bytes)
{
	return bytes <= (uint64_t)(m->end - m->p) ? true
	                                          : damaged(m, "a frame longer than the file");
}

/* Opcodes by their letters; names as in pickletools.py. */
static bool step(machine *m)
{
	const uint8_t *opcode;
	value dropped;

	if (!take(m, 1, &opcode))
		return false;
	switch (*opcode) {
	case 0x80: /* PROTO */
		return with_number(m, 1, check_protocol);
	case 0x95: /* FRAME */
		return with_number(m, 8, skip_frame);
	case '.': /* STOP */
		m->stopped = true;
		return true;
	case '(': /* MARK */
		return push(m, (value){ .kind = VALUE_MARK });
	case '}': /* EMPTY_DICT */
		return push(m, (value){ .kind = VALUE_DICT });
	case ')': /* EMPTY_TUPLE */
		return make_tuple(m, 0);
	case 't': /* TUPLE */
		return make_marked_tuple(m);
	case 0x85: /* TUPLE1 */
	case 0x86:
	case 0x87:
		return make_tuple(m, *opcode - 0x84u);
	case 'N': /* NONE */
		return push(m, (value){ .kind = VALUE_NONE });
	case 0x88: /* NEWTRUE */
	case 0x89: /* NEWFALSE */
		return push(m, (value){ .kind = VALUE_INT, .number = *opcode == 0x88 });
	case 'K': /* BININT1 */
		return push_int(m, 1);
	case 'M': /* BININT2 */
		return push_int(m, 2);
	case 'J': /* BININT */
		return push_int(m, 4);
	case 0x8a: /* LONG1 */
		return push_long(m);
	case 'X': /* BINUNICODE */
		return push_text(m, 4);
	case 0x8c: /* SHORT_BINUNICODE */
		return push_text(m, 1);
	case 'c': /* GLOBAL */
		return do_global(m);
	case 'q': /* BINPUT */
		return with_number(m, 1, memo_put);
	case 'r': /* LONG_BINPUT */
		return with_number(m, 4, memo_put);
	case 0x94: /* MEMOIZE */
		return memo_put(m, m->n_memo);
	case 'h': /* BINGET */
		return with_number(m, 1, memo_get);
	case 'j': /* LONG_BINGET */
		return with_number(m, 4, memo_get);
	case 'Q': /* BINPERSID */
		return do_persistent_id(m);
	case 'R': /* REDUCE */
		return do_reduce(m);
	case 's': /* SETITEM */
		return do_set_item(m);
	case 'u': /* SETITEMS */
		return do_set_items(m);
	case 'b': /* BUILD */
		return do_build(m);
	case '0': /* POP */
		return pop(m, &dropped);
	default:
		if (m->status == BRISE_OK)
			m->status = error_set(m->err, BRISE_EUNSUPPORTED,
			                      "%s: data.pkl, byte %zu: opcode 0x%02x is not one "
			                      "that tensors need: refused",
			                      m->name, (size_t)(opcode - m->start), *opcode);
		return false;
	}
}

brise_status pickle_read(pickle_tensor **tensors, size_t *n, const uint8_t *bytes, size_t size,
                         const char *name, brise_error *err)
{
	machine m = { .p = bytes, .start = bytes, .end = bytes + size, .name = name, .err = err };

	*tensors = NULL;
	*n = 0;
	if (size > PICKLE_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: data.pkl of %zu bytes is too large to be one", name, size);
	while (m.status == BRISE_OK && !m.stopped)
		(void)step(&m);
	memory_free(m.stack);
	memory_free(m.items);
	memory_free(m.memo);
	memory_free(m.unnamed);
	if (m.status != BRISE_OK) {
		pickle_free(m.tensors, m.n_tensors);
		return m.status;
	}
	*tensors = m.tensors;
	*n = m.n_tensors;
	return BRISE_OK;
}

void pickle_free(pickle_tensor *tensors, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		memory_free(tensors[i].name);
	memory_free(tensors);
}
