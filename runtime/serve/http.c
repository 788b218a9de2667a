/* http.c - a strict, bounded reader of HTTP/1.1 requests: RFC 9112 section by section */
#include "runtime/serve/http.h"

#include <string.h>

#include "runtime/os/memory.h"

/* Of one chunk's size: more digits than any size that fits a limit. */
#define CHUNK_DIGITS 16u

/* Extensions of chunks and trailers say nothing here and are dropped; so many bytes of them are
 * read in all. */
#define FRAMING_MOST 8192u

#define HEAD_FIRST_ROOM 1024u
#define BODY_FIRST_ROOM 4096u

/* Memory of a body that is kept for the next request. */
#define BODY_KEPT_ROOM 65536u

/* Where in the body the reader is. */
enum {
	BODY_BYTES, /* of a known length */
	CHUNK_SIZE,
	CHUNK_SPACE, /* behind the size: spaces, then an extension or the end of the line */
	CHUNK_EXTENSION,
	CHUNK_LF, /* behind the CR of the line with the size */
	CHUNK_BYTES,
	CHUNK_END, /* CR behind the bytes */
	CHUNK_END_LF,
	TRAILER_START,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	TRAILER_END_LF
};

bool http_refuse(http_request *r, int status, const char *reason)
{
	r->state = HTTP_REFUSED;
	r->status = status;
	r->reason = reason;
	return false;
}

/* ---- characters and words (RFC 9110, section 5.6) ------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_token_character(char c)
{
	return is_letter(c) || is_digit(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Of a field's value: all but controls; a tab is none here, and bytes beyond ASCII are text. */
static bool is_value_character(char c)
{
	return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool http_is_token(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!is_token_character(text[i]))
			return false;
	return n > 0;
}

bool http_is_same(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b))
		a++, b++;
	return lower(*a) == lower(*b);
}

bool http_has_word(const char *list, const char *word)
{
	size_t length = strlen(word), n, i;

	for (;; list += *list == ',') {
		list += strspn(list, " \t,");
		if (*list == 0)
			return false;
		n = strcspn(list, ",");
		for (i = 0; i < length && i < n && lower(list[i]) == lower(word[i]);)
			i++;
		if (i == length && i + strspn(list + i, " \t") >= n)
			return true;
		list += n;
	}
}

const char *http_find_field(const http_request *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n_fields; i++)
		if (http_is_same(r->fields[i].name, name))
			return r->fields[i].value;
	return NULL;
}

/* ---- the request line (RFC 9112, section 3) ------------------------------------------------- */

/* Visible ASCII but what begins a fragment, and the backslash, which some programs take for a
 * slash. Quotes and braces are not in the grammar of RFC 3986 either, but clients send them. */
static bool is_target_character(char c)
{
	return (unsigned char)c > 0x20 && (unsigned char)c < 0x7f && c != '#' && c != '\\';
}

static bool has_dot_segments(const char *path)
{
	const char *slash = path;

	for (; slash; slash = strchr(slash + 1, '/'))
		if (slash[1] == '.' && (slash[2] == '/' || slash[2] == 0 ||
		                        (slash[2] == '.' && (slash[3] == '/' || slash[3] == 0))))
			return true;
	return false;
}

