/* about.h - what the server says of itself: GET /health, /v1/models, /props, /metrics */
#ifndef SERVE_ABOUT_H
#define SERVE_ABOUT_H

#include "runtime/serve/exchange.h"

/* Answered without an API key: whether the server is alive. */
extern const exchange_route about_open_routes[];
extern const size_t about_n_open_routes;

extern const exchange_route about_routes[];
extern const size_t about_n_routes;

/* In Prometheus' text format (metrics.c). */
exchange_handler about_metrics;

#endif
