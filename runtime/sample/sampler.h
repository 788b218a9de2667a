/* sampler.h - what a sampler takes of memory, before it is made */
#ifndef RUNTIME_SAMPLER_H
#define RUNTIME_SAMPLER_H

#include "runtime/brise.h"

/* Adds what brise_new_sampler will take to *needed. Errors: BRISE_EINVAL. */
brise_status sampler_count(uint32_t vocab, const brise_sampling *sampling, uint64_t *needed,
                           brise_error *err);

#endif
