/* page.h - the page that a browser is given for GET /
 *
 * The page asks for nothing but this server's own files and APIs. Its routes need no API key: the
 * page asks its user for one where the APIs want it.
 */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H

#include "runtime/serve/exchange.h"

extern const exchange_route page_routes[];
extern const size_t page_n_routes;

#endif
