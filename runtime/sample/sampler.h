/* sampler.h - what a sampler takes of memory, before it is made */
#ifndef RUNTIME_SAMPLER_H
#define RUNTIME_SAMPLER_H

#include "runtime/brise.h"

/* Adds what brise_new_sampler will take to *needed. Errors: BRISE_EINVAL. */
brise_status sampler_count(uint32_t vocab, const brise_sampling *sampling, uint64_t *needed,
                           brise_error *err);

/* What a sampler remembers of the text: its random numbers, and which tokens are recent. As words,
 * so that it can be kept in a file. */
size_t sampler_count_state(const brise_sampler *s);
void sampler_save_state(const brise_sampler *s, uint32_t *words); /* [sampler_count_state()] */

/* A sampler may keep another number of recent tokens than the one that was saved: it takes the
 * last. Errors: BRISE_EFORMAT the words are not such a state, for this vocabulary; the sampler is
 * unchanged then. */
brise_status sampler_load_state(brise_sampler *s, const uint32_t *words, size_t n,
                                brise_error *err);

#endif