/* Decodes a path in its place. */
static bool decode_path(http_request *r, char *path)
{
	char *to = path;
	const char *from;

	for (from = path; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		if ((high = hex_value(from[1])) < 0 || (low = hex_value(from[2])) < 0)
			return http_refuse(r, 400, "two hexadecimal digits after % in the path");
		if (high == 0 && low == 0)
			return http_refuse(r, 400, "a path without %00");
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = 0;
	if (has_dot_segments(path))
		return http_refuse(r, 400, "a path without . and .. as segments");
	r->path = path;
	return true;
}

/* uri-host [ ":" port ] (RFC 3986, 3.2.2), not empty, without user information. */
static bool is_authority(const char *text)
{
	const char *at = text;

	if (*at == '[') {
		for (at++; hex_value(*at) >= 0 || *at == ':' || *at == '.';)
			at++;
		if (at == text + 1 || *at++ != ']')
			return false;
	} else {
		while (is_letter(*at) || is_digit(*at) ||
		       (*at && strchr("-._~!$&'()*+,;=%", *at) != NULL))
			at++;
	}
	if (at == text)
		return false;
	if (*at == ':')
		for (at++; is_digit(*at);)
			at++;
	return *at == 0;
}

/* origin-form, absolute-form, or asterisk-form. authority-form is of CONNECT alone, which is not
 * known here. */
static bool parse_target(http_request *r, char *target)
{
	char *path = target, *question, *scheme_end;
	size_t i;

	for (i = 0; target[i]; i++)
		if (!is_target_character(target[i]))
			return http_refuse(r, 400, "a target of visible ASCII characters");
	if (strcmp(target, "*") == 0 && strcmp(r->method, "OPTIONS") == 0) {
		r->path = target;
		return true;
	}
	if (target[0] != '/') {
		scheme_end = strstr(target, "://");
		if (!scheme_end)
			return http_refuse(r, 400, "a target that begins with /");
		*scheme_end = 0;
		if (!http_is_same(target, "http") && !http_is_same(target, "https"))
			return http_refuse(r, 400, "a target of http or https");
		/* The authority moves one to the left, to have room for its NUL. */
		path = scheme_end + 3 + strcspn(scheme_end + 3, "/?");
		memmove(scheme_end + 2, scheme_end + 3, (size_t)(path - scheme_end - 3));
		path[-1] = 0;
		r->host = scheme_end + 2;
		if (!is_authority(r->host))
			return http_refuse(r, 400, "a host in the target");
	}
	question = strchr(path, '?');
	if (question) {
		*question = 0;
		r->query = question + 1;
	}
	if (*path == 0) { /* "http://host" and "http://host?query": the path is "/" */
		r->path = "/";
		return true;
	}
	return decode_path(r, path);
}

static bool parse_version(http_request *r, const char *version)
{
	if (strncmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) || version[6] != '.' ||
	    !is_digit(version[7]) || version[8] != 0)
		return http_refuse(r, 400, "HTTP/1.1 at the end of the request line");
	if (version[5] != '1')
		return http_refuse(r, 505, "HTTP/1.1 or HTTP/1.0");
	r->minor = (unsigned)(version[7] - '0');
	return true;
}

static bool parse_method(http_request *r, const char *method)
{
	static const char *const known[] = { "GET",   "HEAD",   "POST",   "PUT",
		                             "PATCH", "DELETE", "OPTIONS" };
	size_t i;

	for (i = 0; method[i]; i++)
		if (!(method[i] >= 'A' && method[i] <= 'Z') && method[i] != '-' && method[i] != '_')
			return http_refuse(r, 400, "a method in capital letters");
	if (i == 0)
		return http_refuse(r, 400, "a request that begins with a method");
	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i], method) == 0) {
			r->method = known[i];
			return true;
		}
	return http_refuse(r, 501, "one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

static bool parse_request_line(http_request *r, char *line)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;

	if (!target || !version || strchr(version + 1, ' '))
		return http_refuse(r, 400, "a method, a target and a version, a space between");
	*target++ = 0;
	*version++ = 0;
	return parse_version(r, version) && parse_method(r, line) && parse_target(r, target);
}

/* ---- fields (RFC 9112, section 5) ----------------------------------------------------------- */

static bool parse_field(http_request *r, char *line)
{
	char *colon = strchr(line, ':'), *value, *end;

	if (line[0] == ' ' || line[0] == '\t')
		return http_refuse(r, 400, "fields of one line each");
	if (!colon || !http_is_token(line, (size_t)(colon - line)))
		return http_refuse(r, 400, "a field's name, and a colon right behind it");
	if (r->n_fields == r->limits.fields)
		return http_refuse(r, 431, "fewer fields");
	*colon = 0;
	/* Tabs may stand around a value, too, but nginx and others do not drop them. They stay
	 * here, so that where a value matters they are refused. */
	value = colon + 1 + strspn(colon + 1, " ");
	for (end = value + strlen(value); end > value && end[-1] == ' ';)
		end--;
	*end = 0;
	r->fields[r->n_fields].name = line;
	r->fields[r->n_fields++].value = value;
	return true;
}

