/* test_pattern.c - the regular expressions of adapters' patterns
 *
 * What is expected is what Python's re.match(rf"(.*\.)?({key})$", name) says.
 */
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint/pattern.h"
#include "test/check.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

#define Q "model.layers.3.self_attn.q_proj"

static const struct {
	const char *text, *name;
	bool fits;
} cases[] = {
	{ "q_proj", Q, true },
	{ "self_attn.q_proj", Q, true },
	{ "proj", Q, false },
	{ "model", Q, false },
	{ ".*proj", Q, true },
	{ ".*\\.q_proj", Q, true },
	{ "[qv]_proj", Q, true },
	{ "[^qv]_proj", Q, false },
	{ "(q|v)_proj", Q, true },
	{ "(?:k|v)_proj", Q, false },
	{ "q_proj|v_proj", Q, true },
	{ "^q_proj", Q, false },
	{ "^model.*", Q, true },
	{ "q_proj$", Q, true },
	{ "q_proj$x", Q, false },
	{ "layers\\.\\d+\\.self_attn\\.q_proj", Q, true },
	{ "layers\\.[0-2]\\..*", Q, false },
	{ "layers\\.[0-3]\\..*", Q, true },
	{ "layers.3.(self_attn|mlp).\\w+", Q, true },
	{ "q{1}_proj", Q, true },
	{ "q{2,}_proj", Q, false },
	{ "q{0,3}?_pro[j]{1,1}", Q, true },
	{ "q{,2}_proj", Q, true },
	{ "x?q_proj", Q, true },
	{ "(a*)*b", "aaab", true },
	{ "(a|b|)+c", "c", true },
	{ "[]a]b", "]b", true },
	{ "[a-]b", "-b", true },
	{ "a{x", "a{x", true },
	{ "\\D\\W\\S", "a.b", true },
	{ "a.b", "a\nb", false },
	{ "(a{0})b", "b", true },
};

static void test_patterns_fit_what_python_says(check_counts *counts)
{
	const char *why;
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		pattern *p = pattern_new(cases[i].text, strlen(cases[i].text), &why);

		CHECK(counts, p && pattern_fits(p, cases[i].name) == cases[i].fits, "%s and %s: %s",
		      cases[i].text, cases[i].name, p ? "" : why);
		pattern_free(p);
	}
}

static void test_other_syntax_is_refused_by_name(check_counts *counts)
{
	static const char *const texts[] = { "",           "(",       ")",      "(?=a)",
		                             "(?P<n>a)",   "\\bq",    "(a)\\1", "*a",
		                             "a**",        "a{2}{3}", "a*+",    "[a",
		                             "[z-a]",      "a\\",     "a{3,2}", "a{9999}",
		                             "(?i)q_proj", "\xc3\xa9" };
	const char *why;
	size_t i;

	for (i = 0; i < LENGTH(texts); i++) {
		pattern *p = pattern_new(texts[i], strlen(texts[i]), &why);

		CHECK(counts, !p && why && *why, "%s was taken", texts[i]);
		pattern_free(p);
	}
}

/* Patterns with which backtracking takes 2^n steps, and ones whose program would be huge. */
static void test_hostile_patterns_cost_little(check_counts *counts)
{
	static const char *const slow[] = { "(a+)+b", "(a|a)*b", "(a*)*b", "((a?){20}a{20}){3}b",
		                            "(.*.*.*)*b" };
	static const char *const large[] = { "((((a{200}){200}){200}){200}){200}",
		                             "(((((){250}){250}){250}){250}){250}" };
	char name[400], deep[400];
	const char *why;
	size_t i;

	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = 0;
	for (i = 0; i < LENGTH(slow); i++) {
		pattern *p = pattern_new(slow[i], strlen(slow[i]), &why);

		CHECK(counts, p && !pattern_fits(p, name), "%s", slow[i]);
		pattern_free(p);
	}
	for (i = 0; i < LENGTH(large); i++) {
		pattern *p = pattern_new(large[i], strlen(large[i]), &why);

		CHECK(counts, !p, "%s", large[i]);
		pattern_free(p);
	}
	memset(deep, '(', sizeof deep);
	CHECK(counts, !pattern_new(deep, sizeof deep, &why), "%zu parentheses", sizeof deep);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_patterns_fit_what_python_says(&counts));
	RUN(test_other_syntax_is_refused_by_name(&counts));
	RUN(test_hostile_patterns_cost_little(&counts));
	return check_report("pattern", &counts);
}
