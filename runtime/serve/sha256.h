/* sha256.h - SHA-256 (FIPS 180-4), for names that do not tell what they were made from */
#ifndef SERVE_SHA256_H
#define SERVE_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* digest: of bytes [n]. */
void sha256(uint8_t digest[32], const void *bytes, size_t n);

#endif