/* Fields that may be there once; nginx refuses most of them, too, where they are repeated. */
static bool check_repeated(http_request *r)
{
	static const char *const singles[] = { "host",          "content-length",
		                               "content-type",  "transfer-encoding",
		                               "authorization", "origin",
		                               "expect",        "x-api-key",
		                               "user-agent",    "referer",
		                               "upgrade",       "range",
		                               "if-range",      "if-modified-since",
		                               "if-match",      "if-unmodified-since",
		                               "if-none-match", "content-range",
		                               "date",          "from" };
	bool seen[sizeof singles / sizeof *singles] = { false };
	size_t i, k;

	for (i = 0; i < r->n_fields; i++)
		for (k = 0; k < sizeof singles / sizeof *singles; k++)
			if (http_is_same(r->fields[i].name, singles[k])) {
				if (seen[k])
					return http_refuse(r, 400, "fields once each");
				seen[k] = true;
			}
	return true;
}

static bool check_host(http_request *r)
{
	const char *host = http_find_field(r, "Host");

	if (!host)
		return r->minor == 0 || http_refuse(r, 400, "a Host field");
	if (!is_authority(host))
		return http_refuse(r, 400, "a host and a port in Host");
	if (!r->host)
		r->host = host;
	return true;
}

/* ---- where the body ends (RFC 9112, section 6) ---------------------------------------------- */

static bool parse_length(http_request *r, const char *text)
{
	uint64_t length = 0;

	if (*text == 0)
		return http_refuse(r, 400, "digits in Content-Length");
	for (; *text; text++) {
		if (!is_digit(*text))
			return http_refuse(r, 400, "digits in Content-Length");
		/* Stops far below the end of the type; digits behind are still checked. */
		if (length <= r->limits.body)
			length = length * 10 + (uint64_t)(*text - '0');
	}
	if (length > r->limits.body)
		return http_refuse(r, 413, "a smaller body");
	r->left = length;
	return true;
}

static bool parse_framing(http_request *r)
{
	const char *coding = http_find_field(r, "Transfer-Encoding"),
	           *length = http_find_field(r, "Content-Length");

	r->left = 0;
	r->step = BODY_BYTES;
	if (coding && length)
		return http_refuse(r, 400, "Content-Length or Transfer-Encoding, not both");
	if (coding && r->minor == 0)
		return http_refuse(r, 400, "Content-Length in HTTP/1.0");
	if (coding && !http_is_same(coding, "chunked"))
		return http_refuse(r, 501, "chunked as the only transfer coding");
	if (length)
		return parse_length(r, length);
	if (coding) {
		r->is_chunked = true;
		r->step = CHUNK_SIZE;
		r->digits = 0;
		return true;
	}
	if (r->method[0] == 'P') /* POST, PUT, PATCH */
		return http_refuse(r, 411, "Content-Length or chunks");
	return true;
}

static bool parse_expectation(http_request *r)
{
	const char *expected = http_find_field(r, "Expect");

	if (!expected || r->minor == 0) /* RFC 9110, 10.1.1: to be ignored there */
		return true;
	if (!http_is_same(expected, "100-continue"))
		return http_refuse(r, 417, "100-continue in Expect");
	r->expects = r->is_chunked || r->left > 0;
	return true;
}

static void parse_connection(http_request *r)
{
	size_t i;

	r->keeps = r->minor >= 1;
	for (i = 0; i < r->n_fields; i++)
		if (http_is_same(r->fields[i].name, "Connection")) {
			if (http_has_word(r->fields[i].value, "close")) {
				r->keeps = false;
				return;
			}
			if (http_has_word(r->fields[i].value, "keep-alive"))
				r->keeps = true;
		}
}

/* ---- the head ------------------------------------------------------------------------------- */

/* The head's lines end with CR LF, and the head with an empty one: the bytes were checked as they
 * came. */
static bool parse_head(http_request *r)
{
	char *line = r->head, *end;

	if (!r->fields && !(r->fields = memory_new(r->limits.fields, sizeof *r->fields)))
		return http_refuse(r, 503, "memory for the request");
	r->n_fields = 0;
	r->query = "";
	r->host = NULL;
	r->is_chunked = r->expects = false;
	for (; *line != '\r'; line = end + 2) {
		end = strchr(line, '\r');
		*end = 0;
		if (!(line == r->head ? parse_request_line(r, line) : parse_field(r, line)))
			return false;
	}
	if (!check_repeated(r) || !check_host(r) || !parse_framing(r) || !parse_expectation(r))
		return false;
	parse_connection(r);
	r->state = r->is_chunked || r->left > 0 ? HTTP_BODY : HTTP_WHOLE;
	return true;
}

