/*
 * fill_mask.h - the words that a model would put in the place of each mask token of a text.
 */
#ifndef LM_FILL_MASK_H
#define LM_FILL_MASK_H

#include "task/embed.h"

/* A token for a mask. */
typedef struct lm_fill {
    int32_t mask;     /* which of the text's, from 0 */
    int32_t position; /* its token, special ones included */
    int32_t token;    /* an id; a model may have more words than its tokenizer */
    float score;      /* the token's probability: softmax over the vocabulary */
} lm_fill;

/* What was found of a text: mask by mask, the most probable first. */
typedef struct lm_fills {
    const lm_fill *items;
    size_t count;
    size_t masks;
    const int32_t *ids; /* of the text, special tokens included */
    size_t tokens;
} lm_fills;

/* As lm_tag_sink. */
typedef lm_status (*lm_fill_sink)(void *opaque, size_t text, const lm_fills *fills);

/*
 * The options->choice most probable tokens (at most the vocabulary) for each mask of each text. Of
 * the other options batch_tokens counts: a text that is longer than the window is LM_TOO_LARGE. One
 * without a mask is LM_BAD_ARGUMENT. The same bits alone and in any batch; counts is as lm_embed
 * has it. LM_UNSUPPORTED where the model has no head on the vocabulary.
 */
lm_status lm_fill_mask(lm_context *ctx, lm_session *session, const lm_model *model,
                       const lm_text *texts, size_t count, const lm_embed_options *options,
                       lm_fill_sink sink, void *opaque, lm_embed_counts *counts);

/* Append what a token is called where it stands alone; nothing, where the tokenizer lacks it. */
lm_status lm_fill_word(lm_context *ctx, const lm_model *model, int32_t token, lm_buffer *out);
/*
 * Append the text with one mask filled, as the tokenizer's decoder writes it: without special
 * tokens, but with them where other masks are still open.
 */
lm_status lm_fill_sequence(lm_context *ctx, const lm_model *model, const lm_fills *fills,
                           const lm_fill *fill, lm_buffer *out);

/* Golden values: means of the first token's outputs over every LM_FILL_GOLDEN-th word. */
#define LM_FILL_GOLDEN 16
lm_status lm_fill_golden(lm_context *ctx, lm_session *session, const lm_model *model,
                         const lm_text *texts, size_t count, float *out);

#endif
