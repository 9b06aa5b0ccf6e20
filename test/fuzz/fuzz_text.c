/*
 * fuzz_text.c - any bytes are tokenized, decoded and chunked by the laws of checks.h, or refused as
 * no UTF-8 at the right place, by every small tokenizer of test/golden/tokenizer.
 *
 * Of an input the first byte chooses the tokenizer, two more the options; the rest is the text.
 */
#include "checks.h"

#define FOLDER "test/golden/tokenizer/"
#define MAX_VOCAB 10000

static const char *const names[] = {
    "uncased",  "cased",      "uncased-accents", "cased-stripped",
    "unclean",  "sequence",   "plain",           "unnormalized",
    "composed", "decomposed", "compatible",      "compatible-composed",
    "added",    "added-raw",  "added-flags",
};

#define COUNT (sizeof names / sizeof names[0])

static lm_context own; /* of the tokenizers */
static fuzz_tokenizer tokenizers[COUNT];

void
fuzz_prepare(void)
{
    lm_context_init(&own);
    for (size_t i = 0; i < COUNT; i++) {
        const lm_json *root;
        lm_arena arena;
        char path[256];
        size_t size;
        char *json;

        snprintf(path, sizeof path, FOLDER "%s.tokenizer.json", names[i]);
        json = fuzz_read_file(path, &size);
        lm_arena_init(&arena, &own);
        REQUIRE(lm_json_parse(&own, &arena, json, size, path, &root) == LM_OK);
        REQUIRE(fuzz_tokenizer_open(&own, root, NULL, MAX_VOCAB, &tokenizers[i]) == LM_OK);
        lm_arena_free(&arena);
        free(json);
    }
}

/* Of a byte 18 characters may become by NFKC, and of each character a token of 17 bytes. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 20) + 4096 * size;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)data;

    if (size < 3)
        return LM_OK;
    return fuzz_check_text(ctx, &tokenizers[bytes[0] % COUNT], data + 3, size - 3,
                           bytes[1] | (uint32_t)bytes[2] << 8);
}
