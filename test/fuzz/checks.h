/*
 * checks.h - what must hold of any tokenizer that was accepted and of any text.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include "fuzz.h"
#include "token/tokenizer.h"

typedef struct fuzz_tokenizer {
    lm_buffer image;
    lm_tokenizer fast;   /* as compiled */
    lm_tokenizer staged; /* a copy at another address, without the table of the fast path */
    void *copy;
} fuzz_tokenizer;

/* Compile; on failure there is nothing to close. */
lm_status fuzz_tokenizer_open(lm_context *ctx, const lm_json *json, const lm_json *config,
                              int32_t max_vocab, fuzz_tokenizer *tokenizer);
void fuzz_tokenizer_close(fuzz_tokenizer *tokenizer);

/*
 * Text → ids → text. LM_BAD_TEXT, at the right place, exactly when the text is no UTF-8; ids below
 * the vocabulary's size and offsets in the text, never falling; the same ids by the fast path and
 * by the stages, with and without offsets, cut or whole, with used and with fresh scratch; decoding
 * succeeds and yields UTF-8; pieces of a chunked text are as promised. `choice` selects options.
 */
lm_status fuzz_check_text(lm_context *ctx, const fuzz_tokenizer *tokenizer, const char *text,
                          size_t length, uint32_t choice);

#endif
