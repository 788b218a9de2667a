/* test_http.c - the reader of requests takes what RFC 9112 has and one reading only, refuses the
 * rest with the right status, and does not depend on how the bytes are cut */
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/calendar.h"
#include "runtime/serve/guard.h"
#include "runtime/serve/http.h"
#include "runtime/serve/reply.h"
#include "test/check.h"
#include "test/guarded.h"
#include "test/random.h"

#define ROOM      8192u
#define MUTATIONS 30000u
#define LINE_MOST 200u
#define HEAD_MOST 1000u
#define BODY_MOST 100u

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const http_limits limits = { LINE_MOST, HEAD_MOST, 10, BODY_MOST };

/* The bytes under test end where the guard page begins. */
static guarded page;

static const char *place(const char *bytes, size_t n)
{
	char *at = (char *)page.data + ROOM - n;

	if (n > ROOM)
		abort();
	memcpy(at, bytes, n);
	return at;
}

/* Feeds pieces of at most `step` bytes; returns how many bytes were used. */
static size_t feed(http_request *r, const char *bytes, size_t n, size_t step)
{
	size_t used = 0;

	while (used < n && r->state != HTTP_WHOLE && r->state != HTTP_REFUSED) {
		size_t piece = n - used < step ? n - used : step;

		used += http_read(r, place(bytes + used, piece), piece);
	}
	return used;
}

/* The status of a request in one piece: 0 whole, -1 not whole yet. */
static int status_of(const char *bytes, size_t n)
{
	http_request r;
	int status;

	http_begin(&r, &limits);
	(void)feed(&r, bytes, n, n);
	status = r.state == HTTP_WHOLE ? 0 : r.state == HTTP_REFUSED ? r.status : -1;
	http_free(&r);
	return status;
}

typedef struct request_case {
	const char *bytes;
	int status; /* 0: accepted; -1: not whole */
	size_t n;   /* 0: as long as the text */
} request_case;

#define OK   "Host: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

