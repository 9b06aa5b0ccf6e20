/*
 * adapter.h - a linear map from the vectors of one model to those of another, fitted on texts that
 * both have embedded, so that queries of the one find documents of the other.
 */
#ifndef LM_ADAPTER_H
#define LM_ADAPTER_H

#include "base/context.h"

/* Fewer texts are refused (LM_BAD_ARGUMENT). */
#define LM_ADAPTER_LEAST ((size_t)100)
/* Neighbours that recall is measured with. */
#define LM_ADAPTER_NEIGHBOURS 10

/* The same texts as two models see them. */
typedef struct lm_adapter_texts {
    size_t count, from_width, to_width;
    const float *from; /* (count, from_width) */
    const float *to;   /* (count, to_width) */
} lm_adapter_texts;

typedef enum lm_adapter_kind {
    LM_ADAPTER_IDENTITY, /* vectors as they are; of one width only */
    LM_ADAPTER_ROTATION, /* the orthogonal matrix nearest to it (Procrustes); of one width only */
    LM_ADAPTER_LINEAR,   /* least squares, drawn towards the rotation, or to zero */
} lm_adapter_kind;

/*
 * Of queries that were held out: the share of the ten nearest texts that a whole new embedding
 * would find which is found among the old ones.
 */
typedef struct lm_adapter_result {
    lm_adapter_kind kind;
    size_t fitted, held_out; /* texts; those that chose the kind are in neither */
    double recall;
    double unmapped; /* the same of vectors as they are; -1: widths differ */
} lm_adapter_result;

/*
 * Fits each kind on eight texts of ten, chooses by a ninth, measures by the last. `matrix` is
 * (to_width, from_width). Refuses numbers that are not finite. Polls cancel.
 */
lm_status lm_adapter_fit(lm_context *ctx, const lm_adapter_texts *texts, float *matrix,
                         lm_adapter_result *result);

const char *lm_adapter_kind_name(lm_adapter_kind kind);

/* out (to_width) = matrix · x (from_width) */
void lm_adapter_apply(size_t to_width, size_t from_width, const float *matrix, const float *x,
                      float *out);

#endif
