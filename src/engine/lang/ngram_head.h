/*
 * ngram_head.h - a linear classifier on weighed n-grams, and on an embedding beside them: two
 * files, a section of an image, the scores of a text.
 *
 *   ngram_head.json         {"format": 1, "task": "classification", "labels": ["…", …],
 *                            "ngrams": "word", "words": "words", "low": 1, "high": 2,
 *                            "lowercase": true, "hash_bits": 0, "hash_seed": 0, "binary": false,
 *                            "sublinear": true, "norm": "l2", "dimensions": 0}
 *   ngram_head.safetensors  weight (F, C), bias (C), idf (F), all F32; of a vocabulary ends (F) U32
 *                            and names (B) U8, of buckets buckets (F) U32; dense (C, D) F32 where
 *                            dimensions is D
 *
 * In format 2 there may be "scoring" (model/labels.h), "also": {"ngrams": "char_wb", "low": 3,
 * "high": 6} for n-grams of another kind beside these, and "rank": R. Then weight is (F, R), its
 * sum with x is multiplied by output (C, R) F32, and where "tree" is true, the numbers are those of
 * the nodes of tree (C - 1, 2) U32 (label_tree.h). What format 1 can say is written as such.
 *
 * Where the weight is I8, a row's numbers are times its step (F) F32: a reader that does not know
 * it refuses the dtype.
 *
 * N-grams are sorted by their bytes, buckets ascend. The numbers of labels are weight' · x + bias +
 * dense · embedding, with x as features/tfidf.h has it; their softmax are the scores.
 */
#ifndef LM_NGRAM_HEAD_H
#define LM_NGRAM_HEAD_H

#include "features/tfidf.h"
#include "format/checkpoint.h"
#include "kernels/kernels.h"

#define LM_NGRAM_HEAD_WEIGHTS_MAX ((size_t)1 << 27) /* F · C, C rounded up to 16 */
#define LM_NGRAM_HEAD_LABELS_MAX (1 << 20)
#define LM_NGRAM_HEAD_WIDTH_MAX (1 << 20)

/* C in an image: rows of the weight begin aligned. */
static inline size_t
lm_ngram_head_padded(size_t labels)
{
    return (labels + 15) / 16 * 16;
}

/* What was learnt. */
typedef struct lm_ngram_head_parts {
    const lm_tfidf *tfidf; /* with its features chosen */
    const char *const *labels;
    int label_count, width;             /* C, D; D 0: no embedding */
    const float *weight, *bias, *dense; /* (F, C), (C), (C, D) */
    const int8_t *codes;                /* in place of weight, of the same shape; NULL: none */
    const float *step;                  /* (F): of the codes */
    int rank;                           /* R; 0: none, and no output. Without an embedding only */
    const float *output;                /* (C, R); weight is (F, R) */
    const uint32_t *tree;               /* (C - 1, 2); NULL: none */
    const char *scoring;                /* NULL: softmax */
} lm_ngram_head_parts;

/* What the tensors of the second file take. */
size_t lm_ngram_head_tensor_bytes(const lm_ngram_head_parts *parts);
/* Append the bytes of both files. Polls cancel. */
lm_status lm_ngram_head_write(lm_context *ctx, const lm_ngram_head_parts *parts, lm_buffer *json,
                              lm_buffer *tensors);

/* A classifier that is to be loaded; lives in the arena. */
typedef struct lm_ngram_head_plan {
    lm_tfidf_options options; /* what cutting and weighing need */
    const char *const *labels;
    int label_count, width, rank;
    bool has_tree;
    uint32_t features, slots;
    const lm_tensor *output, *tree; /* NULL: there is none */
    const lm_tensor *weight, *bias, *idf;
    const lm_tensor *step;         /* NULL: the weight is no int8 */
    const lm_tensor *ends, *names; /* of a vocabulary */
    const lm_tensor *buckets;
    const lm_tensor *dense; /* NULL: there is none */
} lm_ngram_head_plan;

/* Check ngram_head.json and the tensors of a checkpoint against each other. */
lm_status lm_ngram_head_plan_make(lm_context *ctx, lm_arena *arena, const lm_checkpoint *checkpoint,
                                  lm_ngram_head_plan *plan);
/* Bytes of the image's section. Cannot overflow after a plan was made. */
size_t lm_ngram_head_size(const lm_ngram_head_plan *plan);
/* Reads on in the source; what the tensors hold is checked here. */
lm_status lm_ngram_head_fill(lm_context *ctx, const lm_ngram_head_plan *plan,
                             const lm_source *source, void *section);

/* The section as a process sees it. */
typedef struct lm_ngram_head {
    lm_tfidf_options options;
    uint32_t features, slots; /* slots is a power of two */
    int labels, padded, width, rank;
    uint64_t seed;        /* of the slots' hash */
    const float *weight;  /* (F, padded): columns are labels, or of the rank; NULL: codes */
    const int8_t *codes;  /* (F, padded): times the row's step; NULL: weight */
    const float *step;    /* (F) */
    const float *bias;    /* (C), padded */
    const float *output;  /* (C, rank) */
    const uint32_t *tree; /* (C - 1, 2); NULL: there is none */
    const float *dense;   /* (C, D); NULL: there is none */
    const float *idf;
    const uint32_t *slot; /* (slots) a feature + 1, 0: free; of buckets by their number */
    const uint32_t *ends;
    const char *names;
} lm_ngram_head;

lm_status lm_ngram_head_bind(lm_context *ctx, const void *section, size_t size,
                             lm_ngram_head *view);

/* What scoring keeps between texts. */
typedef struct lm_ngram_head_room {
    lm_ngram_room ngrams;
    lm_numbers numbers;
    float *sums; /* (padded), then what a tree wants */
    size_t sum_room;
    const lm_ngram_head *head; /* of the text under way */
    size_t seen;               /* its n-grams */
} lm_ngram_head_room;

void lm_ngram_head_room_init(lm_ngram_head_room *room, lm_context *ctx);
void lm_ngram_head_room_free(lm_ngram_head_room *room);
size_t lm_ngram_head_room_bytes(const lm_ngram_head_room *room);

/*
 * Numbers (labels) of a text; `embedding` (D) is NULL where D is 0. The same bits whatever else is
 * computed. The n-grams of the text, known or not, are in room->seen.
 */
lm_status lm_ngram_head_run(const lm_kernels *kernels, const lm_ngram_head *head,
                            lm_ngram_head_room *room, lm_text text, const float *embedding,
                            float *out);

#endif
