/*
 * test_siphash.c - SipHash-2-4-128 beside what OpenSSL computes (openssl mac -macopt size:16
 * SIPHASH) of the bytes 0, 1, 2, … under the key of the same bytes.
 */
#include "unit.h"

#include "base/siphash.h"

static const struct {
    size_t length;
    const char *digest;
} recorded[] = {
    {0, "a3817f04ba25a8e66df67214c7550293"},    {1, "da87c1d86b99af44347659119b22fc45"},
    {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},    {8, "3b62a9ba6258f5610f83e264f31497b4"},
    {15, "5493e99933b0a8117e08ec0f97cfc3d9"},   {64, "1eaf077dc0d4cd3f8cad4d383658a74b"},
    {1000, "24dafa789ae03d86536a4b57372f0ba6"},
};

static void
count_up(unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)i;
}

static void
check_digest(lm_hash128 hash, const char *digest)
{
    char hex[33];

    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x",
                 (unsigned)((i < 8 ? hash.low : hash.high) >> (8 * (i % 8)) & 255));
    CHECK_STR(hex, digest);
}

static void
recorded_digests(void)
{
    unsigned char key[LM_SIPHASH_KEY_BYTES], bytes[1000];
    lm_siphash hash;

    count_up(key, sizeof key);
    count_up(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
        lm_siphash_begin(&hash, key);
        lm_siphash_add(&hash, bytes, recorded[i].length);
        check_digest(lm_siphash_end(&hash), recorded[i].digest);
    }
}

/* However a message is cut, and a copy goes on by itself. */
static void
pieces(void)
{
    unsigned char key[LM_SIPHASH_KEY_BYTES], bytes[1000];
    lm_siphash hash, copy;

    count_up(key, sizeof key);
    count_up(bytes, sizeof bytes);
    for (size_t first = 0; first <= 20; first++)
        for (size_t second = 0; second <= 20; second++) {
            lm_siphash_begin(&hash, key);
            lm_siphash_add(&hash, bytes, first);
            lm_siphash_add(&hash, bytes + first, second);
            copy = hash;
            lm_siphash_add(&hash, "other", 5);
            lm_siphash_add(&copy, bytes + first + second, sizeof bytes - first - second);
            check_digest(lm_siphash_end(&copy), recorded[6].digest);
            CHECK(lm_siphash_end(&hash).low != lm_siphash_end(&copy).low);
        }
    lm_siphash_begin(&hash, key);
    lm_siphash_add(&hash, NULL, 0);
    check_digest(lm_siphash_end(&hash), recorded[0].digest);
}

static void
other_key(void)
{
    unsigned char key[LM_SIPHASH_KEY_BYTES] = {1};
    lm_siphash hash;

    lm_siphash_begin(&hash, key);
    CHECK(lm_siphash_end(&hash).low != UINT64_C(0xe6a825ba047f81a3));
}

static const unit_case cases[] = {
    {"siphash.recorded_digests", recorded_digests},
    {"siphash.pieces", pieces},
    {"siphash.other_key", other_key},
};

UNIT_MAIN(cases)
