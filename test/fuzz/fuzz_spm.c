/*
 * fuzz_spm.c - a model of SentencePiece that is accepted becomes a tokenizer of each class, which
 * tokenizes by the laws of checks.h.
 *
 * An input is a byte that chooses the class, then sentencepiece.bpe.model or spiece.model.
 */
#include "checks.h"

#define MAX_VOCAB 4000

static const struct {
    const char *class;
    lm_spm_name file;
} classes[] = {
    {"{\"tokenizer_class\":\"XLMRobertaTokenizer\"}", LM_SPM_SENTENCEPIECE_BPE},
    {"{\"tokenizer_class\":\"CamembertTokenizer\"}", LM_SPM_SENTENCEPIECE_BPE},
    {"{\"tokenizer_class\":\"T5Tokenizer\"}", LM_SPM_SPIECE},
    {"{\"tokenizer_class\":\"AlbertTokenizer\"}", LM_SPM_SPIECE},
};

#define CLASS_COUNT (sizeof classes / sizeof classes[0])

static const char *const texts[] = {
    "",
    "Hello, World! <s> unaffable </s> 12.5",
    " \t\r\n caf\xc3\xa9 na\xc3\xafve \xef\xb7\xba\xea\xb0\x81\xe4\xb8\xad\xe6\x96\x87 \xc4\xb0 ",
    "a\xcc\x81\xcc\xa3 x\xe2\x80\x8d y\xef\xbf\xbd\x01 \xf0\x9f\x98\x80\xf0\xaf\xa0\x80",
};

void
fuzz_prepare(void)
{
}

/* A branch of a trie opens a block of 5 kB. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 24) + 8192 * size;
}

static lm_status
run(lm_context *ctx, lm_arena *arena, size_t class, const char *data, size_t size)
{
    lm_spm_file spm[LM_SPM_NAMES] = {[LM_SPM_SENTENCEPIECE_BPE] = {.name = "x"}};
    lm_tokenizer_files files = {.spm = spm};
    fuzz_tokenizer tokenizer;
    lm_status status = LM_OK;

    spm[classes[class].file] = (lm_spm_file){"tokenizer.model", data, size};
    LM_TRY(lm_json_parse(ctx, arena, classes[class].class, strlen(classes[class].class), "config",
                         &files.config));
    LM_TRY(lm_tokenizer_from_older(ctx, arena, &files));
    REQUIRE(files.tokenizer != NULL);
    LM_TRY(fuzz_tokenizer_open(ctx, files.tokenizer, NULL, MAX_VOCAB, &tokenizer));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && status == LM_OK; i++)
        status =
            fuzz_check_text(ctx, &tokenizer, texts[i], strlen(texts[i]), 0x3557u + (uint32_t)i);
    fuzz_tokenizer_close(&tokenizer);
    return status;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    lm_arena arena;
    lm_status status;

    if (size == 0)
        return LM_OK;
    lm_arena_init(&arena, ctx);
    status = run(ctx, &arena, (unsigned char)data[0] % CLASS_COUNT, data + 1, size - 1);
    lm_arena_free(&arena);
    return status;
}
