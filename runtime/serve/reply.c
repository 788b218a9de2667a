/* reply.c - the head of a reply, and the bodies of those that the server itself gives */
#include "runtime/serve/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/os.h"
#include "runtime/serve/calendar.h"
#include "runtime/serve/http.h"
#include "runtime/text/json_writer.h"

/* Seconds until a client should try again. */
#define RETRY_AFTER 2

typedef struct phrase {
	int status;
	const char *text;
	const char *error; /* type of the error in a body */
} phrase;

static const phrase phrases[] = {
	{ 100, "Continue", NULL },
	{ 200, "OK", NULL },
	{ 204, "No Content", NULL },
	{ 304, "Not Modified", NULL },
	{ 400, "Bad Request", "invalid_request_error" },
	{ 401, "Unauthorized", "authentication_error" },
	{ 403, "Forbidden", "permission_error" },
	{ 404, "Not Found", "not_found_error" },
	{ 405, "Method Not Allowed", "invalid_request_error" },
	{ 408, "Request Timeout", "timeout_error" },
	{ 409, "Conflict", "invalid_request_error" },
	{ 411, "Length Required", "invalid_request_error" },
	{ 413, "Content Too Large", "request_too_large" },
	{ 414, "URI Too Long", "invalid_request_error" },
	{ 415, "Unsupported Media Type", "invalid_request_error" },
	{ 417, "Expectation Failed", "invalid_request_error" },
	{ 421, "Misdirected Request", "invalid_request_error" },
	{ 422, "Unprocessable Content", "invalid_request_error" },
	{ 429, "Too Many Requests", "rate_limit_error" },
	{ 431, "Request Header Fields Too Large", "invalid_request_error" },
	{ 500, "Internal Server Error", "api_error" },
	{ 501, "Not Implemented", "invalid_request_error" },
	{ 503, "Service Unavailable", "overloaded_error" },
	{ 505, "HTTP Version Not Supported", "invalid_request_error" },
	{ 529, "Overloaded", "overloaded_error" },
};

static const phrase *find_phrase(int status)
{
	static const phrase other = { 0, "Other", "api_error" };
	size_t i;

	for (i = 0; i < sizeof phrases / sizeof *phrases; i++)
		if (phrases[i].status == status)
			return &phrases[i];
	return &other;
}

const char *reply_get_phrase(int status)
{
	return find_phrase(status)->text;
}

void reply_write_date(char text[REPLY_DATE], int64_t seconds)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	calendar c;

	calendar_read(&c, seconds);
	(void)snprintf(text, REPLY_DATE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[c.weekday],
	               c.day, months[c.month - 1], c.year, c.hour, c.minute, c.second);
}

/* Whether one of the lines in `fields` has that name. */
static bool has_field(const output *fields, const char *name)
{
	size_t length = strlen(name), i, k;

	for (i = fields ? fields->start : 0; fields && i + length < fields->end; i++) {
		if (i > fields->start && fields->bytes[i - 1] != '\n')
			continue;
		for (k = 0; k < length && (fields->bytes[i + k] | 0x20) == (name[k] | 0x20);)
			k++;
		if (k == length && fields->bytes[i + k] == ':')
			return true;
	}
	return false;
}

void reply_write_head(output *o, const reply_head *head)
{
	int64_t now = os_time();
	char date[REPLY_DATE];

	output_format(o, "HTTP/1.1 %d %s\r\n", head->status, reply_get_phrase(head->status));
	if (now > 0) {
		reply_write_date(date, now);
		output_format(o, "Date: %s\r\n", date);
	}
	if (head->type)
		output_format(o, "Content-Type: %.200s\r\n", head->type);
	if (head->type && !has_field(head->fields, "x-content-type-options"))
		output_add_text(o, "X-Content-Type-Options: nosniff\r\n");
	if (head->bytes == REPLY_CHUNKED)
		output_add_text(o, "Transfer-Encoding: chunked\r\n");
	else if (head->bytes != REPLY_UNBOUNDED && head->status != 204 && head->status != 304)
		output_format(o, "Content-Length: %" PRIu64 "\r\n", head->bytes);
	if (!head->keeps)
		output_add_text(o, "Connection: close\r\n");
	else if (head->minor == 0)
		output_add_text(o, "Connection: keep-alive\r\n");
	if ((head->status == 503 || head->status == 429) && !has_field(head->fields, "retry-after"))
		output_format(o, "Retry-After: %d\r\n", RETRY_AFTER);
	if (head->fields)
		output_add(o, head->fields->bytes + head->fields->start, output_size(head->fields));
	output_add_text(o, "\r\n");
}

void reply_write_error(output *o, int status, const char *message)
{
	json_writer w = { .sink = output_sink, .user = o };
	const char *type = find_phrase(status)->error;

	json_open(&w, NULL, '{');
	json_put_string(&w, "type", "error");
	json_open(&w, "error", '{');
	json_put_string(&w, "type", type ? type : "api_error");
	json_put_string(&w, "message", message);
	json_put_null(&w, "param");
	json_put_null(&w, "code");
	json_close(&w);
	json_close(&w);
}
