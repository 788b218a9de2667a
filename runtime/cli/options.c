/* options.c - the parser; options_help.c prints the same table */
#include "runtime/cli/options.h"
#include "runtime/cli/nearest.h"
#include "runtime/cli/number.h"
#include "runtime/cli/synonyms.h"
#include "runtime/portable.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

typedef struct parser {
	const options_command *command;
	void *settings;
	options_result *result;
	char **argv;
	int argc, next;
	char *model, *prompt, *output; /* operands given as options, -m, -p and -o; or NULL */
} parser;

static options_outcome wrong(parser *p, const char *format, ...) PORTABLE_PRINTF(2, 3);

static options_outcome wrong(parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(p->result->message, sizeof p->result->message, format, args);
	va_end(args);
	return OPTIONS_WRONG;
}

/* Other programs write underscores where we write dashes. */
static bool is_name(const char *name, const char *typed, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (name[i] != (typed[i] == '_' ? '-' : typed[i]))
			return false;
	return name[length] == '\0';
}

static const options_entry *find_long(const options_command *command, const char *name,
                                      size_t length)
{
	size_t i;

	for (i = 0; i < command->n_entries; i++)
		if (is_name(command->entries[i].name, name, length))
			return &command->entries[i];
	return NULL;
}

static const options_entry *find_short(const options_command *command, char alias)
{
	size_t i;

	for (i = 0; i < command->n_entries; i++)
		if (command->entries[i].alias == alias)
			return &command->entries[i];
	return NULL;
}

static options_outcome unknown_long(parser *p, const char *name, size_t length)
{
	nearest_match match = { NULL, 0 };
	const char *meant;
	char typed[64];
	size_t i;

	(void)snprintf(typed, sizeof typed, "%.*s", (int)(length < 60 ? length : 60), name);
	for (i = 0; i < p->command->n_entries; i++)
		nearest_offer(&match, typed, p->command->entries[i].name);
	nearest_offer(&match, typed, "help");
	meant = nearest_choose(&match, typed);
	if (meant)
		return wrong(p, "unknown option --%s; did you mean --%s?", typed, meant);
	return wrong(p, "unknown option --%s; brise %s --help lists them", typed, p->command->name);
}

/* "q4, q3, q8 or f16" */
static void list_choices(const char *const *choices, char *text, size_t size)
{
	size_t used = 0, i;

	text[0] = '\0';
	for (i = 0; choices[i] && used < size; i++) {
		const char *joint = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
		int n = snprintf(text + used, size - used, "%s%s", joint, choices[i]);

		used += n > 0 ? (size_t)n : 0;
	}
}

/* Whether the first n letters are the same, in any case; choices are ASCII. */
static bool compare_letters(const char *a, const char *b, size_t n)
{
	size_t i;

	for (i = 0; i < n && a[i] && tolower((unsigned char)a[i]) == tolower((unsigned char)b[i]);
	     i++)
		;
	return i == n || (!a[i] && !b[i]);
}

static options_outcome store_choice(parser *p, const options_entry *entry, const char *value,
                                    int *target)
{
	nearest_match match = { NULL, 0 };
	const char *meant;
	char list[96];
	int i;

	for (i = 0; entry->choices[i]; i++) {
		if (compare_letters(entry->choices[i], value, SIZE_MAX)) {
			*target = i;
			return OPTIONS_READY;
		}
		nearest_offer(&match, value, entry->choices[i]);
	}
	list_choices(entry->choices, list, sizeof list);
	meant = nearest_choose(&match, value);
	for (i = 0; entry->choices[i] && !meant; i++) /* q4_K_M */
		if (compare_letters(entry->choices[i], value, strlen(entry->choices[i])))
			meant = entry->choices[i];
	if (meant)
		return wrong(p, "--%s: expected %s, found '%.40s'; did you mean %s?", entry->name,
		             list, value, meant);
	return wrong(p, "--%s: expected %s, found '%.40s'", entry->name, list, value);
}

