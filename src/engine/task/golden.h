/*
 * golden.h - what a model makes of a few built-in texts: token ids and embeddings, or scores of
 * labels. Written down when a version is made, and computed again by whoever wants to know whether
 * the model still gives the same.
 */
#ifndef LM_GOLDEN_H
#define LM_GOLDEN_H

#include "base/buffer.h"
#include "task/embed.h"

/* Empty, plain, several scripts, odd characters, longer than a window. */
#define LM_GOLDEN_TEXTS 8

/* Of wider vectors only the first numbers are kept: a version's golden values stay small. */
#define LM_GOLDEN_WIDTH_MAX 1024

typedef struct lm_golden {
    int width;                      /* numbers kept of each text */
    uint64_t ids[LM_GOLDEN_TEXTS];  /* FNV-1a of the token ids, special ones too; 0: no tokenizer */
    int32_t label[LM_GOLDEN_TEXTS]; /* number of the best label; −1: the model is no classifier */
    float *values;                  /* (LM_GOLDEN_TEXTS, width) */
} lm_golden;

/*
 * Compute, into the arena; texts in one batch, or each alone. LM_BAD_MODEL when something that is
 * not finite comes out.
 */
lm_status lm_golden_run(lm_context *ctx, lm_arena *arena, lm_session *session,
                        const lm_model *model, bool alone, lm_golden *golden);

/* As JSON, numbers exact; and back, LM_CORRUPT where it is not what was written. */
lm_status lm_golden_write(const lm_golden *golden, lm_buffer *out);
lm_status lm_golden_read(lm_context *ctx, lm_arena *arena, const char *json, size_t length,
                         const char *file, lm_golden *golden);

/*
 * Greatest difference of two numbers, relative to the greatest number of `wanted` where that is
 * above 1; infinite where widths differ or a number is NaN.
 */
double lm_golden_error(const lm_golden *found, const lm_golden *wanted);
bool lm_golden_same_ids(const lm_golden *a, const lm_golden *b);
bool lm_golden_same_labels(const lm_golden *a, const lm_golden *b);
bool lm_golden_same_bits(const lm_golden *a, const lm_golden *b);

#endif
