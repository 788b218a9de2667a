/* asker.h - who a request is from */
#ifndef SERVE_ASKER_H
#define SERVE_ASKER_H

#include <stddef.h>
#include <stdint.h>

typedef struct asker {
	size_t key;          /* which API key the client has shown, from 1; 0: no keys are set */
	uint64_t client;     /* a hash of its address; 0: unknown */
	uint64_t connection; /* a number; 0: unknown */
} asker;

#endif