static options_outcome store_value(parser *p, const options_entry *entry, const char *value)
{
	char *target = (char *)p->settings + entry->offset;
	const char *expected;
	uint64_t whole;
	double real;

	switch (entry->type) {
	case OPTION_FLAG:
		*(bool *)(void *)target = true;
		return OPTIONS_READY;
	case OPTION_STRING: /* an empty one comes from a shell variable that is not set */
		if (!*value)
			return wrong(p, "--%s: expected %s, found an empty word", entry->name,
			             entry->value);
		*(const char **)(void *)target = value;
		return OPTIONS_READY;
	case OPTION_U32:
		if (entry->word && !strcmp(value, entry->word)) {
			*(uint32_t *)(void *)target = UINT32_MAX;
			return OPTIONS_READY;
		}
		if (!number_read_whole(value, strlen(value), UINT32_MAX, &whole) ||
		    (double)whole < entry->low || (double)whole > entry->high)
			return wrong(p,
			             "--%s: expected a whole number from %.0f to %.0f%s%s, found "
			             "'%.40s'",
			             entry->name, entry->low, entry->high,
			             entry->word ? " or " : "", entry->word ? entry->word : "",
			             value);
		*(uint32_t *)(void *)target = (uint32_t)whole;
		return OPTIONS_READY;
	case OPTION_U64:
		if (!number_read_whole(value, strlen(value), UINT64_MAX, &whole))
			return wrong(p, "--%s: expected a whole number below 2^64, found '%.40s'",
			             entry->name, value);
		*(uint64_t *)(void *)target = whole;
		return OPTIONS_READY;
	case OPTION_FLOAT:
		if (!number_read_real(value, &real) || real < entry->low || real > entry->high)
			return wrong(p, "--%s: expected a number from %g to %g, found '%.40s'",
			             entry->name, entry->low, entry->high, value);
		*(float *)(void *)target = (float)real;
		return OPTIONS_READY;
	case OPTION_CHOICE:
		return store_choice(p, entry, value, (int *)(void *)target);
	case OPTION_TAKE:
		expected = entry->take(p->settings, value);
		return expected ? wrong(p, "--%s: expected %s, found '%.40s'", entry->name,
		                        expected, value)
		                : OPTIONS_READY;
	}
	return wrong(p, "--%s: cannot be set", entry->name);
}

/* The value that follows as an argument of its own. "--x" there is far more likely a forgotten
 * value than a value. `name` is the option with its dashes. */
static options_outcome next_value(parser *p, const char *name, size_t length, char **value)
{
	*value = p->next < p->argc ? p->argv[p->next] : NULL;
	if (!*value || strncmp(*value, "--", 2) == 0)
		return wrong(p, "%.*s: expected a value, found %s%.40s%s",
		             (int)(length < 60 ? length : 60), name, *value ? "'" : "nothing",
		             *value ? *value : "", *value ? "'" : "");
	p->next++;
	return OPTIONS_READY;
}

static options_outcome store_next(parser *p, const options_entry *entry)
{
	char name[64], *value;
	options_outcome outcome;

	(void)snprintf(name, sizeof name, "--%s", entry->name);
	outcome = next_value(p, name, strlen(name), &value);
	return outcome == OPTIONS_READY ? store_value(p, entry, value) : outcome;
}

/* Whether the command has what this row of the table leads to. */
static bool applies(const options_command *command, const synonym *s)
{
	switch (s->kind) {
	case SYNONYM_OPTION:
		return find_long(command, s->ours, strlen(s->ours)) != NULL;
	case SYNONYM_MODEL:
		return strncmp(command->operands, "MODEL", 5) == 0 ||
		       strncmp(command->operands, "[MODEL]", 7) == 0;
	case SYNONYM_PROMPT:
		return strstr(command->operands, "[PROMPT]") || strstr(command->operands, "[TEXT]");
	case SYNONYM_OUTPUT:
		return strstr(command->operands, " OUT") != NULL;
	default:
		return true;
	}
}

