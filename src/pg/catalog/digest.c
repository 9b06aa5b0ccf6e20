/*
 * digest.c - SHA-256 and hexadecimal digits.
 */
#include "postgres.h"

#include "common/cryptohash.h"

#include "pg/catalog/digest.h"

/* Fails only where the cryptographic library does (no memory, or a policy that forbids). */
static void
require(pg_cryptohash_ctx *hash, int result)
{
    if (result < 0)
        elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(hash));
}

/* With OpenSSL the resource owner frees the state after an error; otherwise it is palloc'd. */
pg_cryptohash_ctx *
lmtext_sha256_begin(void)
{
    pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

    if (hash == NULL)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    require(hash, pg_cryptohash_init(hash));
    return hash;
}

void
lmtext_sha256_add(pg_cryptohash_ctx *hash, const void *bytes, size_t length)
{
    require(hash, pg_cryptohash_update(hash, bytes, length));
}

void
lmtext_sha256_end(pg_cryptohash_ctx *hash, uint8 result[LMTEXT_DIGEST_BYTES])
{
    require(hash, pg_cryptohash_final(hash, result, LMTEXT_DIGEST_BYTES));
    pg_cryptohash_free(hash);
}

void
lmtext_hex_write(const uint8 bytes[LMTEXT_DIGEST_BYTES], char *hex)
{
    for (int i = 0; i < LMTEXT_DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

/* Value of a digit, or -1. Upper case is refused: a digest has one form. */
static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
lmtext_hex_read(const char *hex, size_t length, uint8 bytes[LMTEXT_DIGEST_BYTES])
{
    if (length != LMTEXT_HEX_CHARS)
        return false;
    for (int i = 0; i < LMTEXT_DIGEST_BYTES; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8)(high << 4 | low);
    }
    return true;
}