/* Room for one more byte and a NUL. */
static bool grow_head(http_request *r)
{
	size_t room = r->head_room ? 2 * r->head_room : HEAD_FIRST_ROOM;
	char *head;

	if (r->head_bytes + 2 <= r->head_room)
		return true;
	if (!(head = memory_resize(r->head, room, 1)))
		return http_refuse(r, 503, "memory for the request");
	r->head = head;
	r->head_room = room;
	return true;
}

/* Whether the line that ends at head_bytes is empty. */
static bool is_empty_line(const http_request *r)
{
	return r->head_bytes - r->line_start == 2;
}

/* One byte of the head. Only CR LF ends a line (RFC 9112, 2.2 allows to accept LF alone; that is
 * where readers differ). */
static bool read_head_byte(http_request *r, char c)
{
	bool after_cr = r->head_bytes > r->line_start && r->head[r->head_bytes - 1] == '\r';

	if (after_cr != (c == '\n'))
		return http_refuse(r, 400, "lines that end with CR LF");
	if (c != '\r' && c != '\n' && !is_value_character(c))
		return http_refuse(r, 400, "a head without control characters");
	if (r->head_bytes == r->limits.head)
		return http_refuse(r, r->line_start == 0 ? 414 : 431, "a shorter head");
	if (r->line_start == 0 && r->head_bytes >= r->limits.line && c != '\n')
		return http_refuse(r, 414, "a shorter request line");
	if (!grow_head(r))
		return false;
	r->head[r->head_bytes++] = c;
	r->head[r->head_bytes] = 0;
	if (c != '\n')
		return true;
	if (!is_empty_line(r)) {
		r->line_start = r->head_bytes;
		return true;
	}
	if (r->line_start > 0)
		return parse_head(r);
	/* RFC 9112, 2.2: an empty line before the request line is ignored, one. */
	if (r->blank)
		return http_refuse(r, 400, "a request line");
	r->blank = true;
	r->head_bytes = 0;
	return true;
}

static size_t read_head(http_request *r, const char *bytes, size_t n)
{
	size_t i = 0;

	r->state = HTTP_HEAD;
	while (i < n && r->state == HTTP_HEAD)
		(void)read_head_byte(r, bytes[i++]);
	return i;
}

/* ---- the body ------------------------------------------------------------------------------- */

static bool add_body(http_request *r, const char *bytes, size_t n)
{
	size_t room = r->body_room ? r->body_room : BODY_FIRST_ROOM;
	char *body;

	/* n and body_bytes are within the limit of bodies. */
	while (room < r->body_bytes + n + 1)
		room *= 2;
	if (room != r->body_room) {
		if (!(body = memory_resize(r->body, room, 1)))
			return http_refuse(r, 503, "memory for the request");
		r->body = body;
		r->body_room = room;
	}
	memcpy(r->body + r->body_bytes, bytes, n);
	r->body_bytes += n;
	r->body[r->body_bytes] = 0;
	return true;
}

/* Of bytes [n], those that belong to the body or the chunk. */
static size_t read_body_bytes(http_request *r, const char *bytes, size_t n)
{
	size_t taken = n < r->left ? n : (size_t)r->left;

	if (!add_body(r, bytes, taken))
		return taken;
	r->left -= taken;
	if (r->left == 0 && r->step == BODY_BYTES)
		r->state = HTTP_WHOLE;
	else if (r->left == 0)
		r->step = CHUNK_END;
	return taken;
}

/* RFC 9112, 7.1: hexadecimal digits, nothing before them. */
static void read_size_digit(http_request *r, char c)
{
	int digit = hex_value(c);

	if (digit < 0 || r->digits == CHUNK_DIGITS) {
		(void)http_refuse(r, 400, "the size of a chunk in hexadecimal digits");
		return;
	}
	r->left = (r->digits++ ? r->left << 4 : 0) | (uint64_t)digit;
	if (r->left > r->limits.body - r->body_bytes)
		(void)http_refuse(r, 413, "a smaller body");
}

static void count_framing(http_request *r)
{
	if (++r->framing_bytes > FRAMING_MOST)
		(void)http_refuse(r, 431, "fewer extensions of chunks, and a shorter trailer");
}