/* `typed` has its dashes. */
static const synonym *find_synonym(const options_command *command, const char *typed, size_t length)
{
	const synonym *s;
	unsigned i;

	for (i = 0; (s = synonyms_option(i)) != NULL; i++)
		if (is_name(s->typed, typed, length) && applies(command, s))
			return s;
	return NULL;
}

static bool is_switch(const char *word)
{
	static const char *const words[] = { "on", "off", "auto", "0", "1" };
	size_t i;

	for (i = 0; word && i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* Takes an option, with its value, that changes nothing here, and keeps its name for a note. */
static options_outcome ignore(parser *p, const synonym *s, char *value)
{
	char *names = p->result->ignored;
	size_t used = strlen(names), room = sizeof p->result->ignored - used;
	options_outcome outcome = OPTIONS_READY;

	if (s->ours && !value && strcmp(s->ours, "N") == 0)
		outcome = next_value(p, s->typed, strlen(s->typed), &value);
	else if (s->ours && !value && p->next < p->argc && is_switch(p->argv[p->next]))
		p->next++;
	if (value && strcmp(value, "0") == 0) /* -ngl 0 asks for what brise does anyway */
		return outcome;
	if (outcome == OPTIONS_READY && strlen(s->typed) + 3 <= room)
		(void)snprintf(names + used, room, "%s%s", used ? ", " : "", s->typed);
	return outcome;
}

/* value NULL: the next word, if the option has one. */
static options_outcome take_synonym(parser *p, const synonym *s, char *value)
{
	const options_entry *entry = NULL;
	options_outcome outcome;
	uint64_t number;

	if (s->kind == SYNONYM_ANSWER)
		return wrong(p, "%s: %s", s->typed, s->ours);
	if (s->kind == SYNONYM_IGNORED)
		return ignore(p, s, value);
	if (s->kind == SYNONYM_OPTION)
		entry = find_long(p->command, s->ours, strlen(s->ours));
	if (s->kind == SYNONYM_FLAG || (entry && entry->type == OPTION_FLAG)) {
		if (value)
			return wrong(p, "%s takes no value, found '%.40s'", s->typed, value);
		return entry ? store_value(p, entry, "") : OPTIONS_READY;
	}
	if (!value &&
	    (outcome = next_value(p, s->typed, strlen(s->typed), &value)) != OPTIONS_READY)
		return outcome;
	if (entry)
		return store_value(p, entry, value);
	if (s->kind == SYNONYM_ZERO)
		return number_read_whole(value, strlen(value), 0, &number)
		               ? OPTIONS_READY
		               : wrong(p, "%s: %s", s->typed, s->ours);
	*(s->kind == SYNONYM_MODEL    ? &p->model
	  : s->kind == SYNONYM_OUTPUT ? &p->output
	                              : &p->prompt) = value;
	return OPTIONS_READY;
}

/* `word` has its dashes. */
static options_outcome take_long(parser *p, char *word)
{
	char *name = word + 2, *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const options_entry *entry = find_long(p->command, name, length);
	const synonym *s = entry ? NULL : find_synonym(p->command, word, length + 2);

	if (s)
		return take_synonym(p, s, equals ? equals + 1 : NULL);
	if (!entry && length == 4 && memcmp(name, "help", 4) == 0)
		return equals ? wrong(p, "--help takes no value, found '%.40s'", equals + 1)
		              : OPTIONS_HELP;
	if (!entry)
		return unknown_long(p, name, length);
	if (entry->type == OPTION_FLAG)
		return equals ? wrong(p, "--%s takes no value, found '%.40s'", entry->name,
		                      equals + 1)
		              : store_value(p, entry, "");
	return equals ? store_value(p, entry, equals + 1) : store_next(p, entry);
}

static bool takes_number(const options_entry *entry)
{
	return entry->type == OPTION_U32 || entry->type == OPTION_U64 ||
	       entry->type == OPTION_FLOAT;
}

/* "-log" is no -l with the number "og". */
static bool is_name_of_letters(const parser *p, const synonym *s, const char *text)
{
	const options_entry *entry =
	        s->kind == SYNONYM_OPTION ? find_long(p->command, s->ours, strlen(s->ours)) : NULL;

	return entry && (takes_number(entry) || entry->type == OPTION_TAKE) &&
	       isalpha((unsigned char)text[1]);
}

static options_outcome take_short(parser *p, char *word)
{
	char *text = word + 1, *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const options_entry *entry = find_short(p->command, text[0]);
	const synonym *s;

	if ((!entry || length > 2) && (s = find_synonym(p->command, word, length)) != NULL)
		return take_synonym(p, s, equals ? equals + 1 : NULL);
	if (!entry && text[0] == 'h' && text[1] == '\0')
		return OPTIONS_HELP;
	if (!entry && text[1] == '\0')
		return wrong(p, "unknown option -%s; brise %s --help lists them", text,
		             p->command->name);
	if (!entry) { /* -c4096, or -name for --name, which is the usual slip */
		s = find_synonym(p->command, word, 2);
		return s && s->kind <= SYNONYM_OUTPUT && !is_name_of_letters(p, s, text)
		               ? take_synonym(p, s, text + 1)
		               : unknown_long(p, text, strlen(text));
	}
	if (text[1] && takes_number(entry) && isalpha((unsigned char)text[1]))
		return unknown_long(p, text, strlen(text));
	if (entry->type == OPTION_FLAG)
		return text[1] ? wrong(p, "-%c takes no value, found '%.40s'", text[0], text + 1)
		               : store_value(p, entry, "");
	return text[1] ? store_value(p, entry, text + 1) : store_next(p, entry);
}

/* Puts -m's value before the operands, -p's and -o's after them. argv has room: the options' own
 * words were taken out of it. */
static void insert_operands(parser *p)
{
	options_result *r = p->result;

	if (p->model) {
		memmove(r->operands + 1, r->operands, (size_t)r->n_operands * sizeof *r->operands);
		r->operands[0] = p->model;
		r->n_operands++;
	}
	if (p->prompt)
		r->operands[r->n_operands++] = p->prompt;
	if (p->output)
		r->operands[r->n_operands++] = p->output;
}

static options_outcome check_operands(parser *p)
{
	const options_command *command = p->command;
	const options_result *result = p->result;
	int i;

	if (p->prompt && result->n_operands == 1)
		return wrong(p, "expected %s, found no MODEL", command->operands);
	if (result->n_operands == 0 && command->min_operands > 0)
		return wrong(p, "expected %s, found nothing; brise %s --help explains it",
		             command->operands, command->name);
	if (result->n_operands < command->min_operands)
		return wrong(p, "expected %s, found only '%.60s'", command->operands,
		             result->operands[0]);
	/* These name files: an empty one comes from a shell variable that is not set. */
	for (i = 0; i < command->min_operands; i++)
		if (!*result->operands[i])
			return wrong(p, "expected %s, found an empty name", command->operands);
	if (result->n_operands > command->max_operands)
		return wrong(p, "expected %s, found one more: '%.60s'%s%s", command->operands,
		             result->operands[command->max_operands], command->surplus ? "; " : "",
		             command->surplus ? command->surplus : "");
	return OPTIONS_READY;
}

options_outcome options_parse(const options_command *command, int argc, char **argv, void *settings,
                              options_result *result)
{
	parser p = { command, settings, result, argv, argc, 1, NULL, NULL, NULL };
	bool options_end = false;

	result->operands = argv + 1;
	result->n_operands = 0;
	result->message[0] = result->ignored[0] = '\0';
	while (p.next < argc) {
		char *word = argv[p.next++];
		options_outcome outcome = OPTIONS_READY;

		if (options_end || word[0] != '-' || word[1] == '\0')
			result->operands[result->n_operands++] = word;
		else if (strcmp(word, "--") == 0)
			options_end = true;
		else
			outcome = word[1] == '-' ? take_long(&p, word) : take_short(&p, word);
		if (outcome != OPTIONS_READY)
			return outcome;
	}
	insert_operands(&p);
	return check_operands(&p);
}
