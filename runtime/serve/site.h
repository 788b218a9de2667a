/* site.h - what all connections share: routes, who may ask, limits, counts */
#ifndef SERVE_SITE_H
#define SERVE_SITE_H

#include "runtime/serve/exchange.h"
#include "runtime/serve/guard.h"
#include "runtime/serve/http.h"
#include "runtime/serve/log.h"

#define SITE_TABLES 16

typedef struct site_table {
	const exchange_route *routes; /* [n] */
	size_t n;
	bool is_open; /* answered without an API key */
} site_table;

typedef struct site_figures {
	uint64_t requests;    /* that could be read */
	uint64_t statuses[6]; /* replies with 1xx, ..., 5xx at [1] to [5]; at [0] clients that left
	                       */
	uint64_t accepted, turned_away; /* connections; of them, because there were too many */
	uint64_t prompt_tokens, cached_tokens, answer_tokens;
	size_t connections, exchanges; /* now */
} site_figures;

typedef struct site {
	site_table tables[SITE_TABLES];
	size_t n_tables;
	guard guard;
	http_limits limits;
	size_t body_bytes, most_body_bytes; /* memory of all bodies: now, at most */
	double timeout_s;                   /* for a head, for progress of a body or a reply */
	double keep_s;                      /* for the next request of a connection */
	log_format log;
	void *service;         /* of exchange_facts */
	struct worker *worker; /* for aside.h */
	bool is_stopping;
	site_figures figures;
} site;

/* Finds the route of a request and calls its handler, or replies that there is none or that the
 * client may not. checks_host: it came to a loopback address. */
void site_answer(site *s, exchange *x, bool checks_host);

#endif
