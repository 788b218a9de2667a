/* test_serving_parts.c - small parts of serving alone: stop texts, hashes, logprobs */
#include <math.h>
#include <string.h>

#include "runtime/serve/logprobs.h"
#include "runtime/serve/sha256.h"
#include "runtime/serve/stops.h"
#include "test/check.h"
#include "test/random.h"

/* FIPS 180-4's examples, and lengths around a block (from coreutils' sha256sum). */
static void test_sha256_is_the_standard_s(check_counts *counts)
{
	static const struct {
		size_t n;
		const char *text, *digest;
	} cases[] = {
		{ 0, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ 3, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ 56, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	uint8_t digest[32];
	char hex[65];
	size_t i, k;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		sha256(digest, cases[i].text, cases[i].n);
		for (k = 0; k < 32; k++)
			(void)snprintf(hex + 2 * k, 3, "%02x", (unsigned)digest[k]);
		CHECK(counts, !strcmp(hex, cases[i].digest), "\"%s\": %s", cases[i].text, hex);
	}
}

/* Texts over two letters, cut at random, against a search in the whole text. */
static void test_stop_texts_are_found_wherever_they_are_cut(check_counts *counts)
{
	uint64_t seed = 3;
	unsigned trial, wrong = 0, found = 0;

	for (trial = 0; trial < 3000; trial++) {
		char text[41], stop[3][6], given[64];
		const char *texts[3] = { stop[0], stop[1], stop[2] }, *out;
		size_t n = random_next(&seed) % 40, at = 0, n_given = 0, n_out, which = 9,
		       first = n, i, k;
		stops_result result = STOPS_NONE;
		stops s;

		for (i = 0; i < n; i++)
			text[i] = random_next(&seed) % 4 ? 'a' : 'b';
		text[n] = 0;
		for (i = 0; i < 3; i++) {
			size_t length = random_next(&seed) % 6;

			for (k = 0; k < length; k++)
				stop[i][k] = random_next(&seed) % 3 ? 'a' : 'b';
			stop[i][length] = 0;
			if (length > 0 && strstr(text, stop[i]) &&
			    (size_t)(strstr(text, stop[i]) - text) < first)
				first = (size_t)(strstr(text, stop[i]) - text);
		}
		stops_open(&s, texts, 3);
		while (at < n && result == STOPS_NONE) {
			size_t step = random_next(&seed) % 5;

			step = step < n - at ? step : n - at;
			result = stops_add(&s, text + at, step, &out, &n_out, &which);
			if (n_out > 0)
				memcpy(given + n_given, out, n_out);
			n_given += n_out;
			at += step;
			/* Nothing of a stop text is given out. */
			wrong += n_given > first;
		}
		if (result == STOPS_NONE) {
			result = stops_flush(&s, &out, &n_out, &which);
			if (n_out > 0)
				memcpy(given + n_given, out, n_out);
			n_given += n_out;
		}
		found += result == STOPS_FOUND;
		/* Longer stop texts that begin earlier may end later: the text before is the
		 * same. */
		wrong += n_given != first || memcmp(given, text, n_given) ||
		         (result == STOPS_FOUND) != (first < n);
		stops_close(&s);
	}
	CHECK(counts, wrong == 0 && found > 500, "%u wrong, %u found", wrong, found);
}

static void test_logprobs_of_odd_logits(check_counts *counts)
{
	float logits[5] = { 1, NAN, 3, INFINITY, 1 };
	logprobs_entry top[4];
	double norm = logprobs_normalize(logits, 5);
	size_t n = logprobs_choose(logits, 5, norm, top, 3);

	CHECK(counts, fabs(norm - log(2 * exp(1) + exp(3))) < 1e-12, "norm %g", norm);
	CHECK(counts,
	      n == 3 && top[0].id == 2 && top[1].id == 0 && top[2].id == 4 &&
	              top[1].logprob == top[2].logprob,
	      "%zu chosen", n);
	CHECK(counts, logprobs_choose(logits, 2, norm, top, 4) == 2, "a small vocabulary");
	logits[0] = logits[2] = logits[4] = -INFINITY;
	CHECK(counts, logprobs_normalize(logits, 5) == 0, "no logit at all");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_sha256_is_the_standard_s(&counts));
	RUN(test_stop_texts_are_found_wherever_they_are_cut(&counts));
	RUN(test_logprobs_of_odd_logits(&counts));
	return check_report("serving_parts", &counts);
}
