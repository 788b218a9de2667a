/* page.c - the page's files as replies
 *
 * What the page may do is said in its Content-Security-Policy: scripts and styles are its own two
 * files, connections go to this server only, nothing may be framed, and the script cannot make
 * markup of text. So a conversation cannot become code, even with a fault in the script.
 */
#include "runtime/serve/page/page.h"

#include "runtime/serve/page/files.h"

#include <stdbool.h>
#include <string.h>

static const char *const page_headers[][2] = {
	{ "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "
	                             "img-src 'self'; connect-src 'self'; "
	                             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
	                             "require-trusted-types-for 'script'; trusted-types 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	/* Kept by the browser, and asked about each time: a new version is seen at once. */
	{ "Cache-Control", "no-cache" },
	{ "Vary", "Accept-Encoding" },
};

static const char *page_type(const char *name)
{
	static const char *const types[][2] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".svg", "image/svg+xml" },
	};
	const char *end = strrchr(name, '.');
	for (size_t i = 0; end && i < sizeof types / sizeof *types; i++)
		if (strcmp(end, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

/* Whether a list of entity tags as in If-None-Match holds this one. Weak tags count (RFC 9110,
 * 13.1.2): a proxy that compresses makes them of strong ones. */
static bool page_has_tag(const char *list, const char *tag)
{
	size_t n = strlen(tag);
	while (list && *list) {
		list += strspn(list, " \t,");
		if (*list == '*')
			return true;
		if (strncmp(list, "W/", 2) == 0)
			list += 2;
		if (strncmp(list, tag, n) == 0)
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

/* Whether a list as in Accept-Encoding takes gzip: named, in small letters as browsers write it,
 * and not with the weight 0. */
static bool page_takes_gzip(const char *list)
{
	while (list && *list) {
		list += strspn(list, " \t,");
		size_t name = strcspn(list, " \t,;"), item = strcspn(list, ",");
		if (name == 4 && strncmp(list, "gzip", 4) == 0) {
			const char *weight = memchr(list, '=', item);
			return !weight || strspn(weight + 1, " 0.") < strcspn(weight + 1, ",");
		}
		list += item;
	}
	return false;
}

static void page_reply(exchange *x)
{
	const char *name = exchange_get_facts(x)->path + 1;
	const page_file *file = NULL;
	if (!*name)
		name = "index.html";
	for (size_t i = 0; i < page_n_files && !file; i++)
		if (strcmp(page_files[i].name, name) == 0)
			file = &page_files[i];
	if (!file) {
		exchange_reply(x, 404, "text/plain; charset=utf-8", "not found\n", 10);
		return;
	}
	const page_form *form = &file->plain;
	if (file->packed.tag && page_takes_gzip(exchange_get_header(x, "Accept-Encoding"))) {
		form = &file->packed;
		exchange_add_header(x, "Content-Encoding", "gzip");
	}
	for (size_t i = 0; i < sizeof page_headers / sizeof *page_headers; i++)
		exchange_add_header(x, page_headers[i][0], page_headers[i][1]);
	exchange_add_header(x, "ETag", form->tag);
	if (page_has_tag(exchange_get_header(x, "If-None-Match"), form->tag))
		exchange_reply(x, 304, page_type(name), "", 0);
	else
		exchange_reply(x, 200, page_type(name), (const char *)form->bytes, form->n);
}

const exchange_route page_routes[] = {
	{ "GET", "/", page_reply },
	{ "GET", "/page.css", page_reply },
	{ "GET", "/page.js", page_reply },
	{ "GET", "/icon.svg", page_reply },
};
const size_t page_n_routes = sizeof page_routes / sizeof *page_routes;