/* Each with the section of RFC 9112 that decides, unless another is named. */
static const request_case cases[] = {
	/* 2.2 messages: lines end with CR LF, an empty line may come before */
	{ "GET / HTTP/1.1\r\n" OK, 0, 0 },
	{ "\r\nGET / HTTP/1.1\r\n" OK, 0, 0 },
	{ "\r\n\r\nGET / HTTP/1.1\r\n" OK, 400, 0 },
	{ "\nGET / HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\nHost: a\n\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, 0 },
	{ "GET / HTTP/1.1\rHost: a\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, 0 },
	{ "", -1, 0 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n", -1, 0 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r", -1, 0 },
	{ "\x16\x03\x01\x02", 400, 0 },
	{ "\0GET / HTTP/1.1\r\n" OK, 400, 28 },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0 },
	/* 2.3 versions */
	{ "GET / HTTP/1.0\r\n\r\n", 0, 0 },
	{ "GET / HTTP/1.2\r\n" OK, 0, 0 },
	{ "GET / HTTP/2.0\r\n" OK, 505, 0 },
	{ "GET / HTTP/0.9\r\n" OK, 505, 0 },
	{ "GET / HTTP/3.0\r\n" OK, 505, 0 },
	{ "GET / HTTP/1.10\r\n" OK, 400, 0 },
	{ "GET / HTTP/11.1\r\n" OK, 400, 0 },
	{ "GET / HTTP/1\r\n" OK, 400, 0 },
	{ "GET / HTTP/1,1\r\n" OK, 400, 0 },
	{ "GET / http/1.1\r\n" OK, 400, 0 },
	{ "GET / HTTPS/1.1\r\n" OK, 400, 0 },
	{ "GET /\r\n" OK, 400, 0 },
	{ "GET\r\n" OK, 400, 0 },
	/* 3 the request line: single spaces */
	{ "GET  / HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /  HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1 \r\n" OK, 400, 0 },
	{ " GET / HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET\t/\tHTTP/1.1\r\n" OK, 400, 0 },
	{ "GET / x HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /\x0b HTTP/1.1\r\n" OK, 400, 0 },
	/* 3.1 methods; RFC 9110, 9.1: others are not implemented */
	{ "HEAD / HTTP/1.1\r\n" OK, 0, 0 },
	{ "DELETE / HTTP/1.1\r\n" OK, 0, 0 },
	{ "OPTIONS / HTTP/1.1\r\n" OK, 0, 0 },
	{ "TRACE / HTTP/1.1\r\n" OK, 501, 0 },
	{ "CONNECT a:80 HTTP/1.1\r\n" OK, 501, 0 },
	{ "BREW / HTTP/1.1\r\n" OK, 501, 0 },
	{ "GETT / HTTP/1.1\r\n" OK, 501, 0 },
	{ "get / HTTP/1.1\r\n" OK, 400, 0 },
	{ "G\"T / HTTP/1.1\r\n" OK, 400, 0 },
	{ "G:T / HTTP/1.1\r\n" OK, 400, 0 },
	/* 3.2 targets */
	{ "GET /a/b?c=d&e=%20 HTTP/1.1\r\n" OK, 0, 0 },
	{ "GET http://a/b HTTP/1.1\r\n" OK, 0, 0 },
	{ "GET HTTP://a HTTP/1.1\r\n" OK, 0, 0 },
	{ "GET https://a:1?q HTTP/1.1\r\n" OK, 0, 0 },
	{ "GET http:///b HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET http://u@a/b HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET ftp://a/b HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET a HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET a:80 HTTP/1.1\r\n" OK, 400, 0 },
	{ "OPTIONS * HTTP/1.1\r\n" OK, 0, 0 },
	{ "GET * HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /a#b HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /a\\b HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /\xc3\xa9 HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /%C3%A9 HTTP/1.1\r\n" OK, 0, 0 },
	{ "GET /a\x7f HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /% HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /%4 HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /%4g HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /%00 HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /a%00b HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /.. HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /../a HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /a/../b HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /%2e%2E/b HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /a/%2e%2e HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /a/. HTTP/1.1\r\n" OK, 400, 0 },
	{ "GET /a../b..c/.d HTTP/1.1\r\n" OK, 0, 0 },
	/* 3.2.2 and RFC 9110, 7.2: Host */
	{ "GET / HTTP/1.1\r\n\r\n", 400, 0 },
	{ "GET http://a/ HTTP/1.1\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, 0 },
	{ "GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 0, 0 },
	/* 5.1 fields: a token and a colon right behind it */
	{ "GET / HTTP/1.1\r\nX:\r\n" OK, 0, 0 },
	{ "GET / HTTP/1.1\r\nX:  a  \r\n" OK, 0, 0 },
	{ "GET / HTTP/1.1\r\nX : a\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, 0 },
	{ "GET / HTTP/1.1\r\nX\t: a\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\n: a\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nX\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nX(: a\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nX\xc3\xa9: a\r\n" OK, 400, 0 },
	/* 5.2 folded lines; RFC 9110, 5.5: no controls in values */
	{ "GET / HTTP/1.1\r\nX: a\r\n b\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nX: a\r\n\tb\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nX: a\x01\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nX: a\x7f\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nX: a\0b\r\nHost: a\r\n\r\n", 400, 35 },
	{ "GET / HTTP/1.1\r\nX: a\tb \xe9\r\n" OK, 0, 0 },
	/* 6.1 and 6.2 lengths and codings */
	{ POST "Content-Length: 3\r\n\r\nabc", 0, 0 },
	{ POST "Content-Length: 3\r\n\r\nab", -1, 0 },
	{ POST "Content-Length: 0\r\n\r\n", 0, 0 },
	{ POST "Content-Length: 003\r\n\r\nabc", 0, 0 },
	{ POST "\r\n", 411, 0 },
	{ "PUT / HTTP/1.1\r\n" OK, 411, 0 },
	{ POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, 0 },
	{ POST "Content-Length: 3, 3\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length: +3\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length: -3\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length: 3 \r\n\r\nabc", 0, 0 },
	{ POST "Content-Length:\t3\r\n\r\nabc", 400, 0 },
	{ POST "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", 501, 0 },
	{ POST "Content-Length: 3 3\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length: 0x3\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length: 3.0\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length:\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length: abc\r\n\r\nabc", 400, 0 },
	{ POST "Content-Length: 100\r\n\r\n", -1, 0 },
	{ POST "Content-Length: 101\r\n\r\n", 413, 0 },
	{ POST "Content-Length: 18446744073709551617\r\n\r\na", 413, 0 },
	{ POST "Content-Length: 99999999999999999999999999999999\r\n\r\na", 413, 0 },
	{ POST "Content-Length: 99999999999999999999x\r\n\r\na", 400, 0 },
	{ POST "Content_Length: 3\r\n\r\nabc", 411, 0 },
	{ "GET / HTTP/1.1\r\nContent-Length: 3\r\n" OK "abc", 0, 0 },
	{ POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, 0 },
	{ POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0 },
	{ POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 0 },
	{ POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 0, 0 },
	{ POST "Transfer-Encoding: gzip\r\n\r\n", 501, 0 },
	{ POST "Transfer-Encoding: identity\r\n\r\n", 501, 0 },
	{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, 0 },
	{ POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501, 0 },
	{ POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501, 0 },
	{ POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, 0 },
	{ POST "Transfer-Encoding: \x0b"
	       "chunked\r\n\r\n0\r\n\r\n",
	  400, 0 },
	{ POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, 0 },
	{ POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n", 501, 0 },
	{ POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
	  0 },
	{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0 },
	{ "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\na", 0, 0 },
	/* RFC 9110, 10.1.1: expectations */
	{ POST "Content-Length: 1\r\nExpect: 100-continue\r\n\r\na", 0, 0 },
	{ POST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\na", 0, 0 },
	{ POST "Content-Length: 1\r\nExpect: tea\r\n\r\na", 417, 0 },
	{ POST "Content-Length: 101\r\nExpect: 100-continue\r\n\r\n", 413, 0 },
	/* fields that may be there once */
	{ "GET / HTTP/1.1\r\nOrigin: a\r\nOrigin: b\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nAuthorization: a\r\nauthorization: b\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nX-Api-Key: a\r\nX-API-KEY: b\r\n" OK, 400, 0 },
	{ "GET / HTTP/1.1\r\nAccept: a\r\nAccept: b\r\n" OK, 0, 0 },
};

static void test_requests_are_taken_or_refused_as_the_standard_says(check_counts *counts)
{
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		size_t n = cases[i].n ? cases[i].n : strlen(cases[i].bytes);
		int status = status_of(cases[i].bytes, n);

		CHECK(counts, status == cases[i].status, "expected %d, found %d: %s",
		      cases[i].status, status, cases[i].bytes);
	}
}

#define CHUNKS POST "Transfer-Encoding: chunked\r\n\r\n"

/* RFC 9112, 7.1 */
static void test_chunks_are_joined_and_bad_ones_refused(check_counts *counts)
{
	static const struct {
		const char *chunks;
		int status;
		const char *body;
	} all[] = {
		{ "3\r\nabc\r\n0\r\n\r\n", 0, "abc" },
		{ "3\r\nabc\r\n00002\r\nde\r\n000\r\n\r\n", 0, "abcde" },
		{ "A\r\n0123456789\r\n0\r\n\r\n", 0, "0123456789" },
		{ "a\r\n0123456789\r\n0\r\n\r\n", 0, "0123456789" },
		{ "3;a\r\nabc\r\n0;b=c\r\n\r\n", 0, "abc" },
		{ "3 ; a=\"b\"\r\nabc\r\n0\r\n\r\n", 0, "abc" },
		{ "3 \r\nabc\r\n0\r\n\r\n", 0, "abc" },
		{ "3\r\nabc\r\n0\r\nX: y\r\nZ:\r\n\r\n", 0, "abc" },
		{ "0\r\n\r\n", 0, "" },
		{ "0\r\n", -1, NULL },
		{ "3\r\nab", -1, NULL },
		{ "3\r\nabcd\r\n0\r\n\r\n", 400, NULL },
		{ "3\r\nabc0\r\n\r\n", 400, NULL },
		{ "3\r\nabc\n0\r\n\r\n", 400, NULL },
		{ "3\r\nabc\r0\r\n\r\n", 400, NULL },
		{ "3\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "3\r\nabc\r\n0\n\n", 400, NULL },
		{ "3\r\nabc\r\n0\r\n\n", 400, NULL },
		{ "3\rabc\r\n0\r\n\r\n", 400, NULL },
		{ "\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ " 3\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ ";3\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "-3\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "+3\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "0x3\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "g\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "3 a\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "3;a\nb\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "3;a\x01\r\nabc\r\n0\r\n\r\n", 400, NULL },
		{ "64\r\n", -1, NULL },
		{ "65\r\n", 413, NULL },
		{ "ffffffffffffffff\r\n", 413, NULL },
		{ "10000000000000003\r\nabc\r\n", 413, NULL },
		{ "00000000000000003\r\nabc\r\n", 400, NULL },
		{ "60\r\n012345678901234567890123456789012345678901234567890123456789"
		  "012345678901234567890123456789012345\r\n5\r\n",
		  413, NULL },
		{ "0\r\nX : y\r\n\r\n", 400, NULL },
		{ "0\r\nX\r\n\r\n", 400, NULL },
		{ "0\r\n X: y\r\n\r\n", 400, NULL },
		{ "0\r\nX: y\r\n z\r\n\r\n", 400, NULL },
		{ "0\r\nX: y\n\r\n", 400, NULL },
		{ "0\r\nX: \x01\r\n\r\n", 400, NULL },
	};
	char bytes[1024];
	size_t i, step;

	for (i = 0; i < LENGTH(all); i++)
		for (step = 1; step < 1000; step += 333) {
			http_request r;
			size_t n;
			int status;

			(void)snprintf(bytes, sizeof bytes, CHUNKS "%sGET", all[i].chunks);
			n = strlen(bytes) - (all[i].status ? 3 : 0);
			http_begin(&r, &limits);
			n -= feed(&r, bytes, n, step);
			status = r.state == HTTP_WHOLE     ? 0
			         : r.state == HTTP_REFUSED ? r.status
			                                   : -1;
			CHECK(counts, status == all[i].status, "expected %d, found %d: %s",
			      all[i].status, status, all[i].chunks);
			if (status == 0) {
				CHECK(counts, n == 3, "%zu bytes left: %s", n, all[i].chunks);
				CHECK(counts,
				      r.body_bytes == strlen(all[i].body) &&
				              (r.body_bytes == 0 ||
				               strcmp(r.body, all[i].body) == 0),
				      "expected %s", all[i].body);
			}
			http_free(&r);
		}
}

static void test_what_is_longer_than_a_limit_is_refused(check_counts *counts)
{
	static const struct {
		const char *before;
		char fill;
		size_t n;
		const char *after;
		int status;
	} all[] = {
		{ "GET /", 'a', LINE_MOST - 15, " HTTP/1.1\r\n" OK, 0 },
		{ "GET /", 'a', LINE_MOST - 14, " HTTP/1.1\r\n" OK, 414 },
		{ "GET /", 'a', 5000, "", 414 },
		{ "", 'A', 5000, "", 414 },
		{ "GET / HTTP/1.1\r\nX: ", 'a', 5000, "", 431 },
		{ "GET / HTTP/1.1\r\nX: ", 'a', HEAD_MOST - 32, "\r\n" OK, 0 },
		{ "GET / HTTP/1.1\r\nX: ", 'a', HEAD_MOST - 31, "\r\n" OK, 431 },
		{ "GET / HTTP/1.1\r\nX: ", ':', 5000, "\r\n" OK, 431 },
	};
	char bytes[6000];
	size_t i, length;

	for (i = 0; i < LENGTH(all); i++) {
		length = strlen(all[i].before);
		memcpy(bytes, all[i].before, length);
		memset(bytes + length, all[i].fill, all[i].n);
		strcpy(bytes + length + all[i].n, all[i].after);
		CHECK(counts, status_of(bytes, strlen(bytes)) == all[i].status,
		      "expected %d, found %d: %.40s... %zu", all[i].status,
		      status_of(bytes, strlen(bytes)), all[i].before, all[i].n);
	}
	strcpy(bytes, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (i = 1; i < limits.fields; i++)
		strcat(bytes, "X: a\r\n");
	length = strlen(bytes);
	strcat(bytes, "\r\n");
	CHECK(counts, status_of(bytes, strlen(bytes)) == 0, "%zu fields", limits.fields);
	strcpy(bytes + length, "X: a\r\n\r\n");
	CHECK(counts, status_of(bytes, strlen(bytes)) == 431, "%zu fields", limits.fields + 1);
}

/* Extensions and trailers do not count as the body, and are limited on their own. */
static void test_endless_extensions_and_trailers_are_refused(check_counts *counts)
{
	static const char *const begins[] = { CHUNKS "1;", CHUNKS "0\r\nX: " };
	char filler[100];
	size_t i, k;

	memset(filler, 'a', sizeof filler);
	for (i = 0; i < LENGTH(begins); i++) {
		http_request r;

		http_begin(&r, &limits);
		(void)feed(&r, begins[i], strlen(begins[i]), 1000);
		for (k = 0; k < 1000 && r.state == HTTP_BODY; k++)
			(void)feed(&r, filler, sizeof filler, sizeof filler);
		CHECK(counts, r.state == HTTP_REFUSED && r.status == 431 && k < 100,
		      "status %d after %zu", r.status, k);
		http_free(&r);
	}
}

static void test_the_parts_of_a_request_are_found(check_counts *counts)
{
	static const char bytes[] = "\r\nPOST http://b:7/a%20b/%2Fc?d=%20 HTTP/1.1\r\nHost: a\r\n"
	                            "X-One:  1\t2  \r\nx-two:\r\nContent-Length: 2\r\n"
	                            "Connection: x, Close\r\n\r\n{}GET";
	size_t step;

	for (step = 1; step < sizeof bytes; step++) {
		http_request r;
		size_t used;

		http_begin(&r, &limits);
		used = feed(&r, bytes, sizeof bytes - 1, step);
		CHECK(counts, r.state == HTTP_WHOLE && used == sizeof bytes - 4, "step %zu", step);
		CHECK(counts, r.method && !strcmp(r.method, "POST"), "method");
		CHECK(counts, r.path && !strcmp(r.path, "/a b//c"), "path");
		CHECK(counts, r.query && !strcmp(r.query, "d=%20"), "query");
		CHECK(counts, r.host && !strcmp(r.host, "b:7"), "host");
		CHECK(counts, r.n_fields == 5 && r.minor == 1 && !r.keeps, "fields");
		CHECK(counts, !strcmp(http_find_field(&r, "x-oNe"), "1\t2"), "a field");
		CHECK(counts, !strcmp(http_find_field(&r, "X-Two"), ""), "an empty field");
		CHECK(counts, !http_find_field(&r, "X-Tw"), "no field");
		CHECK(counts, r.body_bytes == 2 && !strcmp(r.body, "{}"), "body");
		http_free(&r);
	}
}

static void test_requests_follow_each_other(check_counts *counts)
{
	static const char bytes[] = POST "Content-Length: 3\r\n\r\nabc" CHUNKS "1\r\nd\r\n0\r\n\r\n"
	                                 "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /3 HTTP/1.0\r\n"
	                                 "Connection: keep-alive\r\n\r\nGET /4 HTTP/1.0\r\n\r\n";
	static const char *const paths[] = { "/", "/", "/2", "/3", "/4" };
	static const char *const bodies[] = { "abc", "d", "", "", "" };
	http_request r;
	size_t used = 0, i;

	http_begin(&r, &limits);
	for (i = 0; i < LENGTH(paths); i++) {
		used += feed(&r, bytes + used, sizeof bytes - 1 - used, 7);
		CHECK(counts, r.state == HTTP_WHOLE && !strcmp(r.path, paths[i]), "request %zu", i);
		CHECK(counts, r.body_bytes == strlen(bodies[i]), "body %zu", i);
		CHECK(counts, !r.body || !strcmp(r.body, bodies[i]), "body %zu", i);
		CHECK(counts, r.keeps == (i < 4), "keeping after %zu", i);
		http_next(&r);
	}
	CHECK(counts, used == sizeof bytes - 1 && r.state == HTTP_IDLE, "the end");
	http_free(&r);
}

static void test_a_client_that_waits_is_seen_before_the_body(check_counts *counts)
{
	static const char head[] = POST "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n";
	http_request r;

	http_begin(&r, &limits);
	(void)feed(&r, head, sizeof head - 1, 1000);
	CHECK(counts, r.state == HTTP_BODY && r.expects, "expectation");
	(void)feed(&r, "a", 1, 1);
	CHECK(counts, r.state == HTTP_WHOLE, "body");
	http_free(&r);
}

/* Everything that a caller sees, as one number. */
static uint64_t outcome(http_request *r, size_t used)
{
	uint64_t sum = (uint64_t)r->state * 1000 + (uint64_t)r->status + used * 31;
	size_t i;

	if (r->state == HTTP_WHOLE) {
		for (i = 0; i < r->body_bytes; i++)
			sum = sum * 31 + (unsigned char)r->body[i];
		for (i = 0; i < r->n_fields; i++)
			sum = sum * 31 + strlen(r->fields[i].value) * 7 + strlen(r->fields[i].name);
		sum = sum * 31 + strlen(r->path) + 7 * strlen(r->query) + r->keeps;
	}
	return sum;
}

static void test_cuts_change_nothing_whatever_the_bytes(check_counts *counts)
{
	static const char signs[] = "\r\n\r\n :;,/%0123aAxX\t\0\x7f\xff";
	uint64_t random = 17;
	unsigned i, k, wrong = 0;

	for (i = 0; i < MUTATIONS; i++) {
		const request_case *c = &cases[random_next(&random) % LENGTH(cases)];
		size_t n = c->n ? c->n : strlen(c->bytes), step;
		char bytes[400];
		http_request whole, cut;

		memcpy(bytes, c->bytes, n);
		for (k = 0; n > 0 && k < i % 4; k++)
			bytes[random_next(&random) % n] =
			        signs[random_next(&random) % sizeof signs];
		step = 1 + random_next(&random) % 9;
		http_begin(&whole, &limits);
		http_begin(&cut, &limits);
		if (outcome(&whole, feed(&whole, bytes, n, n + 1)) !=
		    outcome(&cut, feed(&cut, bytes, n, step)))
			wrong++;
		http_free(&whole);
		http_free(&cut);
	}
	CHECK(counts, wrong == 0, "%u of %u differ", wrong, MUTATIONS);
}

/* ---- who may ask ---------------------------------------------------------------------------- */

static void test_only_names_of_this_machine_are_hosts(check_counts *counts)
{
	static const char *const hosts[] = { "brise.example" };
	static const guard g = { .hosts = hosts, .n_hosts = 1 };
	static const char *const known[] = { "localhost",       "LocalHost:8080", "127.0.0.1",
		                             "127.0.0.1:1",     "127.1.2.3",      "[::1]",
		                             "[::1]:80",        "a.localhost",    "brise.example",
		                             "Brise.Example:80" };
	static const char *const foreign[] = { "",
		                               "example.org",
		                               "localhost.example.org",
		                               "127.0.0.1.example.org",
		                               "127.0.0.1x",
		                               "127.0.0.0.1",
		                               "127.0.00001",
		                               "xlocalhost",
		                               "[::2]",
		                               "[::1",
		                               "0.0.0.0",
		                               "10.0.0.1",
		                               "brise.example.org",
		                               ".localhost",
		                               "x.brise.example" };
	size_t i;

	for (i = 0; i < LENGTH(known); i++)
		CHECK(counts, guard_knows_host(&g, known[i]), "%s", known[i]);
	for (i = 0; i < LENGTH(foreign); i++)
		CHECK(counts, !guard_knows_host(&g, foreign[i]), "%s", foreign[i]);
}

static void test_keys_are_found_by_all_their_bytes(check_counts *counts)
{
	static const char *const keys[] = { "first-key", "second" };
	static const guard g = { .keys = keys, .n_keys = 2 };
	static const struct {
		const char *authorization, *key;
		size_t found;
	} all[] = {
		{ "Bearer first-key", NULL, 1 },
		{ "bearer  second", NULL, 2 },
		{ NULL, "second", 2 },
		{ "Bearer x", "first-key", 1 },
		{ NULL, NULL, 0 },
		{ "Bearer", NULL, 0 },
		{ "Bearer ", NULL, 0 },
		{ "Basic first-key", NULL, 0 },
		{ "first-key", NULL, 0 },
		{ NULL, "", 0 },
		{ NULL, "secon", 0 },
		{ NULL, "second2", 0 },
		{ NULL, "secondsecond", 0 },
		{ NULL, "sECOND", 0 },
		{ NULL, "first-ke\xf9", 0 },
	};
	size_t i;

	for (i = 0; i < LENGTH(all); i++)
		CHECK(counts, guard_find_key(&g, all[i].authorization, all[i].key) == all[i].found,
		      "%s %s", all[i].authorization ? all[i].authorization : "-",
		      all[i].key ? all[i].key : "-");
}

static void test_origins_are_compared_whole(check_counts *counts)
{
	static const char *const origins[] = { "https://a.example" };
	static const char *const any[] = { "*" };
	static const guard g = { .origins = origins, .n_origins = 1 },
	                   all = { .origins = any, .n_origins = 1 };

	CHECK(counts, guard_allows_origin(&g, "https://a.example"), "the same");
	CHECK(counts, !guard_allows_origin(&g, "http://a.example"), "another scheme");
	CHECK(counts, !guard_allows_origin(&g, "https://a.example.org"), "a longer name");
	CHECK(counts, !guard_allows_origin(&g, "null"), "null");
	CHECK(counts, guard_allows_origin(&all, "null"), "any");
	CHECK(counts, guard_is_own_origin("http://localhost:8080", "LOCALHOST:8080"), "own");
	CHECK(counts, !guard_is_own_origin("http://localhost:8081", "localhost:8080"), "port");
	CHECK(counts, !guard_is_own_origin("file://localhost", "localhost"), "scheme");
	CHECK(counts, !guard_is_own_origin("http://", NULL), "no host");
}

/* ---- replies -------------------------------------------------------------------------------- */

static void test_dates_are_those_of_the_calendar(check_counts *counts)
{
	static const struct {
		int64_t seconds;
		const char *date, *iso;
	} all[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z" },
		{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00Z" },
		{ 1735689599, "Tue, 31 Dec 2024 23:59:59 GMT", "2024-12-31T23:59:59Z" },
		{ 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00Z" },
	};
	char date[REPLY_DATE], iso[CALENDAR_TEXT];
	size_t i;

	for (i = 0; i < LENGTH(all); i++) {
		reply_write_date(date, all[i].seconds);
		calendar_write(iso, all[i].seconds);
		CHECK(counts, !strcmp(date, all[i].date), "%s", date);
		CHECK(counts, !strcmp(iso, all[i].iso), "%s", iso);
	}
}

static void test_output_is_taken_in_order_whatever_the_pieces(check_counts *counts)
{
	uint64_t random = 5;
	output o = { .bytes = NULL };
	size_t added = 0, taken = 0, i, n;
	bool right = true;
	char piece[300];

	for (i = 0; i < 5000; i++) {
		n = random_next(&random) % sizeof piece;
		while (n-- > 0) {
			piece[0] = (char)(added++ % 251);
			output_add(&o, piece, 1);
		}
		for (n = random_next(&random) % (output_size(&o) + 1); n-- > 0; output_take(&o, 1))
			right = right && o.bytes[o.start] == (char)(taken++ % 251);
	}
	CHECK(counts, right && added - taken == output_size(&o), "order");
	output_free(&o);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	page = guarded_new(ROOM, 1);
	RUN(test_requests_are_taken_or_refused_as_the_standard_says(&counts));
	RUN(test_chunks_are_joined_and_bad_ones_refused(&counts));
	RUN(test_what_is_longer_than_a_limit_is_refused(&counts));
	RUN(test_endless_extensions_and_trailers_are_refused(&counts));
	RUN(test_the_parts_of_a_request_are_found(&counts));
	RUN(test_requests_follow_each_other(&counts));
	RUN(test_a_client_that_waits_is_seen_before_the_body(&counts));
	RUN(test_cuts_change_nothing_whatever_the_bytes(&counts));
	RUN(test_only_names_of_this_machine_are_hosts(&counts));
	RUN(test_keys_are_found_by_all_their_bytes(&counts));
	RUN(test_origins_are_compared_whole(&counts));
	RUN(test_dates_are_those_of_the_calendar(&counts));
	RUN(test_output_is_taken_in_order_whatever_the_pieces(&counts));
	guarded_free(&page);
	return check_report("http", &counts);
}
