/*
 * tuned_texts.h - the rows of a fine-tuning as tokens, laid end to end; a row has one text, or as
 * many as its task compares. Batches are gathered from them, packed.
 */
#ifndef LM_TRAIN_TUNED_TEXTS_H
#define LM_TRAIN_TUNED_TEXTS_H

#include "base/text.h"
#include "nn/batch.h"
#include "token/tokenizer.h"

typedef struct lm_tuned_texts {
    lm_context *ctx;
    const lm_tokenizer *tokenizer;
    size_t window;  /* tokens that are kept of a text */
    size_t per_row; /* texts of a row */
    lm_token_scratch *scratch;
    lm_encoding encoding; /* of the text that was added last, with offsets */
    int32_t *ids, *types;
    size_t tokens, id_room, type_room;
    size_t *ends; /* (texts): where each ends */
    size_t texts, end_room;
} lm_tuned_texts;

lm_status lm_tuned_texts_open(lm_context *ctx, const lm_tokenizer *tokenizer, size_t window,
                              size_t per_row, lm_tuned_texts *texts);
void lm_tuned_texts_close(lm_tuned_texts *texts);

lm_status lm_tuned_texts_add(lm_tuned_texts *texts, lm_text text);
/* A variant, or, where it has no token, the text. */
lm_status lm_tuned_texts_add_variant(lm_tuned_texts *texts, lm_text variant, lm_text text);
/* All texts go; their room stays. */
void lm_tuned_texts_clear(lm_tuned_texts *texts);
/* As the template joins them. */
lm_status lm_tuned_texts_add_pair(lm_tuned_texts *texts, lm_text first, lm_text second);

/* Tokens of a text, and where they begin. */
size_t lm_tuned_texts_first(const lm_tuned_texts *texts, size_t text);
size_t lm_tuned_texts_length(const lm_tuned_texts *texts, size_t text);
size_t lm_tuned_texts_row_tokens(const lm_tuned_texts *texts, size_t row);

/* Room for numbers behind those that are there, at least doubled when it grows. */
lm_status lm_tuned_grow(lm_context *ctx, void *array, size_t *room, size_t need, size_t width);

#endif