/* A byte of the line with a chunk's size. */
static void read_size_line(http_request *r, char c)
{
	if (c == '\r' && (r->step != CHUNK_SIZE || r->digits > 0)) {
		r->step = CHUNK_LF;
	} else if (r->step == CHUNK_SIZE && (r->digits == 0 || hex_value(c) >= 0)) {
		read_size_digit(r, c);
	} else if (r->step == CHUNK_EXTENSION ? is_value_character(c)
	                                      : c == ' ' || c == '\t' || c == ';') {
		r->step = c == ';'                ? CHUNK_EXTENSION
		          : r->step == CHUNK_SIZE ? CHUNK_SPACE
		                                  : r->step;
		count_framing(r);
	} else {
		(void)http_refuse(r, 400, "the size of a chunk on a line that ends with CR LF");
	}
}

/* A byte of the trailer, whose fields are checked and dropped (RFC 9112, 7.1.2). */
static void read_trailer(http_request *r, char c)
{
	count_framing(r);
	if (r->state == HTTP_REFUSED)
		return;
	if (r->step == TRAILER_START && c == '\r')
		r->step = TRAILER_END_LF;
	else if (r->step == TRAILER_VALUE && c == '\r')
		r->step = TRAILER_LF;
	else if (r->step == TRAILER_LF && c == '\n')
		r->step = TRAILER_START;
	else if (r->step == TRAILER_END_LF && c == '\n')
		r->state = HTTP_WHOLE;
	else if ((r->step == TRAILER_START || r->step == TRAILER_NAME) && is_token_character(c))
		r->step = TRAILER_NAME;
	else if (r->step == TRAILER_NAME && c == ':')
		r->step = TRAILER_VALUE;
	else if (r->step != TRAILER_VALUE || !is_value_character(c))
		(void)http_refuse(r, 400,
		                  "a trailer of fields, each on a line that ends with CR LF");
}

static void read_framing_byte(http_request *r, char c)
{
	switch (r->step) {
	case CHUNK_LF:
		if (c != '\n')
			(void)http_refuse(r, 400, "lines that end with CR LF");
		else
			r->step = r->left > 0 ? CHUNK_BYTES : TRAILER_START;
		break;
	case CHUNK_END:
	case CHUNK_END_LF:
		if (c != (r->step == CHUNK_END ? '\r' : '\n'))
			(void)http_refuse(r, 400, "CR LF behind the bytes of a chunk");
		r->digits = 0;
		r->step = r->step == CHUNK_END ? CHUNK_END_LF : CHUNK_SIZE;
		break;
	case CHUNK_SIZE:
	case CHUNK_SPACE:
	case CHUNK_EXTENSION:
		read_size_line(r, c);
		break;
	default:
		read_trailer(r, c);
	}
}

static size_t read_body(http_request *r, const char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && r->state == HTTP_BODY)
		if (r->step == BODY_BYTES || r->step == CHUNK_BYTES)
			i += read_body_bytes(r, bytes + i, n - i);
		else
			read_framing_byte(r, bytes[i++]);
	return i;
}

/* --------------------------------------------------------------------------------------------- */

void http_begin(http_request *r, const http_limits *limits)
{
	memset(r, 0, sizeof *r);
	r->limits = *limits;
}

size_t http_read(http_request *r, const char *bytes, size_t n)
{
	size_t used = 0;

	if (n > 0 && (r->state == HTTP_IDLE || r->state == HTTP_HEAD))
		used = read_head(r, bytes, n);
	if (r->state == HTTP_BODY)
		used += read_body(r, bytes + used, n - used);
	return used;
}

void http_next(http_request *r)
{
	r->state = HTTP_IDLE;
	r->head_bytes = r->line_start = r->n_fields = 0;
	r->body_bytes = r->framing_bytes = 0;
	r->blank = r->keeps = r->expects = r->is_chunked = false;
	r->method = r->path = r->query = r->host = NULL;
	if (r->body_room > BODY_KEPT_ROOM) {
		memory_free(r->body);
		r->body = NULL;
		r->body_room = 0;
	}
	if (r->body)
		r->body[0] = 0;
}

void http_free(http_request *r)
{
	memory_free(r->head);
	memory_free(r->fields);
	memory_free(r->body);
	memset(r, 0, sizeof *r);
}
