/*
 * digest.h - for those who read and make versions: SHA-256 by PostgreSQL's own implementation, and
 * its hexadecimal form.
 */
#ifndef LMTEXT_DIGEST_H
#define LMTEXT_DIGEST_H

#include "pg/catalog/catalog.h"

#define LMTEXT_HEX_CHARS (2 * LMTEXT_DIGEST_BYTES)

/* A hash under way; belongs to the resource owner, so an error needs no clean-up. */
struct pg_cryptohash_ctx;
struct pg_cryptohash_ctx *lmtext_sha256_begin(void);
void lmtext_sha256_add(struct pg_cryptohash_ctx *hash, const void *bytes, size_t length);
void lmtext_sha256_end(struct pg_cryptohash_ctx *hash, uint8 result[LMTEXT_DIGEST_BYTES]);

/* hex has room for LMTEXT_HEX_CHARS + 1. */
void lmtext_hex_write(const uint8 bytes[LMTEXT_DIGEST_BYTES], char *hex);
/* False unless hex is exactly LMTEXT_HEX_CHARS lower-case digits. */
bool lmtext_hex_read(const char *hex, size_t length, uint8 bytes[LMTEXT_DIGEST_BYTES]);

#endif
