/* api_slots.h - GET /slots: what each place of the scheduler is doing */
#ifndef SERVE_API_SLOTS_H
#define SERVE_API_SLOTS_H

#include "runtime/serve/exchange.h"

extern const exchange_route slots_routes[];
extern const size_t slots_n_routes;

#endif
