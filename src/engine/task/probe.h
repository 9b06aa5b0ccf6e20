/*
 * probe.h - what a model makes of a few built-in texts: token ids and embeddings, or scores of
 * labels. Written down when a version is made, and computed again by whoever wants to know whether
 * the model still gives the same.
 */
#ifndef LM_PROBE_H
#define LM_PROBE_H

#include "base/buffer.h"
#include "task/classify.h"

/* Empty, plain, several scripts, odd characters, longer than a window. */
#define LM_PROBE_TEXTS 8

/* Of wider vectors only the first numbers are kept: a version's golden values stay small. */
#define LM_PROBE_WIDTH_MAX 1024

typedef struct lm_probe {
    int width;                     /* numbers kept of each text */
    uint64_t ids[LM_PROBE_TEXTS];  /* FNV-1a of the token ids, special tokens included */
    int32_t label[LM_PROBE_TEXTS]; /* number of the best label; −1: the model is no classifier */
    float *values;                 /* (LM_PROBE_TEXTS, width) */
} lm_probe;

/*
 * Compute, into the arena; texts in one batch, or each alone. LM_BAD_MODEL when something that is
 * not finite comes out.
 */
lm_status lm_probe_run(lm_context *ctx, lm_arena *arena, lm_session *session, const lm_model *model,
                       bool alone, lm_probe *probe);

/* As JSON, numbers exact; and back, LM_CORRUPT where it is not what was written. */
lm_status lm_probe_write(const lm_probe *probe, lm_buffer *out);
lm_status lm_probe_read(lm_context *ctx, lm_arena *arena, const char *json, size_t length,
                        const char *file, lm_probe *probe);

/*
 * Greatest difference of two numbers, relative to the greatest number of `wanted` where that is
 * above 1; infinite where widths differ or a number is NaN.
 */
double lm_probe_error(const lm_probe *found, const lm_probe *wanted);
bool lm_probe_same_ids(const lm_probe *a, const lm_probe *b);
bool lm_probe_same_labels(const lm_probe *a, const lm_probe *b);
bool lm_probe_same_bits(const lm_probe *a, const lm_probe *b);

#endif
